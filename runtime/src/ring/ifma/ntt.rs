//! Transforms with small tables.
//!
//! Order and root of unity are those of the `transform` module; with `w[k] = psi^rev(k)`, stage `m = 1, 2, .., n/2` of the
//! forward transform combines element `j` and `j + n/2m` of its block `i < m` with the factor `w[m + i]`; the inverse goes
//! backwards. Because `w[m + i] w[2m - 1 - i] = -1`, both read one table, from opposite ends.
//!
//! The time goes into memory more than into arithmetic, so tables are small and passes few:
//! - All but the last six stages are done in passes of up to three (four are slower: 16 streams do not fit the associativity of
//!   the first-level cache), depth first, so that a block stays in that cache as soon as it fits. Their `n/64` factors are stored with quotients: 16 bytes each.
//! - The last six stages take a block of 64 words in registers: three between vectors, a transposition, three between lanes.
//!   Of their `63/64 n` factors only every eighth is stored; since `w[2k]^2 = w[k]`, `w[2k + 1] = w[2k] psi^(n/2)`, the others
//!   are computed. Two cache lines for each 64 words.
//!
//! At `n = 2^16` this is 144 KiB for each prime.
//!
//! Ranges: forward, values stay in `[0, 4p)`: the first operand of a butterfly is brought into `[0, 2p)`, the product is in
//! `(0, 2p)`. Inverse, they stay in `[0, 2p)`.

use super::Ifma;
use super::vector::*;
use crate::ring::modulus::{Factor, Modulus};
use crate::ring::passes::{pass_factors, stages, unrolled};
use crate::ring::transform::reverse_bits;
use std::arch::x86_64::*;

/// Tables for one prime and degree.
pub(in crate::ring) struct Tables {
    log_n: u32,
    modulus: Modulus,
    /// `w[k]` for `k < n/64`.
    coarse: Vec<Factor52>,
    /// For each block of 64: `w` of the stages at distance 32, 16, 16, 8, 8, 8, 8; then a word unused.
    middle: Vec<Words>,
    /// For each block of 64: `w` of the first butterfly of each group of 8 at distance 1.
    fine: Vec<Words>,
    /// `psi^(n/2)`, `psi^(n/4)`, `psi^(3n/4)`.
    roots: [Factor52; 3],
    _ifma: Ifma,
}

impl Tables {
    /// Tables for a primitive `2n`-th root of unity `psi`.
    pub(in crate::ring) fn new(ifma: Ifma, log_n: u32, modulus: Modulus, psi: u64) -> Self {
        let (n, m) = (1usize << log_n, modulus);
        let mut powers = vec![m.montgomery(1); n];
        for i in 1..n {
            powers[i] = m.mul(powers[i - 1], psi);
        }
        let w = |k: usize| powers[reverse_bits(k, log_n)];
        let middle = |block: usize| {
            let stage = |m: usize, i: usize| w(m * (n / 64 + block) + i);
            [
                (1, 0),
                (2, 0),
                (2, 1),
                (4, 0),
                (4, 1),
                (4, 2),
                (4, 3),
                (1, 0),
            ]
            .map(|(m, i)| stage(m, i))
        };
        let fine = |block: usize| std::array::from_fn(|lane| w(n / 2 + 4 * (8 * block + lane)));
        Self {
            log_n,
            modulus,
            coarse: (0..n / 64).map(|k| with_quotient(&m, w(k))).collect(),
            middle: (0..n / 64).map(middle).collect(),
            fine: (0..n / 64).map(fine).collect(),
            roots: [n / 2, n / 4, 3 * n / 4].map(|e| with_quotient(&m, powers[e])),
            _ifma: ifma,
        }
    }

    /// Bytes for degree `2^log_n`.
    pub(in crate::ring) fn bytes(log_n: u32) -> usize {
        (size_of::<Factor52>() + 2 * size_of::<Words>()) << (log_n - 6)
    }

