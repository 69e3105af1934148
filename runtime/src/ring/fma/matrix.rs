//! Products of a matrix, a few results at a time in registers: what is multiplied is read and converted once for them, and what
//! multiplies it is a number in all lanes.

use super::Fma;
use super::elementwise::{Reduction, Sums, TERMS};
use super::vector::*;
use crate::ring::few::{Few, each_few};
use crate::ring::modulus::Modulus;
use crate::ring::portable::Matrix;
use std::arch::x86_64::*;

/// Results at a time: two registers for each, of sixteen.
const ROWS: usize = 4;

impl Fma {
    /// See `portable::matrix`.
    pub(in crate::ring) fn matrix(self, out: &mut [&mut [u64]], of: &Matrix<'_>, m: &Modulus) {
        each_few(
            out,
            of,
            |w| w as f64,
            |out, few| {
                // SAFETY: the token proves the processor features.
                unsafe {
                    match out.len() {
                        1 => rows_of::<1>(out, &few, m),
                        2 => rows_of::<2>(out, &few, m),
                        3 => rows_of::<3>(out, &few, m),
                        _ => rows_of::<4>(out, &few, m),
                    }
                }
            },
        );
    }
}

/// A few results, the accumulators in registers.
#[target_feature(enable = "avx2,fma")]
fn rows_of<const R: usize>(out: &mut [&mut [u64]], of: &Few<'_, f64, ROWS, TERMS>, m: &Modulus) {
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
