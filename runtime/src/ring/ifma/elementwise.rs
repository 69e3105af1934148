//! Loops over the words of one limb; each does what the function of the same name in `portable` does.
//!
//! Sums of products are accumulated as two sums of 52-bit halves, so that carries are handled once and there is one Montgomery
//! reduction for [`TERMS`] products.

use super::Ifma;
use super::vector::*;
use crate::ring::automorphism::Permutation;
use crate::ring::kernels::KeyProduct;
use crate::ring::modulus::{Factor, Modulus};
use crate::ring::packing::window;
use std::arch::x86_64::*;
use std::ops::Range;

/// Products of a word below `2^50` and a residue that one reduction takes: the result, below `T p / 4 + p`, stays below `4p`.
pub(super) const TERMS: usize = 12;

/// Sums of the low and the high halves of products.
#[derive(Clone, Copy)]
pub(super) struct Sums {
    low: Vector,
    high: Vector,
}

impl Sums {
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn zero() -> Self {
        let zero = _mm512_setzero_si512();
        Self {
            low: zero,
            high: zero,
        }
    }

    /// Adds a product.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn add(&mut self, a: Vector, b: Vector) {
        self.low = _mm512_madd52lo_epu64(self.low, a, b);
        self.high = _mm512_madd52hi_epu64(self.high, a, b);
    }

    /// The sum over `2^52` modulo `p`, in `(0, T p / 4 + p)` for T terms.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn reduce(self, p: &Prime) -> Vector {
        let m = p.low(self.low, p.inverse);
        let above = _mm512_madd52hi_epu64(p.minus, m, p.one);
        let carry = _mm512_srli_epi64::<52>(self.low);
        _mm512_sub_epi64(_mm512_add_epi64(self.high, carry), above)
    }
}

/// `2^104 mod p`: a product by it undoes a reduction.
pub(super) fn restore(m: &Modulus) -> Factor52 {
    factor(m, m.montgomery(1))
}

impl Ifma {
    /// See `portable::add_assign`.
    pub(in crate::ring) fn add_assign(self, acc: &mut [u64], a: &[u64], m: &Modulus) {
        #[target_feature(enable = "avx512f")]
        fn run(acc: &mut [u64], a: &[u64], m: &Modulus) {
            let p = splat(m.value());
            for (x, y) in groups_mut(acc).iter_mut().zip(groups(a)) {
                let sum = _mm512_add_epi64(load(x), load(y));
                store(x, subtract_once(sum, p));
            }
        }
        // SAFETY: the token proves the processor features.
        unsafe { run(acc, a, m) }
    }

    /// See `portable::add`.
    pub(in crate::ring) fn add(self, out: &mut [u64], a: &[u64], b: &[u64], m: &Modulus) {
        // SAFETY: the token proves the processor features.
        unsafe { combine::<false>(out, a, b, m) }
    }

    /// See `portable::sub`.
    pub(in crate::ring) fn sub(self, out: &mut [u64], a: &[u64], b: &[u64], m: &Modulus) {
        // SAFETY: the token proves the processor features.
        unsafe { combine::<true>(out, a, b, m) }
    }

    /// See `portable::scale`; `a` holds words below `2^52`.
    pub(in crate::ring) fn scale(self, out: &mut [u64], a: &[u64], w: Factor, m: &Modulus) {
        #[target_feature(enable = "avx512f,avx512ifma")]
        fn run(out: &mut [u64], a: &[u64], w: Factor52, m: &Modulus) {
            let (p, w) = (prime(m), known(w));
            let out = groups_mut(out);
            for (i, a) in groups(a).iter().enumerate() {
                prefetch_write(out, i + AHEAD);
                store(&mut out[i], p.product_known_reduced(load(a), w));
            }
        }
        // SAFETY: the token proves the processor features.
        unsafe { run(out, a, factor(m, w.value()), m) }
    }

    /// See `portable::scale_add_assign`; words below `2^52` and `4p`.
    pub(in crate::ring) fn scale_add_assign(
        self,
        acc: &mut [u64],
        a: &[u64],
        w: Factor,
        m: &Modulus,
    ) {
        #[target_feature(enable = "avx512f,avx512ifma")]
        fn run(acc: &mut [u64], a: &[u64], w: Factor52, m: &Modulus) {
            let (p, w) = (prime(m), known(w));
            for (acc, a) in groups_mut(acc).iter_mut().zip(groups(a)) {
                let sum = _mm512_add_epi64(p.product_known_reduced(load(a), w), load(acc));
                store(acc, subtract_once(sum, p.one));
            }
        }
        // SAFETY: the token proves the processor features.
        unsafe { run(acc, a, factor(m, w.value()), m) }
    }