    /// Coefficients below `4p` to values in `[0, p)`, in place.
    pub(in crate::ring) fn forward(&self, words: &mut [u64]) {
        assert_eq!(
            words.len(),
            1 << self.log_n,
            "a transform of another degree"
        );
        // SAFETY: `_ifma` is proof of the processor features.
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
        let scale = super::vector::factor(&self.modulus, factor.value());
        // SAFETY: `_ifma` is proof of the processor features.
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

/// Transforms block `at - m` of stage `m <= at`.
#[target_feature(enable = "avx512f,avx512ifma,avx512dq")]
fn forward(tables: &Tables, block: &mut [Words], log: u32, at: usize) {
    let done = stages(log, 6);
    match done {
        1 => forward_pass::<2>(tables, block, at),
        2 => forward_pass::<4>(tables, block, at),
        _ => forward_pass::<8>(tables, block, at),
    }
    if log - done == 6 {
        return forward_last(tables, block, (at << done) - (1 << (tables.log_n - 6)));
    }
    for (i, part) in block.chunks_exact_mut(1 << (log - 3 - done)).enumerate() {
        forward(tables, part, log - done, (at << done) + i);
    }
}

/// The inverse of [`forward`], from one block to another; `scale` for the last pass.
#[target_feature(enable = "avx512f,avx512ifma,avx512dq")]
fn inverse(
    tables: &Tables,
    block: &mut [Words],
    values: &[Words],
    log: u32,
    at: usize,
    scale: Option<Factor52>,
) {
    let done = stages(log, 6);
    if log - done == 6 {
        inverse_first(
            tables,
            block,
            values,
            (at << done) - (1 << (tables.log_n - 6)),
        );
    } else {
        let length = 1 << (log - 3 - done);
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
    #[target_feature(enable = "avx512f")]
    fn load(&self, i: usize) -> [Vector; PARTS] {
        debug_assert!(i < self.length, "a column out of range");
        let mut x = [_mm512_setzero_si512(); PARTS];
        for (k, x) in x.iter_mut().enumerate() {
            // SAFETY: i < length and k < PARTS, so that i + k length < PARTS length <= block.len().
            *x = load(unsafe { self.block.get_unchecked(i + k * self.length) });
        }
        x
    }

    /// Prefetches what is read and written later.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn prefetch_write(&self, i: usize) {
        if i < self.length {
            for k in 0..PARTS {
                prefetch_write(self.block, i + k * self.length);
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn store(&mut self, i: usize, x: [Vector; PARTS]) {
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
#[target_feature(enable = "avx512f,avx512ifma")]
fn butterfly(p: &Prime, u: Vector, product: Vector) -> (Vector, Vector) {
    let u = subtract_once(u, p.two);
    (
        _mm512_add_epi64(u, product),
        _mm512_sub_epi64(_mm512_add_epi64(u, p.two), product),
    )
}

/// The sum of two operands, and the second minus the first, in `(0, 4p)`.
#[inline]
#[target_feature(enable = "avx512f")]
fn backward(p: &Prime, u: Vector, v: Vector) -> (Vector, Vector) {
    let sum = subtract_once(_mm512_add_epi64(u, v), p.two);
    (sum, _mm512_sub_epi64(_mm512_add_epi64(v, p.two), u))
}

/// Combines `x[k]` and `x[k + DISTANCE]` of every `2 DISTANCE`; `w` holds the factor of stage `m`, block `i`, at `m + i`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn forward_stage<const PARTS: usize, const DISTANCE: usize>(
    p: &Prime,
    x: &mut [Vector; PARTS],
    w: &[Factor52; PARTS],
) {
    unrolled!(J => {
        if DISTANCE < PARTS && J < PARTS / 2 {
            let k = J / DISTANCE * 2 * DISTANCE + J % DISTANCE;
            let w = known(w[(PARTS + k) / 2 / DISTANCE]);
            let product = p.product_known(x[k + DISTANCE], w);
            (x[k], x[k + DISTANCE]) = butterfly(p, x[k], product);
        }
    });
}

/// The inverse of [`forward_stage`].
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn inverse_stage<const PARTS: usize, const DISTANCE: usize>(
    p: &Prime,
    x: &mut [Vector; PARTS],
    w: &[Factor52; PARTS],
) {
    unrolled!(J => {
        if DISTANCE < PARTS && J < PARTS / 2 {
            let k = J / DISTANCE * 2 * DISTANCE + J % DISTANCE;
            let (sum, difference) = backward(p, x[k], x[k + DISTANCE]);
            let w = known(w[(PARTS + k) / 2 / DISTANCE]);
            (x[k], x[k + DISTANCE]) = (sum, p.product_known(difference, w));
        }
    });
}

/// `log2 PARTS` stages of block `at`.
#[target_feature(enable = "avx512f,avx512ifma,avx512dq")]
fn forward_pass<const PARTS: usize>(tables: &Tables, block: &mut [Words], at: usize) {
    let p = prime(&tables.modulus);
    let w = pass_factors::<PARTS, _>(|k| tables.coarse[k], at);
    let mut columns = Columns::<PARTS>::new(block);
    // The first pass meets words that have left the caches.
    let cold = at == 1;
    for i in 0..columns.length {
        if cold {
            columns.prefetch_write(i + AHEAD);
        }
        let mut x = columns.load(i);
        forward_stage::<PARTS, 4>(&p, &mut x, &w);
        forward_stage::<PARTS, 2>(&p, &mut x, &w);
        forward_stage::<PARTS, 1>(&p, &mut x, &w);
        columns.store(i, x);
    }
}

/// The inverse of [`forward_pass`]; with a scale, the result is in `[0, p)`.
#[target_feature(enable = "avx512f,avx512ifma,avx512dq")]
fn inverse_pass<const PARTS: usize>(
    tables: &Tables,
    block: &mut [Words],
    at: usize,
    scale: Option<Factor52>,
) {
    let p = prime(&tables.modulus);
    // Stage m has the indices m to 2m - 1.
    let mirrored = |k: usize| tables.coarse[(3 << k.ilog2()) - 1 - k];
    let w = pass_factors::<PARTS, _>(mirrored, at);
    let mut columns = Columns::<PARTS>::new(block);
    for i in 0..columns.length {
        let mut x = columns.load(i);
        inverse_stage::<PARTS, 1>(&p, &mut x, &w);
        inverse_stage::<PARTS, 2>(&p, &mut x, &w);
        inverse_stage::<PARTS, 4>(&p, &mut x, &w);
        if let Some(scale) = scale {
            let scale = known(scale);
            for x in &mut x {
                *x = p.product_known_reduced(*x, scale);
            }
        }
        columns.store(i, x);
    }
}

/// The factors at distance 4, 2 and 1 of eight groups of eight, one group in each lane.
struct LaneFactors {
    four: Known,
    two: [Known; 2],
    one: Known,
    /// What `one` is multiplied by for the second, third and fourth butterfly at distance 1.
    roots: [Known; 3],
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn lane_factors(tables: &Tables, p: &Prime, one: Vector) -> LaneFactors {
    let [i, z, iz] = tables.roots;
    let roots = [known(i), known(z), known(iz)];
    let one = p.prepared(one);
    let two = p.prepared(p.product_known_reduced(one.value, one));
    let four = p.prepared(p.product_known_reduced(two.value, two));
    let other = p.prepared(p.product_known_reduced(two.value, roots[0]));
    LaneFactors {
        four,
        two: [two, other],
        one,
        roots,
    }
}

/// The last six stages, of blocks of 64 from the `first` on.
#[target_feature(enable = "avx512f,avx512ifma,avx512dq")]
fn forward_last(tables: &Tables, blocks: &mut [Words], first: usize) {
    let p = prime(&tables.modulus);
    for (at, block) in (first..).zip(blocks.as_chunks_mut().0) {
        let w = &tables.middle[at];
        let mut x = load_all(block);
        let w0 = p.prepared(splat(w[0]));
        for k in 0..4 {
            (x[k], x[k + 4]) = butterfly(&p, x[k], p.product_known(x[k + 4], w0));
        }
        for (k, w) in [(0, w[1]), (4, w[2])] {
            let w = p.prepared(splat(w));
            for k in [k, k + 1] {
                (x[k], x[k + 2]) = butterfly(&p, x[k], p.product_known(x[k + 2], w));
            }
        }
        for (k, w) in [(0, w[3]), (2, w[4]), (4, w[5]), (6, w[6])] {
            (x[k], x[k + 1]) = butterfly(&p, x[k], p.product(x[k + 1], splat(w)));
        }
        let mut x = transpose(x);
        let lanes = lane_factors(tables, &p, load(&tables.fine[at]));
        for k in 0..4 {
            (x[k], x[k + 4]) = butterfly(&p, x[k], p.product_known(x[k + 4], lanes.four));
        }
        for (k, w) in [(0, lanes.two[0]), (4, lanes.two[1])] {
            for k in [k, k + 1] {
                (x[k], x[k + 2]) = butterfly(&p, x[k], p.product_known(x[k + 2], w));
            }
        }
        for k in [0, 2, 4, 6] {
            let mut product = p.product_known(x[k + 1], lanes.one);
            if k > 0 {
                product = p.product_known(product, lanes.roots[k / 2 - 1]);
            }
            (x[k], x[k + 1]) = butterfly(&p, x[k], product);
        }
        for x in &mut x {
            *x = p.reduce_four(*x);
        }
        store_all(block, transpose(x));
    }
}

/// The inverse of [`forward_last`].
#[target_feature(enable = "avx512f,avx512ifma,avx512dq")]
fn inverse_first(tables: &Tables, out: &mut [Words], values: &[Words], first: usize) {
    let p = prime(&tables.modulus);
    let reverse = _mm512_set_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    for (i, values) in values.as_chunks::<8>().0.iter().enumerate() {
        for k in 0..8 {
            prefetch_write(out, 8 * i + AHEAD + k);
        }
        let at = first + i;
        let mirror = tables.middle.len() - 1 - at;
        let w = &tables.middle[mirror];
        let mut x = transpose(load_all(values));
        let one = _mm512_permutexvar_epi64(reverse, load(&tables.fine[mirror]));
        let lanes = lane_factors(tables, &p, one);
        for k in [0, 2, 4, 6] {
            let (sum, difference) = backward(&p, x[k], x[k + 1]);
            let mut product = p.product_known(difference, lanes.one);
            if k < 6 {
                product = p.product_known(product, lanes.roots[2 - k / 2]);
            }
            (x[k], x[k + 1]) = (sum, product);
        }
        for (k, w) in [(0, lanes.two[1]), (4, lanes.two[0])] {
            for k in [k, k + 1] {
                let (sum, difference) = backward(&p, x[k], x[k + 2]);
                (x[k], x[k + 2]) = (sum, p.product_known(difference, w));
            }
        }
        for k in 0..4 {
            let (sum, difference) = backward(&p, x[k], x[k + 4]);
            (x[k], x[k + 4]) = (sum, p.product_known(difference, lanes.four));
        }
        let mut x = transpose(x);
        for (k, w) in [(0, w[6]), (2, w[5]), (4, w[4]), (6, w[3])] {
            let (sum, difference) = backward(&p, x[k], x[k + 1]);
            (x[k], x[k + 1]) = (sum, p.product(difference, splat(w)));
        }
        for (k, w) in [(0, w[2]), (4, w[1])] {
            let w = p.prepared(splat(w));
            for k in [k, k + 1] {
                let (sum, difference) = backward(&p, x[k], x[k + 2]);
                (x[k], x[k + 2]) = (sum, p.product_known(difference, w));
            }
        }
        let w0 = p.prepared(splat(w[0]));
        for k in 0..4 {
            let (sum, difference) = backward(&p, x[k], x[k + 4]);
            (x[k], x[k + 4]) = (sum, p.product_known(difference, w0));
        }
        if let Some(block) = out.as_chunks_mut().0.get_mut(i) {
            store_all(block, x);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_all(block: &[Words; 8]) -> [Vector; 8] {
    let [a, b, c, d, e, f, g, h] = block;
    [
        load(a),
        load(b),
        load(c),
        load(d),
        load(e),
        load(f),
        load(g),
        load(h),
    ]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_all(block: &mut [Words; 8], x: [Vector; 8]) {
    for (block, x) in block.iter_mut().zip(x) {
        store(block, x);
    }
}

/// Even and odd quarters of two vectors.
#[inline]
#[target_feature(enable = "avx512f")]
fn quarters(x: Vector, y: Vector) -> (Vector, Vector) {
    (
        _mm512_shuffle_i64x2::<0x88>(x, y),
        _mm512_shuffle_i64x2::<0xdd>(x, y),
    )
}

/// Rows to columns.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(x: [Vector; 8]) -> [Vector; 8] {
    let [a, b, c, d, e, f, g, h] = x;
    // Pairs of lanes, ..
    let (ab0, ab1) = (_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    let (cd0, cd1) = (_mm512_unpacklo_epi64(c, d), _mm512_unpackhi_epi64(c, d));
    let (ef0, ef1) = (_mm512_unpacklo_epi64(e, f), _mm512_unpackhi_epi64(e, f));
    let (gh0, gh1) = (_mm512_unpacklo_epi64(g, h), _mm512_unpackhi_epi64(g, h));
    // .. then quarters: columns 0 and 4 of a to d, and so on.
    let (abcd0, abcd2) = quarters(ab0, cd0);
    let (abcd1, abcd3) = quarters(ab1, cd1);
    let (efgh0, efgh2) = quarters(ef0, gh0);
    let (efgh1, efgh3) = quarters(ef1, gh1);
    let (c0, c4) = quarters(abcd0, efgh0);
    let (c2, c6) = quarters(abcd2, efgh2);
    let (c1, c5) = quarters(abcd1, efgh1);
    let (c3, c7) = quarters(abcd3, efgh3);
    [c0, c1, c2, c3, c4, c5, c6, c7]
}
