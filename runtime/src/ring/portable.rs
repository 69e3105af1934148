//! The loops over one limb, for any processor: what vector kernels replace and are tested against.
//!
//! Every function works modulo one prime `p` on slices of equal length. Inputs and outputs are reduced, in `[0, p)`, unless
//! the function says otherwise. Sums of products are accumulated in 128 bits and reduced once (see
//! [`Modulus::MAX_PRODUCTS`]). No branch and no address depends on a value,
//! except in [`is_reduced`], which is for words read from a file.

use super::automorphism::Permutation;
use super::modulus::{Factor, Modulus};
use std::ops::Range;

/// Accumulators that stay in the first-level cache: 4 KiB of 128-bit words.
const BLOCK: usize = 256;

/// Factors by which the words of several limbs are multiplied and added up, to several results: `out_o = sum_j w_(o,j) x_j`.
pub(super) struct Matrix<'a> {
    /// `x_j`, of whole limbs or the same part of each.
    pub(super) x: &'a [&'a [u64]],
    /// For each `x_j` its factors for all results, in `[0, p)`.
    pub(super) w: &'a [u64],
    /// The words that have these factors; where it begins and ends are multiples of 8.
    pub(super) block: Range<usize>,
}

/// `acc += a`.
pub(super) fn add_assign(acc: &mut [u64], a: &[u64], m: &Modulus) {
    for (x, &y) in acc.iter_mut().zip(a) {
        *x = m.add(*x, y);
    }
}

/// `out = a + b`.
pub(super) fn add(out: &mut [u64], a: &[u64], b: &[u64], m: &Modulus) {
    for ((out, &x), &y) in out.iter_mut().zip(a).zip(b) {
        *out = m.add(x, y);
    }
}

/// `out = a - b`.
pub(super) fn sub(out: &mut [u64], a: &[u64], b: &[u64], m: &Modulus) {
    for ((out, &x), &y) in out.iter_mut().zip(a).zip(b) {
        *out = m.sub(x, y);
    }
}

/// `out = -a`.
pub(super) fn neg(out: &mut [u64], a: &[u64], m: &Modulus) {
    for (out, &x) in out.iter_mut().zip(a) {
        *out = m.neg(x);
    }
}

/// `out = a b`.
pub(super) fn mul(out: &mut [u64], a: &[u64], b: &[u64], m: &Modulus) {
    for ((out, &x), &y) in out.iter_mut().zip(a).zip(b) {
        *out = m.mul(x, y);
    }
}

/// `out = a w`; `a` may hold any words.
pub(super) fn scale(out: &mut [u64], a: &[u64], w: Factor, m: &Modulus) {
    for (out, &x) in out.iter_mut().zip(a) {
        *out = m.mul_factor(x, w);
    }
}

/// `x = x w`; `x` may hold any words.
pub(super) fn scale_assign(x: &mut [u64], w: Factor, m: &Modulus) {
    for x in x {
        *x = m.mul_factor(*x, w);
    }
}

/// `acc += a w`.
pub(super) fn scale_add_assign(acc: &mut [u64], a: &[u64], w: Factor, m: &Modulus) {
    for (acc, &x) in acc.iter_mut().zip(a) {
        *acc = m.add(*acc, m.mul_factor(x, w));
    }
}

/// `out` = sum of `terms`, at most 2^14 of them.
pub(super) fn sum(out: &mut [u64], terms: &[&[u64]], m: &Modulus) {
    debug_assert!(
        terms.len() <= 1 << 14,
        "{} terms may overflow a word",
        terms.len()
    );
    out.fill(0);
    for (block, out) in out.chunks_mut(BLOCK).enumerate() {
        for term in terms {
            for (acc, &x) in out.iter_mut().zip(&term[block * BLOCK..]) {
                *acc += x;
            }
        }
        for x in out {
            *x = m.reduce(*x);
        }
    }
}

/// `out` = sum of `a_k b_k` over pairs of slices, reduced once per [`Modulus::MAX_PRODUCTS`] pairs.
pub(super) fn dot(out: &mut [u64], pairs: &[(&[u64], &[u64])], m: &Modulus) {
    match pairs {
        [(a, b)] => mul(out, a, b, m),
        &[p0, p1] => dot_fixed(out, [p0, p1], m),
        &[p0, p1, p2] => dot_fixed(out, [p0, p1, p2], m),
        &[p0, p1, p2, p3] => dot_fixed(out, [p0, p1, p2, p3], m),
        _ => dot_blocked(out, pairs, m),
    }
}

/// `acc` += sum of `a_k b_k` over pairs of slices.
pub(super) fn add_dot(acc: &mut [u64], pairs: &[(&[u64], &[u64])], m: &Modulus) {
    let mut pairs = pairs.to_vec();
    let mut products = [0; BLOCK];
    for acc in acc.chunks_mut(BLOCK) {
        let block = pairs
            .iter_mut()
            .filter_map(|(a, b)| Some((a.split_off(..acc.len())?, b.split_off(..acc.len())?)));
        let block: Vec<_> = block.collect();
        let products = &mut products[..acc.len()];
        dot(products, &block, m);
        add_assign(acc, products, m);
    }
}

/// [`dot`] for a few pairs: the accumulator stays in registers.
fn dot_fixed<const K: usize>(out: &mut [u64], pairs: [(&[u64], &[u64]); K], m: &Modulus) {
    let n = out.len();
    let pairs = pairs.map(|(a, b)| (&a[..n], &b[..n]));
    for (i, out) in out.iter_mut().enumerate() {
        let mut acc = 0;
        for (a, b) in pairs {
            acc += u128::from(a[i]) * u128::from(b[i]);
        }
        *out = m.reduce_wide(acc);
    }
}