    /// See `portable::sum`.
    pub(in crate::ring) fn sum(self, out: &mut [u64], terms: &[&[u64]], m: &Modulus) {
        #[target_feature(enable = "avx512f,avx512ifma")]
        fn run(out: &mut [u64], terms: &[&[u64]], m: &Modulus) {
            let p = splat(m.value());
            let out = groups_mut(out);
            for i in 0..out.len() {
                prefetch_write(out, i + AHEAD);
                let mut acc = _mm512_setzero_si512();
                for term in terms {
                    acc = subtract_once(_mm512_add_epi64(acc, load(&groups(term)[i])), p);
                }
                store(&mut out[i], acc);
            }
        }
        // SAFETY: the token proves the processor features.
        unsafe { run(out, terms, m) }
    }

    /// See `portable::dot`.
    pub(in crate::ring) fn dot(self, out: &mut [u64], pairs: &[(&[u64], &[u64])], m: &Modulus) {
        // SAFETY: the token proves the processor features.
        unsafe { dot::<false>(out, pairs, m) }
    }

    /// See `portable::add_dot`.
    pub(in crate::ring) fn add_dot(self, acc: &mut [u64], pairs: &[(&[u64], &[u64])], m: &Modulus) {
        // SAFETY: the token proves the processor features.
        unsafe { dot::<true>(acc, pairs, m) }
    }

    /// See `portable::weighted_sum`; weights in Montgomery form, the result below `4p`.
    pub(in crate::ring) fn weighted_sum(
        self,
        out: &mut [u64],
        sources: &[&[u64]],
        weights: &[u64],
        m: &Modulus,
    ) {
        // SAFETY: the token proves the processor features.
        unsafe {
            match *sources {
                [a0, a1] => weighted_fixed(out, [a0, a1], weights, m),
                [a0, a1, a2] => weighted_fixed(out, [a0, a1, a2], weights, m),
                [a0, a1, a2, a3] => weighted_fixed(out, [a0, a1, a2, a3], weights, m),
                [a0, a1, a2, a3, a4] => weighted_fixed(out, [a0, a1, a2, a3, a4], weights, m),
                [a0, a1, a2, a3, a4, a5] => {
                    weighted_fixed(out, [a0, a1, a2, a3, a4, a5], weights, m)
                }
                [a0, a1, a2, a3, a4, a5, a6] => {
                    weighted_fixed(out, [a0, a1, a2, a3, a4, a5, a6], weights, m)
                }
                [a0, a1, a2, a3, a4, a5, a6, a7] => {
                    weighted_fixed(out, [a0, a1, a2, a3, a4, a5, a6, a7], weights, m);
                }
                [a0, a1, a2, a3, a4, a5, a6, a7, a8] => {
                    weighted_fixed(out, [a0, a1, a2, a3, a4, a5, a6, a7, a8], weights, m);
                }
                [a0, a1, a2, a3, a4, a5, a6, a7, a8, a9] => {
                    weighted_fixed(out, [a0, a1, a2, a3, a4, a5, a6, a7, a8, a9], weights, m);
                }
                _ => weighted_any(out, sources, weights, m),
            }
        }
    }

    /// See `portable::reduce_four`.
    pub(in crate::ring) fn reduce_four(self, x: &mut [u64], m: &Modulus) {
        #[target_feature(enable = "avx512f,avx512ifma")]
        fn run(x: &mut [u64], m: &Modulus) {
            let p = prime(m);
            for x in groups_mut(x) {
                store(x, p.reduce_four(load(x)));
            }
        }
        // SAFETY: the token proves the processor features.
        unsafe { run(x, m) }
    }

    /// A key product of up to [`TERMS`] digits in one pass; whether it was one.
    pub(in crate::ring) fn key_product(
        self,
        [b, a]: [&mut [u64]; 2],
        of: &KeyProduct<'_>,
        m: &Modulus,
    ) -> bool {
        // SAFETY: the token proves the processor features.
        unsafe {
            match of.digits.len() {
                1 => key_product::<1>(b, a, of, m),
                2 => key_product::<2>(b, a, of, m),
                3 => key_product::<3>(b, a, of, m),
                4 => key_product::<4>(b, a, of, m),
                5 => key_product::<5>(b, a, of, m),
                6 => key_product::<6>(b, a, of, m),
                7 => key_product::<7>(b, a, of, m),
                8 => key_product::<8>(b, a, of, m),
                9 => key_product::<9>(b, a, of, m),
                10 => key_product::<10>(b, a, of, m),
                11 => key_product::<11>(b, a, of, m),
                12 => key_product::<12>(b, a, of, m),
                _ => false,
            }
        }
    }

