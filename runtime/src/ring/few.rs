//! Matrices cut into what vector kernels hold in registers: a few results at a time, of some terms at a time.

use super::portable::Matrix;
use std::ops::Range;

/// Words of up to `TERMS` limbs with their factors for up to `ROWS` results.
#[derive(Clone)]
pub(super) struct Few<'a, F, const ROWS: usize, const TERMS: usize> {
    /// The limbs.
    pub(super) x: &'a [&'a [u64]],
    /// The factors of each limb; those beyond the results are 0.
    pub(super) w: [[F; ROWS]; TERMS],
    /// The words to compute.
    pub(super) block: Range<usize>,
    /// Whether there is something in the results to add to.
    pub(super) add: bool,
}

/// Calls `f` with all results of a matrix, at most `ROWS` at a time, first for the first `TERMS` terms, then for the next to be
/// added. `factor` makes factors what the kernel multiplies by.
pub(super) fn each_few<F: Copy + Default, const ROWS: usize, const TERMS: usize>(
    out: &mut [&mut [u64]],
    of: &Matrix<'_>,
    factor: impl Fn(u64) -> F,
    mut f: impl FnMut(&mut [&mut [u64]], Few<'_, F, ROWS, TERMS>),
) {
    let rows = out.len().max(1);
    let terms = of.x.chunks(TERMS).zip(of.w.chunks(TERMS * rows));
    for (part, (x, w)) in terms.enumerate() {
        for (at, out) in out.chunks_mut(ROWS).enumerate() {
            let mut factors = [[F::default(); ROWS]; TERMS];
            for (to, from) in factors.iter_mut().zip(w.chunks(rows)) {
                for (to, &from) in to.iter_mut().zip(from.iter().skip(ROWS * at)) {
                    *to = factor(from);
                }
            }
            let few = Few {
                x,
                w: factors,
                block: of.block.clone(),
                add: part > 0,
            };
            f(out, few);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_factor_comes_once_with_its_limb_and_result() {
        for (terms, rows) in [(1, 1), (5, 3), (6, 4), (13, 9)] {
            let limbs: Vec<Vec<u64>> = (0..terms).map(|i| vec![10 + i; 8]).collect();
            let x: Vec<&[u64]> = limbs.iter().map(Vec::as_slice).collect();
            let w: Vec<u64> = (1..=terms * rows).collect();
            let of = Matrix {
                x: &x,
                w: &w,
                block: 2..6,
            };
            let mut out = vec![vec![0; 8]; rows as usize];
            let mut out: Vec<&mut [u64]> = out.iter_mut().map(Vec::as_mut_slice).collect();
            each_few::<u64, 4, 6>(
                &mut out,
                &of,
                |w| w,
                |out, few| {
                    for (row, out) in out.iter_mut().enumerate() {
                        let sum = few.x.iter().zip(&few.w).map(|(x, w)| x[2] * w[row]);
                        let before = if few.add { out[2] } else { 0 };
                        out[few.block.start] = before + sum.sum::<u64>();
                    }
                },
            );
            for (row, out) in (0..rows).zip(&out) {
                let expected: u64 = (0..terms).map(|i| (10 + i) * (i * rows + row + 1)).sum();
                assert_eq!(out[2], expected, "{terms} terms, result {row} of {rows}");
            }
        }
    }
}
