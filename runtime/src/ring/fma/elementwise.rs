//! Loops over the words of one limb; each does what the function of the same name in `portable` does.
//!
//! A sum of products is made of two sums of integers. With `M = 2^103`, whose last bit is worth `2^51`, the last bits of
//! `fma(a, b, M)` hold `k`, the multiple of `2^51` nearest to a product below `2^100`, and the last bits of what is left, plus
//! [`ROUNDER`], hold the rest, of magnitude at most `2^50`. Both are added up as words, what is not theirs in these words is taken off at
//! the end, and there is one reduction for [`TERMS`] products.

use super::Fma;
use super::vector::*;
use crate::ring::kernels::KeyProduct;
use crate::ring::modulus::{Factor, Modulus};
use crate::ring::packing::window;
use std::arch::x86_64::*;

/// Products of words below `2^50` that one reduction takes: the sum, over `2^51`, stays below `2^52`.
pub(super) const TERMS: usize = 7;

/// `2^103`.
const UPPER: f64 = 10_141_204_801_825_835_211_973_625_643_008.0;

/// Words whose residues are in `[0, p)`, in blocks that stay in the first-level cache.
const BLOCK: usize = 1 << 9;

/// Sums of the upper and lower parts of products, and of what is not theirs.
#[derive(Clone, Copy)]
pub(super) struct Sums {
    upper: __m256i,
    lower: __m256i,
}

/// What is the same for all sums modulo a prime.
#[derive(Clone, Copy)]
pub(super) struct Reduction {
    pub(super) prime: Prime,
    /// `2^51 mod p`.
    radix: Vector,
    /// What `TERMS` or fewer products leave in the words of [`Sums`] that is not theirs, less what makes the lower sum positive.
    excess: [__m256i; 2],
}

impl Reduction {
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn new(m: &Modulus, terms: usize) -> Self {
        // The lower sum is at least -2^50 for each term.
        let (terms, lift) = (terms as u64, terms.div_ceil(2) as u64);
        let upper = terms.wrapping_mul(UPPER.to_bits()).wrapping_add(lift);
        let lower = terms
            .wrapping_mul(ROUNDER.to_bits())
            .wrapping_sub(lift << 51);
        Self {
            prime: prime(m),
            radix: splat(centred(m, m.reduce(1 << 51))),
            excess: [splat_word(upper), splat_word(lower)],
        }
    }

    /// The sum modulo `p`, between `-p / 2` and `p / 2` but for one.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn reduce(&self, sums: Sums) -> Vector {
        let [upper, lower] = self.excess;
        let lower = _mm256_sub_epi64(sums.lower, lower);
        let carry = _mm256_srli_epi64::<51>(lower);
        let upper = _mm256_add_epi64(_mm256_sub_epi64(sums.upper, upper), carry);
        let lower = _mm256_and_si256(lower, splat_word((1 << 51) - 1));
        let product = self.prime.product(doubles(upper), self.radix);
        self.prime.reduce(_mm256_add_pd(product, doubles(lower)))
    }
}

impl Sums {
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn zero() -> Self {
        Self {
            upper: _mm256_setzero_si256(),
            lower: _mm256_setzero_si256(),
        }
    }

    /// Adds a product.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn add(&mut self, a: Vector, b: Vector) {
        let upper = _mm256_fmadd_pd(a, b, splat(UPPER));
        let rest = _mm256_sub_pd(splat(UPPER + ROUNDER), upper);
        let lower = _mm256_fmadd_pd(a, b, rest);
        self.upper = _mm256_add_epi64(self.upper, _mm256_castpd_si256(upper));
        self.lower = _mm256_add_epi64(self.lower, _mm256_castpd_si256(lower));
    }
}