    /// See `packing::unpack`.
    pub(in crate::ring) fn unpack(self, out: &mut [u64], bytes: &[u8], m: &Modulus) -> bool {
        #[target_feature(enable = "avx512f")]
        fn run(out: &mut [u64], bytes: &[u8], m: &Modulus) -> bool {
            let bits = m.bits() as usize;
            // Word j begins in 64-bit word (j b) / 64 of its group and ends in that or the next, at most the last of 8.
            let first: Words = std::array::from_fn(|j| (j * bits / 64) as u64);
            let shift: Words = std::array::from_fn(|j| (j * bits % 64) as u64);
            let (first, shift) = (load(&first), load(&shift));
            let next = _mm512_add_epi64(first, splat(1));
            let rest = _mm512_sub_epi64(splat(64), shift);
            let (mask, prime) = (splat((1 << bits) - 1), splat(m.value()));
            let mut excess = 0;
            for (i, out) in groups_mut(out).iter_mut().enumerate() {
                prefetch_read(bytes, i * bits + PAGE);
                let mut last = [0; 64];
                let group = load_bytes(window(bytes, i * bits, &mut last));
                let low = _mm512_srlv_epi64(_mm512_permutexvar_epi64(first, group), shift);
                let high = _mm512_sllv_epi64(_mm512_permutexvar_epi64(next, group), rest);
                let words = _mm512_and_epi64(_mm512_or_epi64(low, high), mask);
                excess |= _mm512_cmpge_epu64_mask(words, prime);
                store(out, words);
            }
            excess == 0
        }
        // SAFETY: the token proves the processor features.
        unsafe { run(out, bytes, m) }
    }

    /// See `portable::rounded_sum`.
    pub(in crate::ring) fn rounded_sum(self, out: &mut [u64], terms: &[(&[u64], f64)]) {
        #[target_feature(enable = "avx512f,avx512dq")]
        fn run(out: &mut [u64], terms: &[(&[u64], f64)]) {
            let out = groups_mut(out);
            for i in 0..out.len() {
                prefetch_write(out, i + AHEAD);
                let mut sum = _mm512_set1_pd(0.5);
                for (a, r) in terms {
                    let a = _mm512_cvtepu64_pd(load(&groups(a)[i]));
                    sum = _mm512_add_pd(sum, _mm512_mul_pd(a, _mm512_set1_pd(*r)));
                }
                store(&mut out[i], _mm512_cvttpd_epu64(sum));
            }
        }
        // SAFETY: the token proves the processor features.
        unsafe { run(out, terms) }
    }

    /// See `portable::permute`.
    pub(in crate::ring) fn permute(self, out: &mut [u64], a: &[u64], table: &Permutation) {
        #[target_feature(enable = "avx512f")]
        fn run(out: &mut [u64], a: &[u64], table: &Permutation) {
            let a = groups(a);
            let out = groups_mut(out);
            for (i, (group, pattern)) in table.groups().enumerate() {
                prefetch_write(out, i + AHEAD);
                store(
                    &mut out[i],
                    _mm512_permutexvar_epi64(load(pattern), load(&a[group])),
                );
            }
        }
        // SAFETY: the token proves the processor features.
        unsafe { run(out, a, table) }
    }

    /// See `portable::separate`.
    pub(in crate::ring) fn separate(self, x: &mut [u64], y: &mut [u64], w: Factor, m: &Modulus) {
        #[target_feature(enable = "avx512f,avx512ifma")]
        fn run(x: &mut [u64], y: &mut [u64], w: Factor52, m: &Modulus) {
            let (p, w) = (prime(m), known(w));
            let (one, backwards) = (splat(1), _mm512_setr_epi64(7, 6, 5, 4, 3, 2, 1, 0));
            let (x, y) = (groups_mut(x), groups_mut(y));
            for i in 0..x.len() / 2 {
                let j = x.len() - 1 - i;
                let (u, v) = (load(&x[i]), load(&x[j]));
                let v = _mm512_permutexvar_epi64(backwards, v);
                let sum = subtract_once(_mm512_add_epi64(u, v), p.one);
                let difference = add_if_negative(_mm512_sub_epi64(u, v), p.one);
                let odd = _mm512_test_epi64_mask(sum, one);
                let even = _mm512_srli_epi64::<1>(_mm512_mask_add_epi64(sum, odd, sum, p.one));
                let odd = p.product_known_reduced(difference, w);
                store(&mut x[i], even);
                store(&mut x[j], _mm512_permutexvar_epi64(backwards, even));
                store(&mut y[i], odd);
                store(&mut y[j], _mm512_permutexvar_epi64(backwards, odd));
            }
        }
        // SAFETY: the token proves the processor features.
        unsafe { run(x, y, factor(m, w.value()), m) }
    }

