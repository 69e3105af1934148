//! Precision of outputs: measured, and predicted by simulated noise.
//!
//! Precision is counted in bits of the output: log2 of the largest magnitude over the largest error, both over all elements
//! of an output, or of all outputs, as they are decrypted.

use super::error::SimulateError;
use super::twins::{Drowned, Twins, run_twins};
use crate::backend::clear::Headroom;
use crate::exec::Progress;
use crate::ports::Arrays;
use peregrine_ir::{Expectation, Origin, Verified};
use std::collections::BTreeMap;

/// A sample: inputs, and the values that the model has for them in the clear.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The input tensors.
    pub inputs: Arrays,
    /// The values of each output before the steps that follow decryption, in row-major order.
    pub expected: BTreeMap<String, Vec<f64>>,
}

/// The deviation of outputs from the values that they should have.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Deviation {
    /// The largest absolute error; infinite where an output is missing or NaN.
    pub error: f64,
    /// The largest expected magnitude.
    pub largest: f64,
}

impl Deviation {
    /// The deviation of decrypted tensors from the expected values, over all of them.
    ///
    /// ```
    /// use peregrine_ir::Shape;
    /// use peregrine_runtime::{ports::Array, simulate::Deviation};
    ///
    /// let found = Array::new(Shape::new([2])?, vec![8.0, 0.25])?;
    /// let found = [("y".to_owned(), found)].into();
    /// let expected = [("y".to_owned(), vec![8.0, 0.0])].into();
    /// assert_eq!(Deviation::of(&found, &expected).bits(), 5.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(found: &Arrays, expected: &BTreeMap<String, Vec<f64>>) -> Self {
        let each = Self::of_each(found, expected);
        each.into_values().fold(Self::default(), Self::join)
    }

    /// The deviation of each decrypted tensor from its expected values, by name.
    pub fn of_each(
        found: &Arrays,
        expected: &BTreeMap<String, Vec<f64>>,
    ) -> BTreeMap<String, Self> {
        let of = |(name, expected): (&String, &Vec<f64>)| {
            let found = found.get(name).map(|array| array.data());
            let found = found.filter(|found| found.len() == expected.len());
            (name.clone(), Self::between(found, expected))
        };
        expected.iter().map(of).collect()
    }

    fn between(found: Option<&[f64]>, expected: &[f64]) -> Self {
        let Some(found) = found else {
            return Self {
                error: f64::INFINITY,
                largest: 0.0,
            };
        };
        let mut deviation = Self::default();
        for (found, expected) in found.iter().zip(expected) {
            let error = (found - expected).abs();
            deviation = deviation.join(Self {
                error: if error.is_nan() { f64::INFINITY } else { error },
                largest: expected.abs(),
            });
        }
        deviation
    }

    /// The deviation over both: the larger error and the larger magnitude.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            error: self.error.max(other.error),
            largest: self.largest.max(other.largest),
        }
    }

    /// Bits of the largest output that are right: log2 of `largest` over `error`, infinite without any error. Where all outputs
    /// are zero, bits after the point.
    pub fn bits(self) -> f64 {
        let largest = if self.largest > 0.0 {
            self.largest
        } else {
            1.0
        };
        (largest / self.error).log2()
    }
}

/// The number of runs that [`predict`] makes, and of samples that it uses: the largest of this many draws of the noise is
/// within about a bit of other such draws.
pub const SAMPLES: usize = 3;
/// The seed of the noise of [`predict`].
const SEED: u64 = 0;

/// The predicted precision of encrypted runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The prediction for each output, by name.
    pub outputs: BTreeMap<String, Foreseen>,
    /// The deviation of each sample over all its outputs, for [`SAMPLES`] of them.
    pub samples: Vec<Deviation>,
    /// The first value that a node hands on and that is too large for its modulus.
    pub overflow: Option<Headroom>,
    /// The nodes whose values drown in noise.
    pub drowned: Vec<Drowned>,
}

/// The predicted precision of one output.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Foreseen {
    /// Its deviation from the values of the model.
    pub deviation: Deviation,
    /// The standard deviation of its errors.
    pub noise: f64,
}

