//! Transforms in doubles.
//!
//! Order and root of unity are those of the `transform` module; with `w[k] = psi^rev(k)`, stage `m = 1, 2, .., n/2` of the
//! forward transform combines element `j` and `j + n/2m` of its block `i < m` with the factor `w[m + i]`; the inverse goes
//! backwards. Because `w[m + i] w[2m - 1 - i] = -1`, both read one table, from opposite ends.
//!
//! - All but the last four stages are done in passes of up to three, depth first, so that a block stays in the first-level cache as
//!   soon as it fits. Between passes, words are the bits of doubles.
//! - The last four stages take a block of 16 words in registers: two between vectors, a transposition, two between lanes. Of the
//!   two factors at distance 1 in each group of four, `w[2k + 1] = w[2k] psi^(n/2)`, only the first is stored.
//!
//! At `n = 2^16` tables take 416 KiB for each prime.
//!
//! Magnitudes, in units of `p`: forward, the first operands of the first stage of a pass are brought below 1/2, and three stages
//! later all are below 3, four stages later below 4. Inverse, all are brought below 1/2, and three sums later they are below 4.

use super::Fma;
use super::vector::*;
use crate::ring::modulus::{Factor, Modulus};
use crate::ring::passes::{pass_factors, stages, unrolled};
use crate::ring::transform::reverse_bits;
use std::arch::x86_64::*;

/// log2 of the words whose stages are done in registers.
const LAST: u32 = 4;

/// Tables for one prime and degree.
pub(in crate::ring) struct Tables {
    log_n: u32,
    modulus: Modulus,
    /// `w[k]` for `k < n/16`.
    coarse: Vec<f64>,
    /// For each block of 16.
    last: Vec<LastFactors>,
    /// `psi^(n/2)`.
    root: f64,
    _fma: Fma,
}

/// The factors of the last four stages of a block.
struct LastFactors {
    /// At distance 8, 4 and 4; then one unused.
    between: [f64; 4],
    /// At distance 2, of each group of four.
    two: [f64; 4],
    /// At distance 1, the first of each group of four.
    one: [f64; 4],
}

impl Tables {
    /// Tables for a primitive `2n`-th root of unity `psi`.
    pub(in crate::ring) fn new(fma: Fma, log_n: u32, modulus: Modulus, psi: u64) -> Self {
        let (n, m) = (1usize << log_n, modulus);
        let mut powers = vec![1; n];
        for i in 1..n {
            powers[i] = m.mul(powers[i - 1], psi);
        }
        let w = |k: usize| centred(&m, powers[reverse_bits(k, log_n)]);
        let last = |block: usize| {
            let stage = |m: usize, i: usize| w(m * (n / 16 + block) + i);
            LastFactors {
                between: [(1, 0), (2, 0), (2, 1), (1, 0)].map(|(m, i)| stage(m, i)),
                two: std::array::from_fn(|group| stage(4, group)),
                one: std::array::from_fn(|group| stage(8, 2 * group)),
            }
        };
        Self {
            log_n,
            modulus,
            coarse: (0..n >> LAST).map(w).collect(),
            last: (0..n >> LAST).map(last).collect(),
            root: centred(&m, powers[n / 2]),
            _fma: fma,
        }
    }

    /// Bytes for degree `2^log_n`.
    pub(in crate::ring) fn bytes(log_n: u32) -> usize {
        (size_of::<f64>() + size_of::<LastFactors>()) << (log_n - LAST)
    }

    /// Coefficients below `4p` to values in `[0, p)`, in place.
    pub(in crate::ring) fn forward(&self, words: &mut [u64]) {
        assert_eq!(
            words.len(),
            1 << self.log_n,
            "a transform of another degree"
        );
        // SAFETY: `_fma` is proof of the processor features.
        unsafe { forward(self, groups_mut(words), self.log_n, 1) }
    }

