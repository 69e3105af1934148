//! Products of a matrix, a few results at a time in registers: what is multiplied is read and converted once for them, and what
//! multiplies it is a number in all lanes.

use super::Fma;
use super::elementwise::{Reduction, Sums, TERMS};
use super::vector::*;
use crate::ring::modulus::Modulus;
use crate::ring::portable::Matrix;
use std::arch::x86_64::*;
use std::ops::Range;

/// Results at a time: two registers for each, of sixteen.
const ROWS: usize = 4;

/// Words of up to [`TERMS`] limbs with their factors for up to [`ROWS`] results.
struct Few<'a> {
    x: &'a [&'a [u64]],
    /// The factors of each limb.
    w: [[f64; ROWS]; TERMS],
    block: Range<usize>,
    /// Whether there is something in the results to add to.
    add: bool,
}

impl Fma {
    /// See `portable::matrix`.
    pub(in crate::ring) fn matrix(self, out: &mut [&mut [u64]], of: &Matrix<'_>, m: &Modulus) {
        let rows = out.len();
        let terms = of.x.chunks(TERMS).zip(of.w.chunks(TERMS * rows));
        for (part, (x, w)) in terms.enumerate() {
            for (at, out) in out.chunks_mut(ROWS).enumerate() {
                let mut few = Few {
                    x,
                    w: [[0.0; ROWS]; TERMS],
                    block: of.block.clone(),
                    add: part > 0,
                };
                for (to, from) in few.w.iter_mut().zip(w.chunks(rows)) {
                    for (to, &from) in to.iter_mut().zip(&from[ROWS * at..]) {
                        *to = from as f64;
                    }
                }
                // SAFETY: the token proves the processor features.
                unsafe {
                    match out.len() {
                        1 => rows_of::<1>(out, &few, m),
                        2 => rows_of::<2>(out, &few, m),
                        3 => rows_of::<3>(out, &few, m),
                        _ => rows_of::<4>(out, &few, m),
                    }
                }
            }
        }
    }
}

/// A few results, the accumulators in registers.
#[target_feature(enable = "avx2,fma")]
fn rows_of<const R: usize>(out: &mut [&mut [u64]], of: &Few<'_>, m: &Modulus) {
    let Some(out) = out.first_chunk_mut::<R>() else {
        return;
    };
    let reduction = Reduction::new(m, of.x.len());
    let p = splat_word(m.value());
    let mut x: [&[Words]; TERMS] = [&[]; TERMS];
    for (x, of_limb) in x.iter_mut().zip(of.x) {
        *x = groups(&of_limb[of.block.clone()]);
    }
    let x = &x[..of.x.len()];
    let mut out = out
        .each_mut()
        .map(|out| groups_mut(&mut out[of.block.clone()]));
    for i in 0..of.block.len() / 4 {
        let mut sums = [Sums::zero(); R];
        for (x, w) in x.iter().zip(&of.w) {
            let x = doubles(load(&x[i]));
            for (sums, &w) in sums.iter_mut().zip(w) {
                sums.add(x, splat(w));
            }
        }
        for (out, sums) in out.iter_mut().zip(sums) {
            let mut sum = words(reduction.prime.positive(reduction.reduce(sums)));
            if of.add {
                sum = subtract_once(_mm256_add_epi64(sum, load(&out[i])), p);
            }
            store(&mut out[i], sum);
        }
    }
}