impl Prediction {
    fn of(twins: Twins, samples: &[&Sample]) -> Self {
        let mut outputs: BTreeMap<String, (Deviation, f64, usize)> = BTreeMap::new();
        let mut deviations = Vec::with_capacity(samples.len());
        for (found, sample) in twins.noisy.decrypted.iter().zip(samples) {
            let each = Deviation::of_each(found, &sample.expected);
            deviations.push(
                each.values()
                    .copied()
                    .fold(Deviation::default(), Deviation::join),
            );
            for (name, deviation) in each {
                let entry = outputs.entry(name.clone()).or_default();
                entry.0 = entry.0.join(deviation);
                let values = found.get(&name).zip(sample.expected.get(&name));
                let (found, expected) = values.map_or((&[][..], &[][..]), |(f, e)| (f.data(), e));
                entry.1 += squares(found, expected);
                entry.2 += expected.len();
            }
        }
        let foreseen = |(deviation, squares, count): (Deviation, f64, usize)| Foreseen {
            deviation,
            noise: (squares / count.max(1) as f64).sqrt(),
        };
        Self {
            outputs: outputs.into_iter().map(|(n, o)| (n, foreseen(o))).collect(),
            samples: deviations,
            overflow: twins.noisy.overflow,
            drowned: twins.drowned,
        }
    }

    /// The deviation over all outputs.
    pub fn deviation(&self) -> Deviation {
        let deviations = self.outputs.values().map(|output| output.deviation);
        deviations.fold(Deviation::default(), Deviation::join)
    }

    /// Bits of the largest output that are right; infinite without any error.
    pub fn bits(&self) -> f64 {
        self.deviation().bits()
    }

    /// The expectation of each output that a client is told. `magnitudes` may have larger magnitudes than the samples.
    pub fn expectations(
        &self,
        magnitudes: &BTreeMap<String, f64>,
        origin: Origin,
    ) -> BTreeMap<String, Expectation> {
        let expectation = |(name, foreseen): (&String, &Foreseen)| {
            let known = magnitudes.get(name).copied().unwrap_or(0.0);
            let magnitude = foreseen.deviation.largest.max(known);
            let noise = foreseen.noise.max(magnitude * f64::EPSILON);
            let expectation = Expectation {
                magnitude,
                noise: noise.max(f64::MIN_POSITIVE),
                origin,
            };
            // What is not finite is nothing that could be expected.
            Some((name.clone(), expectation)).filter(|(_, e)| e.check().is_ok())
        };
        self.outputs.iter().filter_map(expectation).collect()
    }
}

fn squares(found: &[f64], expected: &[f64]) -> f64 {
    let errors = found.iter().zip(expected).map(|(f, e)| f - e);
    errors.map(|error| error * error).sum()
}

/// Predicts the precision of encrypted runs from three simulations with different noise, on the first three samples, or on all
/// in turn when there are fewer. Equal circuits and samples give equal predictions.
///
/// ```
/// # use peregrine_ir::{text, verify};
/// # let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/square.fhe"));
/// # let circuit = verify(text::parse(text)?)?;
/// # use peregrine_ir::Shape;
/// # use peregrine_runtime::ports::Array;
/// # let x = Array::new(Shape::new([1, 8])?, vec![0.5; 8])?;
/// # let inputs = [("x".to_owned(), x)].into();
/// use peregrine_runtime::exec::Silent;
/// use peregrine_runtime::simulate::{self, Sample};
///
/// // What the model gives in the clear.
/// let expected = [("y".to_owned(), vec![0.25; 8])].into();
/// let prediction = simulate::predict(&circuit, &[Sample { inputs, expected }], &Silent)?;
/// assert!(prediction.bits() > 10.0);
/// assert!(prediction.overflow.is_none() && prediction.drowned.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When [`run_all`](super::run_all) has an error.
pub fn predict(
    circuit: &Verified,
    samples: &[Sample],
    progress: &dyn Progress,
) -> Result<Prediction, SimulateError> {
    let samples: Vec<&Sample> = samples.iter().cycle().take(SAMPLES).collect();
    let inputs: Vec<Arrays> = samples.iter().map(|sample| sample.inputs.clone()).collect();
    let twins = run_twins(circuit, &inputs, (SEED, 1), progress)?;
    Ok(Prediction::of(twins, &samples))
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