    /// See `portable::reduce_signed`.
    pub(in crate::ring) fn reduce_signed(self, out: &mut [u64], a: &[i64], m: &Modulus) {
        #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
        fn run(out: &mut [u64], a: &[i64], m: &Modulus) {
            // |x| = low + 2^52 high, times 2^52 before the reduction divides by it.
            let (p, low, high) = (prime(m), m.montgomery(1), m.montgomery(m.montgomery(1)));
            let (mask, low, high) = (splat(MASK), splat(low), splat(high));
            let out = groups_mut(out);
            for (i, a) in a.as_chunks::<8>().0.iter().enumerate() {
                prefetch_write(out, i + AHEAD);
                let a = load(&a.map(i64::cast_unsigned));
                let magnitude = _mm512_abs_epi64(a);
                let negative = _mm512_movepi64_mask(a);
                if _mm512_cmplt_epu64_mask(magnitude, p.one) == u8::MAX {
                    // As encoded weights are, but for primes shorter than their scale.
                    store(&mut out[i], _mm512_mask_add_epi64(a, negative, a, p.one));
                    continue;
                }
                let mut sums = Sums::zero();
                sums.add(_mm512_and_si512(magnitude, mask), low);
                sums.add(_mm512_srli_epi64::<52>(magnitude), high);
                let reduced = p.reduce_four(sums.reduce(&p));
                let signed = _mm512_mask_sub_epi64(reduced, negative, p.one, reduced);
                store(&mut out[i], subtract_once(signed, p.one));
            }
        }
        // SAFETY: the token proves the processor features.
        unsafe { run(out, a, m) }
    }
}

/// Sum or difference.
#[target_feature(enable = "avx512f")]
fn combine<const SUBTRACT: bool>(out: &mut [u64], a: &[u64], b: &[u64], m: &Modulus) {
    let p = splat(m.value());
    let out = groups_mut(out);
    for (i, (a, b)) in groups(a).iter().zip(groups(b)).enumerate() {
        prefetch_write(out, i + AHEAD);
        let (a, b) = (load(a), load(b));
        let combined = if SUBTRACT {
            add_if_negative(_mm512_sub_epi64(a, b), p)
        } else {
            subtract_once(_mm512_add_epi64(a, b), p)
        };
        store(&mut out[i], combined);
    }
}

/// Sum of products, a few at a time in blocks of the result that stay in a cache; added to what is there, or written over it.
#[target_feature(enable = "avx512f,avx512ifma")]
fn dot<const ADD: bool>(out: &mut [u64], pairs: &[(&[u64], &[u64])], m: &Modulus) {
    /// Groups in a block.
    const BLOCK: usize = 1 << 9;
    let out = groups_mut(out);
    for start in (0..out.len()).step_by(BLOCK) {
        let block = start..out.len().min(start + BLOCK);
        for (at, few) in pairs.chunks(4).enumerate() {
            let block = block.clone();
            if ADD || at > 0 {
                dot_few::<true>(out, block, few, m);
            } else {
                dot_few::<false>(out, block, few, m);
            }
        }
    }
}

/// At most four products.
#[target_feature(enable = "avx512f,avx512ifma")]
fn dot_few<const ADD: bool>(
    out: &mut [Words],
    block: Range<usize>,
    pairs: &[(&[u64], &[u64])],
    m: &Modulus,
) {
    match *pairs {
        [p0] => dot_fixed::<1, ADD>(out, block, [p0], m),
        [p0, p1] => dot_fixed::<2, ADD>(out, block, [p0, p1], m),
        [p0, p1, p2] => dot_fixed::<3, ADD>(out, block, [p0, p1, p2], m),
        [p0, p1, p2, p3] => dot_fixed::<4, ADD>(out, block, [p0, p1, p2, p3], m),
        _ => {}
    }
}

/// Sum of a few products, the accumulators in registers. Processors foresee reads up to the end of a page only, and more streams
/// than one than they can follow; so the first factors, which no cache holds, are prefetched as well.
#[target_feature(enable = "avx512f,avx512ifma")]
fn dot_fixed<const K: usize, const ADD: bool>(
    out: &mut [Words],
    block: Range<usize>,
    pairs: [(&[u64], &[u64]); K],
    m: &Modulus,
) {
    const { assert!(K <= TERMS, "too many products for one reduction") };
    let (p, restore) = (prime(m), known(restore(m)));
    for i in block {
        prefetch_write(out, i + AHEAD);
        let mut sums = Sums::zero();
        for (a, b) in pairs {
            prefetch_read(groups(a), i + FAR_AHEAD);
            sums.add(load(&groups(a)[i]), load(&groups(b)[i]));
        }
        let mut sum = p.product_known_reduced(sums.reduce(&p), restore);
        if ADD {
            sum = subtract_once(_mm512_add_epi64(sum, load(&out[i])), p.one);
        }
        store(&mut out[i], sum);
    }
}