    /// Values below `2p` to coefficients times `n` times a factor, in `[0, p)`.
    pub(in crate::ring) fn inverse_scaled(&self, out: &mut [u64], values: &[u64], factor: Factor) {
        let lengths = (out.len(), values.len());
        assert_eq!(
            lengths,
            (1 << self.log_n, 1 << self.log_n),
            "a transform of another degree"
        );
        let scale = centred(&self.modulus, factor.value());
        // SAFETY: `_fma` is proof of the processor features.
        unsafe {
            inverse(
                self,
                groups_mut(out),
                groups(values),
                self.log_n,
                1,
                Some(scale),
            )
        }
    }
}

/// Groups of four in a block of `2^log` words.
fn length(log: u32) -> usize {
    1 << (log - 2)
}

/// The first block of 16 of a block of `2^LAST` words times a power of two, by its number as if it were the only one of its stage.
fn first_last(tables: &Tables, at: usize) -> usize {
    at - (1 << (tables.log_n - LAST))
}

/// Transforms block `at - m` of stage `m <= at`.
#[target_feature(enable = "avx2,fma")]
fn forward(tables: &Tables, block: &mut [Words], log: u32, at: usize) {
    let done = stages(log, LAST);
    match done {
        1 => forward_pass::<2>(tables, block, at),
        2 => forward_pass::<4>(tables, block, at),
        _ => forward_pass::<8>(tables, block, at),
    }
    if log - done == LAST {
        return forward_last(tables, block, first_last(tables, at << done));
    }
    for (i, part) in block.chunks_exact_mut(length(log - done)).enumerate() {
        forward(tables, part, log - done, (at << done) + i);
    }
}

/// The inverse of [`forward`], from one block to another; `scale` for the last pass.
#[target_feature(enable = "avx2,fma")]
fn inverse(
    tables: &Tables,
    block: &mut [Words],
    values: &[Words],
    log: u32,
    at: usize,
    scale: Option<f64>,
) {
    let done = stages(log, LAST);
    if log - done == LAST {
        inverse_first(tables, block, values, first_last(tables, at << done));
    } else {
        let length = length(log - done);
        let parts = block
            .chunks_exact_mut(length)
            .zip(values.chunks_exact(length));
        for (i, (part, values)) in parts.enumerate() {
            inverse(tables, part, values, log - done, (at << done) + i, None);
        }
    }
    match done {
        1 => inverse_pass::<2>(tables, block, at, scale),
        2 => inverse_pass::<4>(tables, block, at, scale),
        _ => inverse_pass::<8>(tables, block, at, scale),
    }
}

/// A block as `PARTS` parts of equal length, read and written at the same place in each.
struct Columns<'a, const PARTS: usize> {
    block: &'a mut [Words],
    length: usize,
}

