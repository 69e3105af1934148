//! Expected values of input and output tensors, by which a client tells an answer from garbage.
//!
//! An encrypted run has no way to say that it went wrong: an input far from what parameters were chosen for, or a message
//! that outgrew the modulus, decrypts to numbers like any other. So the compiler tells the client what it has reckoned with:
//! the range of each input, and for each output how large values become and how much noise they carry. Both are public.

use std::fmt;

/// The source of a range or an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Nobody has stated it: the compiler assumed a usual range.
    Assumed,
    /// An option of whoever compiled the model.
    Asked,
    /// The model itself, in its metadata.
    Stated,
    /// Measured on sample inputs.
    Calibrated,
}

impl Origin {
    /// All origins.
    pub const ALL: [Self; 4] = [Self::Assumed, Self::Asked, Self::Stated, Self::Calibrated];

    /// The word of the text form for this origin.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Assumed => "assumed",
            Self::Asked => "asked",
            Self::Stated => "stated",
            Self::Calibrated => "calibrated",
        }
    }

    /// Whether somebody has stated or measured it: every origin but [`Self::Assumed`].
    pub fn is_known(self) -> bool {
        self != Self::Assumed
    }
}

/// Prints the origin as part of a sentence: "the range that samples have".
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Assumed => "assumed",
            Self::Asked => "asked for",
            Self::Stated => "stated by the model",
            Self::Calibrated => "seen in calibration",
        })
    }
}

/// The range in which the values of an input tensor lie.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct InputRange {
    /// The least value.
    pub low: f64,
    /// The largest.
    pub high: f64,
    /// The source of the range.
    pub origin: Origin,
}

impl InputRange {
    /// How far a value lies outside the range, in widths of the range: 0 inside, infinite for NaN.
    pub fn excess(&self, value: f64) -> f64 {
        let beyond = (self.low - value).max(value - self.high);
        match value.is_nan() {
            true => f64::INFINITY,
            false => (beyond / (self.high - self.low)).max(0.0),
        }
    }

    /// Checks the ends of the range.
    ///
    /// # Errors
    /// When an end is not finite, or the least value is not below the largest.
    pub fn check(&self) -> Result<(), ExpectationError> {
        let Self { low, high, .. } = *self;
        // The width, too, has to be a number.
        match low < high && (high - low).is_finite() {
            true => Ok(()),
            false => Err(ExpectationError::Range { low, high }),
        }
    }
}

/// The expected magnitude and noise of the values of an output tensor after decryption, before any [`crate::Finish`] step.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Expectation {
    /// The largest magnitude, without margin.
    pub magnitude: f64,
    /// Standard deviation of the error of a value, by the noise model.
    pub noise: f64,
    /// The source of the inputs that the expectation is for.
    pub origin: Origin,
}

impl Expectation {
    /// Checks the numbers of the expectation.
    ///
    /// # Errors
    /// When the magnitude is not finite or negative, or the noise is not finite or not positive.
    pub fn check(&self) -> Result<(), ExpectationError> {
        let Self {
            magnitude, noise, ..
        } = *self;
        let possible = magnitude >= 0.0 && magnitude.is_finite() && noise > 0.0;
        match possible && noise.is_finite() {
            true => Ok(()),
            false => Err(ExpectationError::Output { magnitude, noise }),
        }
    }
}

/// Prints the range as the text form spells it: `range [-1.0, 1.0] asked`.
impl fmt::Display for InputRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { low, high, origin } = self;
        write!(f, "range [{low:?}, {high:?}] {}", origin.keyword())
    }
}

/// Prints the expectation as the text form spells it: `expect magnitude=7.5 noise=0.001 calibrated`.
impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            magnitude,
            noise,
            origin,
        } = self;
        let origin = origin.keyword();
        write!(f, "expect magnitude={magnitude:?} noise={noise:?} {origin}")
    }
}

/// Why numbers are not a range or an expectation.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences name every field")]
pub enum ExpectationError {
    #[error(
        "a range from {low:?} to {high:?}: the ends must be finite, the first below the second"
    )]
    Range { low: f64, high: f64 },
    #[error(
        "values up to {magnitude:?} with noise {noise:?}: both must be finite and not negative, the noise not zero"
    )]
    Output { magnitude: f64, noise: f64 },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(low: f64, high: f64) -> InputRange {
        let origin = Origin::Calibrated;
        InputRange { low, high, origin }
    }

    #[test]
    fn excess_is_counted_in_widths() {
        let range = range(-1.0, 3.0);
        let found = [-1.0, 0.5, 3.0, 5.0, -9.0].map(|x| range.excess(x));
        assert_eq!(found, [0.0, 0.0, 0.0, 0.5, 2.0]);
        assert!([f64::NAN, f64::INFINITY, 3e38].map(|x| range.excess(x)) > [1e37; 3]);
    }

    #[test]
    fn ranges_have_two_finite_ends() {
        assert_eq!(range(0.0, 255.0).check(), Ok(()));
        let bad = [
            (1.0, 1.0),
            (2.0, 1.0),
            (f64::NAN, 1.0),
            (0.0, f64::INFINITY),
            (f64::MIN, f64::MAX),
        ];
        for (low, high) in bad {
            assert!(range(low, high).check().is_err(), "{low} {high}");
        }
    }

    #[test]
    fn outputs_have_noise() {
        let check = |magnitude, noise| {
            let origin = Origin::Assumed;
            let expected = Expectation {
                magnitude,
                noise,
                origin,
            };
            expected.check().is_ok()
        };
        assert!(check(0.0, 1e-9) && check(10.0, 2.0));
        let bad = [(-1.0, 1.0), (1.0, 0.0), (f64::NAN, 1.0), (1.0, f64::NAN)];
        assert!(
            bad.iter()
                .all(|&(magnitude, noise)| !check(magnitude, noise))
        );
        assert!(!check(f64::INFINITY, 1.0) && !check(1.0, f64::INFINITY));
    }
}
