//! Several sums of products over the same ciphertexts, as a matrix with few different entries in each makes them: all at once, or
//! one by one.
//!
//! The ciphertexts are as many as the engine multiplies at a time, and all different, so that they come from memory.

use super::error::BenchError;
use super::reference::Reference;
use super::timing::{Timing, median};
use peregrine_runtime::ckks::{Ciphertext, CkksError, Encoder, Evaluator, Plaintext};
use peregrine_runtime::params::Parameters;
use std::iter;
use std::sync::Arc;

/// Sums.
pub const SUMS: usize = 8;
/// Products in each.
pub const TERMS: usize = 32;

/// What ciphertexts are multiplied by.
#[derive(Clone, Copy)]
pub(super) enum Factors {
    /// Scalars.
    Numbers,
    /// Plaintexts whose slots repeat after so many.
    Period(usize),
}

/// The operands of sums.
pub(super) struct Matrix<'b> {
    evaluator: &'b Evaluator,
    ciphers: Vec<Ciphertext>,
}

impl<'b> Matrix<'b> {
    /// With multiples of a ciphertext.
    pub fn new(evaluator: &'b Evaluator, a: &Ciphertext) -> Result<Self, BenchError> {
        let next = |last: &Result<Ciphertext, CkksError>| {
            let last = last.as_ref().ok()?;
            Some(evaluator.add(last, a))
        };
        let first = evaluator.add(a, a);
        let ciphers = iter::successors(Some(first), next).take(TERMS);
        let ciphers = ciphers.collect::<Result<_, _>>()?;
        Ok(Self { evaluator, ciphers })
    }

    /// The time of one product, of those with such factors.
    pub fn measure(
        &self,
        (factors, together): (Factors, bool),
        (params, encoder): (&Arc<Parameters>, &Encoder),
    ) -> Result<Timing, BenchError> {
        let ciphers: Vec<&Ciphertext> = self.ciphers.iter().collect();
        let numbers = |row| (0..TERMS).map(move |at| number(row * TERMS + at));
        let rows = (0..SUMS).map(|row| numbers(row).collect());
        let rows: Vec<Vec<f64>> = rows.collect();
        let timing = match factors {
            Factors::Numbers => {
                let rows: Vec<_> = rows.iter().map(|r| (&r[..], Reference::SCALE)).collect();
                median(|| match together {
                    true => self.evaluator.dot_scalars(&ciphers, &rows),
                    false => {
                        let one = |&(r, scale)| self.evaluator.dot_scalar(&ciphers, r, scale);
                        rows.iter().map(one).collect()
                    }
                })?
            }
            Factors::Period(period) => {
                let level = ciphers.first().map_or(0, |a| a.level());
                let row = params.row(level)?;
                let plain = |&x: &f64| {
                    let slots = (0..period).map(|i| x + i as f64).cycle();
                    let slots: Vec<f64> = slots.take(params.slots()).collect();
                    match encoder.encode_short(&slots, Reference::SCALE, row)? {
                        Some(short) => Ok(short),
                        None => encoder.encode_real(&slots, Reference::SCALE, row),
                    }
                };
                let plains = rows.iter().map(|row| row.iter().map(plain).collect());
                let plains: Vec<Vec<Plaintext>> = plains.collect::<Result<_, CkksError>>()?;
                let plains: Vec<Vec<&Plaintext>> =
                    plains.iter().map(|row| row.iter().collect()).collect();
                let plains: Vec<&[&Plaintext]> = plains.iter().map(Vec::as_slice).collect();
                median(|| match together {
                    true => self.evaluator.dots(&ciphers, &plains),
                    false => {
                        let one = |row: &&[&Plaintext]| self.evaluator.dot(&ciphers, row);
                        plains.iter().map(one).collect()
                    }
                })?
            }
        };
        Ok(timing.share(SUMS * TERMS))
    }
}

/// Something in (-1, 1).
fn number(at: usize) -> f64 {
    (at as f64).sin()
}