impl<'a, const PARTS: usize> Columns<'a, PARTS> {
    fn new(block: &'a mut [Words]) -> Self {
        let length = block.len() / PARTS;
        Self { block, length }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(&self, i: usize) -> [__m256i; PARTS] {
        debug_assert!(i < self.length, "a column out of range");
        let mut x = [_mm256_setzero_si256(); PARTS];
        for (k, x) in x.iter_mut().enumerate() {
            // SAFETY: i < length and k < PARTS, so that i + k length < PARTS length <= block.len().
            *x = load(unsafe { self.block.get_unchecked(i + k * self.length) });
        }
        x
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn store(&mut self, i: usize, x: [__m256i; PARTS]) {
        debug_assert!(i < self.length, "a column out of range");
        for (k, x) in x.into_iter().enumerate() {
            // SAFETY: as in `load`.
            store(
                unsafe { self.block.get_unchecked_mut(i + k * self.length) },
                x,
            );
        }
    }
}

/// The first operand of a butterfly plus and minus the product of the second.
#[inline]
#[target_feature(enable = "avx2")]
fn butterfly(u: Vector, product: Vector) -> (Vector, Vector) {
    (_mm256_add_pd(u, product), _mm256_sub_pd(u, product))
}

/// The sum of two operands, and the second minus the first.
#[inline]
#[target_feature(enable = "avx2")]
fn backward(u: Vector, v: Vector) -> (Vector, Vector) {
    (_mm256_add_pd(u, v), _mm256_sub_pd(v, u))
}

/// Combines `x[k]` and `x[k + DISTANCE]` of every `2 DISTANCE`; `w` holds the factor of stage `m`, block `i`, at `m + i`.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn forward_stage<const PARTS: usize, const DISTANCE: usize>(
    p: &Prime,
    x: &mut [Vector; PARTS],
    w: &[f64; PARTS],
) {
    unrolled!(J => {
        if DISTANCE < PARTS && J < PARTS / 2 {
            let k = J / DISTANCE * 2 * DISTANCE + J % DISTANCE;
            let product = p.product(x[k + DISTANCE], splat(w[(PARTS + k) / 2 / DISTANCE]));
            (x[k], x[k + DISTANCE]) = butterfly(x[k], product);
        }
    });
}

/// The inverse of [`forward_stage`].
#[inline]
#[target_feature(enable = "avx2,fma")]
fn inverse_stage<const PARTS: usize, const DISTANCE: usize>(
    p: &Prime,
    x: &mut [Vector; PARTS],
    w: &[f64; PARTS],
) {
    unrolled!(J => {
        if DISTANCE < PARTS && J < PARTS / 2 {
            let k = J / DISTANCE * 2 * DISTANCE + J % DISTANCE;
            let (sum, difference) = backward(x[k], x[k + DISTANCE]);
            let product = p.product(difference, splat(w[(PARTS + k) / 2 / DISTANCE]));
            (x[k], x[k + DISTANCE]) = (sum, product);
        }
    });
}

/// `log2 PARTS` stages of block `at`; the first pass finds integers.
#[target_feature(enable = "avx2,fma")]
fn forward_pass<const PARTS: usize>(tables: &Tables, block: &mut [Words], at: usize) {
    let p = prime(&tables.modulus);
    let w = pass_factors::<PARTS, _>(|k| tables.coarse[k], at);
    let mut columns = Columns::<PARTS>::new(block);
    let integers = at == 1;
    for i in 0..columns.length {
        let bits = columns.load(i);
        let mut x = [_mm256_setzero_pd(); PARTS];
        for (x, bits) in x.iter_mut().zip(bits) {
            *x = match integers {
                true => doubles(bits),
                false => _mm256_castsi256_pd(bits),
            };
        }
        for x in x.iter_mut().take(PARTS / 2) {
            *x = p.reduce(*x);
        }
        forward_stage::<PARTS, 4>(&p, &mut x, &w);
        forward_stage::<PARTS, 2>(&p, &mut x, &w);
        forward_stage::<PARTS, 1>(&p, &mut x, &w);
        let mut bits = [_mm256_setzero_si256(); PARTS];
        for (bits, x) in bits.iter_mut().zip(x) {
            *bits = _mm256_castpd_si256(x);
        }
        columns.store(i, bits);
    }
}

/// The inverse of [`forward_pass`]; with a scale, the result is integers in `[0, p)`.
#[target_feature(enable = "avx2,fma")]
fn inverse_pass<const PARTS: usize>(
    tables: &Tables,
    block: &mut [Words],
    at: usize,
    scale: Option<f64>,
) {
    let p = prime(&tables.modulus);
    // Stage m has the indices m to 2m - 1.
    let mirrored = |k: usize| tables.coarse[(3 << k.ilog2()) - 1 - k];
    let w = pass_factors::<PARTS, _>(mirrored, at);
    let mut columns = Columns::<PARTS>::new(block);
    for i in 0..columns.length {
        let bits = columns.load(i);
        let mut x = [_mm256_setzero_pd(); PARTS];
        for (x, bits) in x.iter_mut().zip(bits) {
            *x = p.reduce(_mm256_castsi256_pd(bits));
        }
        inverse_stage::<PARTS, 1>(&p, &mut x, &w);
        inverse_stage::<PARTS, 2>(&p, &mut x, &w);
        inverse_stage::<PARTS, 4>(&p, &mut x, &w);
        let mut bits = [_mm256_setzero_si256(); PARTS];
        for (bits, x) in bits.iter_mut().zip(x) {
            *bits = match scale {
                Some(scale) => p.residues(p.product(x, splat(scale))),
                None => _mm256_castpd_si256(x),
            };
        }
        columns.store(i, bits);
    }
}

/// The last four stages, of blocks of 16 from the `first` on.
#[target_feature(enable = "avx2,fma")]
fn forward_last(tables: &Tables, blocks: &mut [Words], first: usize) {
    let (p, root) = (prime(&tables.modulus), splat(tables.root));
    let factors = tables.last.get(first..).unwrap_or_default();
    for (block, w) in blocks.as_chunks_mut::<4>().0.iter_mut().zip(factors) {
        let [a, b, c, d] = &*block;
        let [a, b, c, d] = [f64s(a), f64s(b), f64s(c), f64s(d)];
        let eight = splat(w.between[0]);
        let (a, c) = butterfly(p.reduce(a), p.product(c, eight));
        let (b, d) = butterfly(p.reduce(b), p.product(d, eight));
        let (a, b) = butterfly(a, p.product(b, splat(w.between[1])));
        let (c, d) = butterfly(c, p.product(d, splat(w.between[2])));
        let [a, b, c, d] = transpose([a, b, c, d]);
        let (two, one) = (load_doubles(&w.two), load_doubles(&w.one));
        let (a, c) = butterfly(a, p.product(c, two));
        let (b, d) = butterfly(b, p.product(d, two));
        let (a, b) = butterfly(a, p.product(b, one));
        let (c, d) = butterfly(c, p.product(p.product(d, one), root));
        let [a, b, c, d] = transpose([a, b, c, d]);
        for (block, x) in block.iter_mut().zip([a, b, c, d]) {
            store(block, p.residues(x));
        }
    }
}

/// The inverse of [`forward_last`], of integers.
#[target_feature(enable = "avx2,fma")]
fn inverse_first(tables: &Tables, out: &mut [Words], values: &[Words], first: usize) {
    let (p, root) = (prime(&tables.modulus), splat(tables.root));
    let end = tables.last.len() - first;
    let factors = tables.last.get(..end).unwrap_or_default().iter().rev();
    let blocks = out.as_chunks_mut::<4>().0.iter_mut();
    for ((out, values), w) in blocks.zip(values.as_chunks::<4>().0).zip(factors) {
        let mut x = [_mm256_setzero_pd(); 4];
        for (x, values) in x.iter_mut().zip(values) {
            *x = p.reduce(doubles(load(values)));
        }
        let [a, b, c, d] = transpose(x);
        let (two, one) = (
            reversed(load_doubles(&w.two)),
            reversed(load_doubles(&w.one)),
        );
        let (a, b) = backward(a, b);
        let (c, d) = backward(c, d);
        let (b, d) = (p.product(p.product(b, one), root), p.product(d, one));
        let (a, c) = backward(a, c);
        let (b, d) = backward(b, d);
        let (c, d) = (p.product(c, two), p.product(d, two));
        let mut x = transpose([a, b, c, d]);
        for x in &mut x {
            *x = p.reduce(*x);
        }
        let [a, b, c, d] = x;
        let (a, b) = backward(a, b);
        let (c, d) = backward(c, d);
        let b = p.product(b, splat(w.between[2]));
        let d = p.product(d, splat(w.between[1]));
        let eight = splat(w.between[0]);
        let (a, c) = backward(a, c);
        let (b, d) = backward(b, d);
        let (c, d) = (p.product(c, eight), p.product(d, eight));
        for (out, x) in out.iter_mut().zip([a, b, c, d]) {
            store(out, _mm256_castpd_si256(x));
        }
    }
}

/// Reads four doubles that were stored as their bits.
#[inline]
#[target_feature(enable = "avx2")]
fn f64s(a: &Words) -> Vector {
    _mm256_castsi256_pd(load(a))
}