/// [`dot`] for any number of pairs: blocks of accumulators stay in the cache.
fn dot_blocked(out: &mut [u64], pairs: &[(&[u64], &[u64])], m: &Modulus) {
    for (block, out) in out.chunks_mut(BLOCK).enumerate() {
        let start = block * BLOCK;
        let mut acc = [0u128; BLOCK];
        for group in pairs.chunks(Modulus::MAX_PRODUCTS - 1) {
            for (a, b) in group {
                for ((acc, &x), &y) in acc
                    .iter_mut()
                    .zip(&a[start..])
                    .zip(&b[start..])
                    .take(out.len())
                {
                    *acc += u128::from(x) * u128::from(y);
                }
            }
            for acc in &mut acc[..out.len()] {
                *acc = u128::from(m.reduce_wide(*acc));
            }
        }
        for (out, acc) in out.iter_mut().zip(acc) {
            *out = acc as u64;
        }
    }
}

/// `out` = sum of `a_k c_k` over slices with one constant each, `c_k` in `[0, p)`. The `a_k` hold words below 2^50, not
/// necessarily below `p`; reduced once per [`Modulus::MAX_PRODUCTS`] of them.
pub(super) fn weighted_sum(out: &mut [u64], sources: &[&[u64]], weights: &[u64], m: &Modulus) {
    const GROUP: usize = Modulus::MAX_PRODUCTS - 1;
    for (block, out) in out.chunks_mut(BLOCK).enumerate() {
        let start = block * BLOCK;
        let mut acc = [0u128; BLOCK];
        for (sources, weights) in sources.chunks(GROUP).zip(weights.chunks(GROUP)) {
            for (a, &c) in sources.iter().zip(weights) {
                for (acc, &x) in acc.iter_mut().zip(&a[start..]).take(out.len()) {
                    *acc += u128::from(x) * u128::from(c);
                }
            }
            for acc in &mut acc[..out.len()] {
                *acc = u128::from(m.reduce_wide(*acc));
            }
        }
        for (out, acc) in out.iter_mut().zip(acc) {
            *out = acc as u64;
        }
    }
}

/// A block of all results of a matrix.
pub(super) fn matrix(out: &mut [&mut [u64]], of: &Matrix<'_>, m: &Modulus) {
    let rows = out.len();
    let x: Vec<&[u64]> = of.x.iter().map(|x| &x[of.block.clone()]).collect();
    for (row, out) in out.iter_mut().enumerate() {
        let w: Vec<u64> = of.w.iter().skip(row).step_by(rows).copied().collect();
        weighted_sum(&mut out[of.block.clone()], &x, &w, m);
    }
}

/// From words below `4p` to words below `p`.
pub(super) fn reduce_four(x: &mut [u64], m: &Modulus) {
    let p = m.value();
    for x in x {
        let half = (*x).min(x.wrapping_sub(2 * p));
        *x = half.min(half.wrapping_sub(p));
    }
}

/// `out` = the integer nearest to the sum of `a_k r_k`, for words `a_k` below 2^50 and a result that is not negative.
pub(super) fn rounded_sum(out: &mut [u64], terms: &[(&[u64], f64)]) {
    for (block, out) in out.chunks_mut(BLOCK).enumerate() {
        let start = block * BLOCK;
        let mut acc = [0.5f64; BLOCK];
        for (a, r) in terms {
            for (acc, &x) in acc.iter_mut().zip(&a[start..]).take(out.len()) {
                *acc += x as i64 as f64 * r;
            }
        }
        for (out, acc) in out.iter_mut().zip(acc) {
            *out = acc as i64 as u64;
        }
    }
}

/// `out[i]` = the word of `a` that the table names for `i`.
pub(super) fn permute(out: &mut [u64], a: &[u64], table: &Permutation) {
    let length = a.len().min(8);
    for (out, (group, pattern)) in out.chunks_mut(length).zip(table.groups()) {
        let a = &a[group * length..][..length];
        for (out, &lane) in out.iter_mut().zip(pattern) {
            *out = a[lane as usize];
        }
    }
}

/// Puts the words of a block that begins at `at` where the table sends them.
pub(super) fn scatter(out: &mut [u64], block: &[u64], at: usize, table: &Permutation) {
    let length = block.len().min(8);
    for (group, words) in block.chunks(length).enumerate() {
        let (to, pattern) = table.destination(at / length + group);
        let out = &mut out[to * length..][..length];
        for (out, &lane) in out.iter_mut().zip(pattern) {
            *out = words[lane as usize];
        }
    }
}

/// From the values of `a + X^(n/2) b` to those of a and those of b, both equal to their conjugates.
pub(super) fn separate(x: &mut [u64], y: &mut [u64], w: Factor, m: &Modulus) {
    let half = x.len() / 2;
    let (low, high) = x.split_at_mut(half);
    let (odd_low, odd_high) = y.split_at_mut(half);
    let even = low.iter_mut().zip(high.iter_mut().rev());
    let odd = odd_low.iter_mut().zip(odd_high.iter_mut().rev());
    for ((u, v), (s, t)) in even.zip(odd) {
        let (sum, difference) = (m.add(*u, *v), m.sub(*u, *v));
        (*u, *s) = (m.half(sum), m.mul_factor(difference, w));
        (*v, *t) = (*u, *s);
    }
}

/// `out` = the residues of signed words.
pub(super) fn reduce_signed(out: &mut [u64], a: &[i64], m: &Modulus) {
    for (out, &x) in out.iter_mut().zip(a) {
        *out = m.reduce_signed(x);
    }
}

/// Whether every word is in `[0, p)`.
pub(super) fn is_reduced(a: &[u64], m: &Modulus) -> bool {
    a.iter().all(|&x| x < m.value())
}