/// Sum of a few multiples by constants, the accumulators in registers.
#[target_feature(enable = "avx512f,avx512ifma")]
fn weighted_fixed<const K: usize>(
    out: &mut [u64],
    sources: [&[u64]; K],
    weights: &[u64],
    m: &Modulus,
) {
    const { assert!(K <= TERMS, "too many terms for one reduction") };
    let p = prime(m);
    let mut w = [_mm512_setzero_si512(); K];
    for (w, &weight) in w.iter_mut().zip(weights) {
        *w = splat(weight);
    }
    let out = groups_mut(out);
    for i in 0..out.len() {
        prefetch_write(out, i + AHEAD);
        let mut sums = Sums::zero();
        for (a, &w) in sources.iter().zip(&w) {
            sums.add(load(&groups(a)[i]), w);
        }
        store(&mut out[i], sums.reduce(&p));
    }
}

/// Sum of any number of multiples by constants.
#[target_feature(enable = "avx512f,avx512ifma")]
fn weighted_any(out: &mut [u64], sources: &[&[u64]], weights: &[u64], m: &Modulus) {
    let p = prime(m);
    for (part, (sources, weights)) in sources.chunks(TERMS).zip(weights.chunks(TERMS)).enumerate() {
        let out = groups_mut(out);
        for i in 0..out.len() {
            prefetch_write(out, i + AHEAD);
            let mut sums = Sums::zero();
            for (a, &w) in sources.iter().zip(weights) {
                sums.add(load(&groups(a)[i]), splat(w));
            }
            let mut sum = subtract_once(sums.reduce(&p), p.two);
            if part > 0 {
                sum = subtract_once(_mm512_add_epi64(sum, load(&out[i])), p.two);
            }
            store(&mut out[i], sum);
        }
    }
}

/// Both halves of a key product of `K` digits, in one pass; whether there are `K` of everything.
#[target_feature(enable = "avx512f,avx512ifma")]
fn key_product<const K: usize>(
    out0: &mut [u64],
    out1: &mut [u64],
    of: &KeyProduct<'_>,
    m: &Modulus,
) -> bool {
    const { assert!(K <= TERMS, "too many digits for one reduction") };
    let (Ok(digits), Ok(key0), Ok(key1)) = (
        <[&[u64]; K]>::try_from(of.digits),
        <[&[u64]; K]>::try_from(of.key[0]),
        <[&[u64]; K]>::try_from(of.key[1]),
    ) else {
        return false;
    };
    let (p, restore, w) = (prime(m), known(restore(m)), known(factor(m, of.w.value())));
    let (out0, out1) = (groups_mut(out0), groups_mut(out1));
    let start = of.at / 8;
    for i in 0..groups(key0[0]).len() {
        let to = start + i;
        let ahead = match of.table {
            Some(table) if to + AHEAD < out0.len() => table.destination(to + AHEAD).0,
            _ => to + AHEAD,
        };
        prefetch_write(out0, ahead);
        prefetch_write(out1, ahead);
        let mut sums = [Sums::zero(); 2];
        for k in 0..K {
            prefetch_read(groups(digits[k]), to + FAR_AHEAD);
            let x = load(&groups(digits[k])[to]);
            sums[0].add(x, load(&groups(key0[k])[i]));
            sums[1].add(x, load(&groups(key1[k])[i]));
        }
        let mut half = [_mm512_setzero_si512(); 2];
        for h in 0..2 {
            half[h] = p.product_known(sums[h].reduce(&p), restore);
            if let Some(add) = of.add[h] {
                let addend = p.product_known(load(&groups(add)[i]), w);
                half[h] = _mm512_add_epi64(half[h], addend);
            }
            half[h] = p.reduce_four(half[h]);
        }
        let mut to = to;
        if let Some(table) = of.table {
            let (group, pattern) = table.destination(to);
            to = group;
            let pattern = load(pattern);
            half = [
                _mm512_permutexvar_epi64(pattern, half[0]),
                _mm512_permutexvar_epi64(pattern, half[1]),
            ];
        }
        store(&mut out0[to], half[0]);
        store(&mut out1[to], half[1]);
    }
    true
}