impl Fma {
    /// See `portable::add_assign`.
    pub(in crate::ring) fn add_assign(self, acc: &mut [u64], a: &[u64], m: &Modulus) {
        #[target_feature(enable = "avx2")]
        fn run(acc: &mut [u64], a: &[u64], m: &Modulus) {
            let p = splat_word(m.value());
            for (x, y) in groups_mut(acc).iter_mut().zip(groups(a)) {
                let sum = _mm256_add_epi64(load(x), load(y));
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
        #[target_feature(enable = "avx2,fma")]
        fn run(out: &mut [u64], a: &[u64], w: f64, m: &Modulus) {
            let (p, w) = (prime(m), splat(w));
            for (out, a) in groups_mut(out).iter_mut().zip(groups(a)) {
                store(out, p.residues(p.product(doubles(load(a)), w)));
            }
        }
        // SAFETY: the token proves the processor features.
        unsafe { run(out, a, centred(m, w.value()), m) }
    }

    /// See `portable::scale_add_assign`; `a` holds words below `2^52`.
    pub(in crate::ring) fn scale_add_assign(
        self,
        acc: &mut [u64],
        a: &[u64],
        w: Factor,
        m: &Modulus,
    ) {
        #[target_feature(enable = "avx2,fma")]
        fn run(acc: &mut [u64], a: &[u64], w: f64, m: &Modulus) {
            let (p, w) = (prime(m), splat(w));
            for (acc, a) in groups_mut(acc).iter_mut().zip(groups(a)) {
                let product = p.product(doubles(load(a)), w);
                let sum = _mm256_add_pd(product, doubles(load(acc)));
                store(acc, p.residues(sum));
            }
        }
        // SAFETY: the token proves the processor features.
        unsafe { run(acc, a, centred(m, w.value()), m) }
    }

    /// See `portable::sum`.
    pub(in crate::ring) fn sum(self, out: &mut [u64], terms: &[&[u64]], m: &Modulus) {
        #[target_feature(enable = "avx2")]
        fn run(out: &mut [u64], terms: &[&[u64]], m: &Modulus) {
            let p = splat_word(m.value());
            for (i, out) in groups_mut(out).iter_mut().enumerate() {
                let mut acc = _mm256_setzero_si256();
                for term in terms {
                    acc = subtract_once(_mm256_add_epi64(acc, load(&groups(term)[i])), p);
                }
                store(out, acc);
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

    /// See `portable::weighted_sum`.
    pub(in crate::ring) fn weighted_sum(
        self,
        out: &mut [u64],
        sources: &[&[u64]],
        weights: &[u64],
        m: &Modulus,
    ) {
        // SAFETY: the token proves the processor features.
        unsafe {
            let few = sources.chunks(TERMS).zip(weights.chunks(TERMS));
            for (part, (sources, weights)) in few.enumerate() {
                match *sources {
                    [a] => weighted(out, [a], weights, part > 0, m),
                    [a, b] => weighted(out, [a, b], weights, part > 0, m),
                    [a, b, c] => weighted(out, [a, b, c], weights, part > 0, m),
                    [a, b, c, d] => weighted(out, [a, b, c, d], weights, part > 0, m),
                    [a, b, c, d, e] => weighted(out, [a, b, c, d, e], weights, part > 0, m),
                    [a, b, c, d, e, f] => weighted(out, [a, b, c, d, e, f], weights, part > 0, m),
                    [a, b, c, d, e, f, g] => {
                        weighted(out, [a, b, c, d, e, f, g], weights, part > 0, m);
                    }
                    _ => {}
                }
            }
        }
    }

    /// See `portable::reduce_four`.
    pub(in crate::ring) fn reduce_four(self, x: &mut [u64], m: &Modulus) {
        #[target_feature(enable = "avx2")]
        fn run(x: &mut [u64], m: &Modulus) {
            let (one, two) = (splat_word(m.value()), splat_word(2 * m.value()));
            for x in groups_mut(x) {
                store(x, subtract_once(subtract_once(load(x), two), one));
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
                _ => false,
            }
        }
    }

    /// See `packing::unpack`.
    pub(in crate::ring) fn unpack(self, out: &mut [u64], bytes: &[u8], m: &Modulus) -> bool {
        #[target_feature(enable = "avx2")]
        fn run(out: &mut [u64], bytes: &[u8], m: &Modulus) -> bool {
            let bits = m.bits() as usize;
            let halves = [0, 4].map(|first| PackedHalf::new(first, bits));
            let (mask, largest) = (splat_word((1 << bits) - 1), splat_word(m.value() - 1));
            let mut excess = _mm256_setzero_si256();
            for (i, group) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                let mut last = [0; 72];
                let window = window(bytes, i * bits, &mut last);
                for (out, half) in groups_mut(group).iter_mut().zip(&halves) {
                    let words = _mm256_and_si256(half.read(window), mask);
                    excess = _mm256_or_si256(excess, _mm256_cmpgt_epi64(words, largest));
                    store(out, words);
                }
            }
            _mm256_testz_si256(excess, excess) == 1
        }
        // SAFETY: the token proves the processor features.
        unsafe { run(out, bytes, m) }
    }

    /// See `portable::rounded_sum`.
    pub(in crate::ring) fn rounded_sum(self, out: &mut [u64], terms: &[(&[u64], f64)]) {
        #[target_feature(enable = "avx2")]
        fn run(out: &mut [u64], terms: &[(&[u64], f64)]) {
            for (i, out) in groups_mut(out).iter_mut().enumerate() {
                let mut sum = splat(0.5);
                for (a, r) in terms {
                    let a = doubles(load(&groups(a)[i]));
                    // Not fused, as everywhere.
                    sum = _mm256_add_pd(sum, _mm256_mul_pd(a, splat(*r)));
                }
                store(out, words(_mm256_floor_pd(sum)));
            }
        }
        // SAFETY: the token proves the processor features.
        unsafe { run(out, terms) }
    }

    /// See `portable::separate`.
    pub(in crate::ring) fn separate(self, x: &mut [u64], y: &mut [u64], w: Factor, m: &Modulus) {
        #[target_feature(enable = "avx2,fma")]
        fn run(x: &mut [u64], y: &mut [u64], w: f64, m: &Modulus) {
            let (p, w) = (prime(m), splat(w));
            let (x, y) = (groups_mut(x), groups_mut(y));
            let half = splat(centred(m, m.half(1)));
            for i in 0..x.len() / 2 {
                let j = x.len() - 1 - i;
                let (u, v) = (doubles(load(&x[i])), reversed(doubles(load(&x[j]))));
                let even = p.residues(p.product(_mm256_add_pd(u, v), half));
                let odd = p.residues(p.product(_mm256_sub_pd(u, v), w));
                store(&mut x[i], even);
                store(&mut x[j], reversed_words(even));
                store(&mut y[i], odd);
                store(&mut y[j], reversed_words(odd));
            }
        }
        // SAFETY: the token proves the processor features.
        unsafe { run(x, y, centred(m, w.value()), m) }
    }

    /// See `portable::reduce_signed`.
    pub(in crate::ring) fn reduce_signed(self, out: &mut [u64], a: &[i64], m: &Modulus) {
        #[target_feature(enable = "avx2,fma")]
        fn run(out: &mut [u64], a: &[i64], m: &Modulus) {
            let (p, radix) = (prime(m), splat(centred(m, m.reduce(1 << 51))));
            // x = 2^51 k + rest, and k + 2^11 is not negative.
            let (lift, mask) = (splat_word(1 << 62), splat_word((1 << 51) - 1));
            for (out, a) in groups_mut(out).iter_mut().zip(a.as_chunks::<4>().0) {
                let lifted = _mm256_add_epi64(load(&a.map(i64::cast_unsigned)), lift);
                let upper = doubles(_mm256_srli_epi64::<51>(lifted));
                let upper = _mm256_sub_pd(upper, splat((1u64 << 11) as f64));
                let lower = doubles(_mm256_and_si256(lifted, mask));
                let product = p.product(upper, radix);
                store(out, p.residues(_mm256_add_pd(product, lower)));
            }
        }
        // SAFETY: the token proves the processor features.
        unsafe { run(out, a, m) }
    }
}

/// Where four of eight packed words are.
struct PackedHalf {
    /// The first bytes of two pairs of words.
    starts: [usize; 2],
    /// Which bytes of those from there on a word begins with, eight for each.
    bytes: [u8; 32],
    /// Bits before a word in its first byte.
    shifts: Words,
}

impl PackedHalf {
    fn new(first: usize, bits: usize) -> Self {
        let starts = [first, first + 2].map(|word| word * bits / 8);
        let byte = |word: usize| (first + word) * bits / 8 - starts[word / 2];
        Self {
            starts,
            bytes: std::array::from_fn(|i| (byte(i / 8) + i % 8) as u8),
            shifts: std::array::from_fn(|word| ((first + word) * bits % 8) as u64),
        }
    }

    /// The words, with what follows them above.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn read(&self, window: &[u8; 72]) -> __m256i {
        let [low, high] = self.starts.map(|start| {
            // Never cut off: residues of at most 50 bits, of which at most six are before the second pair.
            window[start & 63..].first_chunk().unwrap_or(&[0; 16])
        });
        // SAFETY: the arrays hold the 16 and 32 bytes that are read; no alignment is needed.
        let (pairs, bytes) = unsafe {
            (
                _mm256_loadu2_m128i(high.as_ptr().cast(), low.as_ptr().cast()),
                _mm256_loadu_si256(self.bytes.as_ptr().cast()),
            )
        };
        _mm256_srlv_epi64(_mm256_shuffle_epi8(pairs, bytes), load(&self.shifts))
    }
}

/// The lanes of words, last to first.
#[inline]
#[target_feature(enable = "avx2")]
fn reversed_words(x: __m256i) -> __m256i {
    _mm256_permute4x64_epi64::<0b00_01_10_11>(x)
}

/// Sum or difference.
#[target_feature(enable = "avx2")]
fn combine<const SUBTRACT: bool>(out: &mut [u64], a: &[u64], b: &[u64], m: &Modulus) {
    let p = splat_word(m.value());
    for ((out, a), b) in groups_mut(out).iter_mut().zip(groups(a)).zip(groups(b)) {
        let (a, b) = (load(a), load(b));
        let combined = if SUBTRACT {
            add_if_negative(_mm256_sub_epi64(a, b), p)
        } else {
            subtract_once(_mm256_add_epi64(a, b), p)
        };
        store(out, combined);
    }
}

/// Sum of products, a few at a time in blocks of the result that stay in a cache; added to what is there, or written over it.
#[target_feature(enable = "avx2,fma")]
fn dot<const ADD: bool>(out: &mut [u64], pairs: &[(&[u64], &[u64])], m: &Modulus) {
    for start in (0..out.len()).step_by(BLOCK) {
        let block = start..out.len().min(start + BLOCK);
        let out = &mut out[block.clone()];
        for (at, few) in pairs.chunks(4).enumerate() {
            let mut blocks: [(&[u64], &[u64]); 4] = [(&[], &[]); 4];
            for (part, (a, b)) in blocks.iter_mut().zip(few) {
                *part = (&a[block.clone()], &b[block.clone()]);
            }
            let add = ADD || at > 0;
            let [p0, p1, p2, p3] = blocks;
            match few.len() {
                1 => dot_one(out, p0, add, m),
                2 => dot_fixed(out, [p0, p1], add, m),
                3 => dot_fixed(out, [p0, p1, p2], add, m),
                _ => dot_fixed(out, [p0, p1, p2, p3], add, m),
            }
        }
    }
}

/// One product.
#[target_feature(enable = "avx2,fma")]
fn dot_one(out: &mut [u64], (a, b): (&[u64], &[u64]), add: bool, m: &Modulus) {
    let p = prime(m);
    for ((out, a), b) in groups_mut(out).iter_mut().zip(groups(a)).zip(groups(b)) {
        let mut sum = p.product(doubles(load(a)), doubles(load(b)));
        if add {
            sum = _mm256_add_pd(sum, doubles(load(out)));
        }
        store(out, p.residues(sum));
    }
}

/// Sum of a few products, the accumulators in registers.
#[target_feature(enable = "avx2,fma")]
fn dot_fixed<const K: usize>(
    out: &mut [u64],
    pairs: [(&[u64], &[u64]); K],
    add: bool,
    m: &Modulus,
) {
    const { assert!(K <= TERMS, "too many products for one reduction") };
    let reduction = Reduction::new(m, K);
    for (i, out) in groups_mut(out).iter_mut().enumerate() {
        let mut sums = Sums::zero();
        for (a, b) in pairs {
            let (a, b) = (load(&groups(a)[i]), load(&groups(b)[i]));
            sums.add(doubles(a), doubles(b));
        }
        let mut sum = words(reduction.prime.positive(reduction.reduce(sums)));
        if add {
            let p = splat_word(m.value());
            sum = subtract_once(_mm256_add_epi64(sum, load(out)), p);
        }
        store(out, sum);
    }
}

/// Sum of a few multiples by constants, added to what is there or written over it.
#[target_feature(enable = "avx2,fma")]
fn weighted<const K: usize>(
    out: &mut [u64],
    sources: [&[u64]; K],
    weights: &[u64],
    add: bool,
    m: &Modulus,
) {
    const { assert!(K <= TERMS, "too many terms for one reduction") };
    let reduction = Reduction::new(m, K);
    let mut w = [_mm256_setzero_pd(); K];
    for (w, &weight) in w.iter_mut().zip(weights) {
        *w = splat(weight as f64);
    }
    for (i, out) in groups_mut(out).iter_mut().enumerate() {
        let mut sums = Sums::zero();
        for (a, &w) in sources.iter().zip(&w) {
            sums.add(doubles(load(&groups(a)[i])), w);
        }
        let mut sum = reduction.reduce(sums);
        if add {
            sum = reduction
                .prime
                .reduce(_mm256_add_pd(sum, doubles(load(out))));
        }
        // Between p / 2 and 3 p / 2.
        store(out, words(_mm256_add_pd(sum, reduction.prime.one)));
    }
}

/// Both halves of a key product of `K` digits, in one pass; whether there are `K` of everything.
#[target_feature(enable = "avx2,fma")]
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
    let reduction = Reduction::new(m, K);
    let (p, w) = (reduction.prime, splat(centred(m, of.w.value())));
    // Permutations move eight words at a time.
    let (out0, out1): (&mut [[u64; 8]], &mut [[u64; 8]]) =
        (out0.as_chunks_mut().0, out1.as_chunks_mut().0);
    let start = of.at / 8;
    for i in 0..key0.first().map_or(0, |key| key.len() / 8) {
        let mut made = [[[0; 4]; 2]; 2];
        let [b, a] = &mut made;
        for (part, (b, a)) in b.iter_mut().zip(a).enumerate() {
            let at = 2 * i + part;
            let mut sums = [Sums::zero(); 2];
            for k in 0..K {
                let x = doubles(load(&groups(digits[k])[2 * start + at]));
                sums[0].add(x, doubles(load(&groups(key0[k])[at])));
                sums[1].add(x, doubles(load(&groups(key1[k])[at])));
            }
            for ((out, sum), add) in [b, a].into_iter().zip(sums).zip(of.add) {
                let mut half = reduction.reduce(sum);
                if let Some(add) = add {
                    let addend = p.product(doubles(load(&groups(add)[at])), w);
                    half = p.reduce(_mm256_add_pd(half, addend));
                }
                store(out, words(p.positive(half)));
            }
        }
        let [b, a] = made;
        let (to, pattern) = match of.table {
            Some(table) => table.destination(start + i),
            None => (start + i, &[0, 1, 2, 3, 4, 5, 6, 7]),
        };
        for (out, words) in [
            (&mut out0[to], b.as_flattened()),
            (&mut out1[to], a.as_flattened()),
        ] {
            for (out, &lane) in out.iter_mut().zip(pattern) {
                *out = words[lane as usize & 7];
            }
        }
    }
    true
}
