//! How precise outputs are: measured, and predicted by simulated noise.
//!
//! Precision is counted in bits of the output: log2 of the largest magnitude over the largest error, both over all elements
//! of all outputs, as they are decrypted.

use super::{Options, SimulateError, run_all};
use crate::exec::Progress;
use crate::ports::Arrays;
use peregrine_ir::Verified;
use std::collections::BTreeMap;

/// An input, and what the model makes of it in the clear.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The input tensors.
    pub inputs: Arrays,
    /// The values of each output before the steps that follow decryption, in row-major order.
    pub expected: BTreeMap<String, Vec<f64>>,
}

/// How far outputs are from what they should be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Deviation {
    /// The largest absolute error; infinite where an output is missing or no number.
    pub error: f64,
    /// The largest magnitude that was expected.
    pub largest: f64,
}

impl Deviation {
    /// Of decrypted tensors from the expected values.
    pub fn of(found: &Arrays, expected: &BTreeMap<String, Vec<f64>>) -> Self {
        let mut deviation = Self::default();
        for (name, expected) in expected {
            let found = found.get(name).map(|array| array.data());
            let Some(found) = found.filter(|found| found.len() == expected.len()) else {
                deviation.error = f64::INFINITY;
                continue;
            };
            for (found, expected) in found.iter().zip(expected) {
                let error = (found - expected).abs();
                let error = if error.is_nan() { f64::INFINITY } else { error };
                deviation = deviation.join(Self {
                    error,
                    largest: expected.abs(),
                });
            }
        }
        deviation
    }

    /// That of both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            error: self.error.max(other.error),
            largest: self.largest.max(other.largest),
        }
    }

    /// Bits of the largest output that are right; infinite without any error. Where all outputs are zero, bits after the point.
    pub fn bits(self) -> f64 {
        let largest = if self.largest > 0.0 {
            self.largest
        } else {
            1.0
        };
        (largest / self.error).log2()
    }
}

/// Runs that [`predict`] makes, and the samples of which it makes use: the largest of this many draws of the noise is within
/// about a bit of what others draw.
pub const SAMPLES: usize = 3;
/// Where the noise of [`predict`] starts.
const SEED: u64 = 0;

/// How far outputs are from those of the model when samples are encrypted: three simulations with noise of their own, over
/// the first three samples, or over all in turn when there are fewer. The same for the same circuit and samples.
///
/// # Errors
/// As for [`run_all`].
pub fn predict(
    circuit: &Verified,
    samples: &[Sample],
    progress: &dyn Progress,
) -> Result<Deviation, SimulateError> {
    let samples: Vec<&Sample> = samples.iter().cycle().take(SAMPLES).collect();
    let inputs: Vec<Arrays> = samples.iter().map(|sample| sample.inputs.clone()).collect();
    let options = Options { noise: Some(SEED) };
    let found = run_all(circuit, &inputs, options, progress)?.decrypted;
    let deviations = found.iter().zip(&samples);
    Ok(deviations
        .map(|(found, sample)| Deviation::of(found, &sample.expected))
        .fold(Deviation::default(), Deviation::join))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Array;
    use peregrine_ir::Shape;

    fn deviation(found: &[f64], expected: &[f64]) -> Deviation {
        let shape = Shape::new([found.len() as u32]).unwrap();
        let found = Array::new(shape, found.to_vec()).unwrap();
        let named = |name: &str| name.to_owned();
        Deviation::of(
            &Arrays::from([(named("y"), found)]),
            &[(named("y"), expected.to_vec())].into(),
        )
    }

    #[test]
    fn bits_are_relative_to_the_largest_output() {
        assert_eq!(deviation(&[8.0, 0.25], &[8.0, 0.0]).bits(), 5.0);
        assert_eq!(deviation(&[0.0, 0.25], &[0.0, 0.0]).bits(), 2.0);
        assert_eq!(deviation(&[1.0], &[1.0]).bits(), f64::INFINITY);
        let both = deviation(&[8.0], &[8.0]).join(deviation(&[1.0], &[1.5]));
        assert_eq!(both.bits(), 4.0);
    }

    #[test]
    fn what_is_missing_or_no_number_has_no_precision() {
        for found in [&[f64::NAN][..], &[f64::INFINITY], &[1.0, 1.0]] {
            assert_eq!(
                deviation(found, &[1.0]).bits(),
                f64::NEG_INFINITY,
                "{found:?}"
            );
        }
    }
}
