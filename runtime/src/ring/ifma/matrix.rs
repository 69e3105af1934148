//! Products of a matrix, eight results at a time in registers: what is multiplied is read once for them, and what multiplies it is a
//! number in all lanes.

use super::Ifma;
use super::elementwise::{Sums, TERMS, restore};
use super::vector::*;
use crate::ring::few::{Few, each_few};
use crate::ring::modulus::Modulus;
use crate::ring::portable::Matrix;
use std::arch::x86_64::*;

/// Results at a time: two registers for each, of thirty-two.
const ROWS: usize = 8;

impl Ifma {
    /// See `portable::matrix`.
    pub(in crate::ring) fn matrix(self, out: &mut [&mut [u64]], of: &Matrix<'_>, m: &Modulus) {
        each_few(
            out,
            of,
            |w| w,
            |out, few| {
                // SAFETY: the token proves the processor features.
                unsafe {
                    match out.len() {
                        1 => rows_of::<1>(out, few, m),
                        2 => rows_of::<2>(out, few, m),
                        3 => rows_of::<3>(out, few, m),
                        4 => rows_of::<4>(out, few, m),
                        5 => rows_of::<5>(out, few, m),
                        6 => rows_of::<6>(out, few, m),
                        7 => rows_of::<7>(out, few, m),
                        _ => rows_of::<8>(out, few, m),
                    }
                }
            },
        );
    }
}

/// A few results, the accumulators in registers. What is multiplied comes from memory in more streams than processors follow, so it
/// is prefetched.
#[target_feature(enable = "avx512f,avx512ifma")]
fn rows_of<const R: usize>(out: &mut [&mut [u64]], mut of: Few<'_, u64, ROWS, TERMS>, m: &Modulus) {
    let Some(out) = out.first_chunk_mut::<R>() else {
        return;
    };
    let p = prime(m);
    let montgomery = known(restore(m));
    for w in &mut of.w {
        store(w, p.product_known_reduced(load(w), montgomery));
    }
    let mut x: [&[Words]; TERMS] = [&[]; TERMS];
    for (x, of_limb) in x.iter_mut().zip(of.x) {
        *x = groups(of_limb);
    }
    let x = &x[..of.x.len()];
    let mut out = out.each_mut().map(|out| groups_mut(out));
    for i in of.block.start / 8..of.block.end / 8 {
        let mut sums = [Sums::zero(); R];
        for (x, w) in x.iter().zip(&of.w) {
            prefetch_read(x, i + FAR_AHEAD);
            let x = load(&x[i]);
            for (sums, &w) in sums.iter_mut().zip(w) {
                sums.add(x, splat(w));
            }
        }
        for (out, sums) in out.iter_mut().zip(sums) {
            let mut sum = p.reduce_four(sums.reduce(&p));
            if of.add {
                sum = subtract_once(_mm512_add_epi64(sum, load(&out[i])), p.one);
            }
            store(&mut out[i], sum);
        }
    }
}
