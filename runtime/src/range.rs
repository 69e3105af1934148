//! Whether input tensors lie where the circuit expects them.
//!
//! A circuit has room for the values that its parameters were chosen for. Images that are scaled otherwise, bytes for a network
//! that takes 0 to 1, make values that wrap around the modulus, and what is decrypted then looks like an answer. So values
//! outside the range of an input are refused before anything is encrypted: when they are further outside than [`MARGIN`], and
//! somebody vouches for the range. What lies just outside, or outside a range that was assumed, is worth a warning.

use crate::ports::{Array, PortError};
use peregrine_ir::InputRange;
use std::fmt;

/// How far outside its range a value may lie, in widths of the range: samples seldom show the ends of a range, but half its
/// width beyond them is another scale.
pub const MARGIN: f64 = 0.5;
/// How far outside rounding may bring a value.
const ROUNDING: f64 = 1e-6;
/// The largest magnitude of an input: beyond what any parameters hold of it and its square.
pub const LARGEST: f64 = (1u64 << 63) as f64;
/// What part of its range an input has to cover, and of how many elements, not to be odd.
const COVERED: f64 = 1.0 / 64.0;
const MANY: usize = 16;

/// An input whose values are odd for its range.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Outlier {
    /// Name of the input.
    pub name: String,
    /// The range in which its values are expected.
    pub range: InputRange,
    /// What is odd about the values.
    pub oddity: Oddity,
}

/// What is odd about the values of an input.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Oddity {
    /// Some values lie outside the range.
    Outside {
        /// The value that lies furthest outside.
        value: f64,
        /// Coordinates of that value.
        index: Vec<u32>,
        /// Number of values outside.
        count: usize,
        /// Number of all values.
        elements: usize,
    },
    /// All values lie so close to each other that they must be on another scale.
    Narrow {
        /// The least value.
        low: f64,
        /// The largest value.
        high: f64,
    },
}

impl fmt::Display for Outlier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, range, .. } = self;
        let InputRange { low, high, origin } = range;
        match &self.oddity {
            Oddity::Outside {
                value,
                index,
                count,
                elements,
            } => write!(
                f,
                "input `{name}` holds {value} at {index:?}, outside {low} to {high} ({origin}), as {count} of its {elements} \
                 values are"
            ),
            Oddity::Narrow {
                low: least,
                high: largest,
            } => write!(
                f,
                "input `{name}` has values from {least} to {largest} only, {low} to {high} is expected ({origin})"
            ),
        }
    }
}

/// What is odd about the values of an input, all of them finite.
///
/// # Errors
/// When one is larger than `largest`, or so far outside a range that somebody vouches for that an answer
/// would be meaningless.
pub(crate) fn check(
    name: &str,
    range: Option<InputRange>,
    array: &Array,
    largest: f64,
) -> Result<Option<Outlier>, PortError> {
    let data = array.data();
    if let Some(at) = data.iter().position(|x| x.abs() > largest) {
        return Err(PortError::TooLarge {
            name: name.to_owned(),
            index: array.shape().unravel(at),
            value: data.get(at).copied().unwrap_or(f64::NAN),
            limit: largest,
        });
    }
    let Some(range) = range else {
        return Ok(None);
    };
    let Some((oddity, excess)) = oddity(range, array) else {
        return Ok(None);
    };
    let name = name.to_owned();
    let outlier = Outlier {
        name,
        range,
        oddity,
    };
    match excess > MARGIN && range.origin.is_known() {
        true => Err(PortError::OutOfRange(Box::new(outlier))),
        false => Ok(Some(outlier)),
    }
}

/// What is odd, and how far outside the values are.
fn oddity(range: InputRange, array: &Array) -> Option<(Oddity, f64)> {
    let data = array.data();
    let excesses = data.iter().map(|&x| range.excess(x)).enumerate();
    let worst = excesses.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
    let (at, excess) = worst?;
    if excess > ROUNDING {
        let outside = data.iter().filter(|&&x| range.excess(x) > ROUNDING);
        let oddity = Oddity::Outside {
            value: data.get(at).copied()?,
            index: array.shape().unravel(at),
            count: outside.count(),
            elements: data.len(),
        };
        return Some((oddity, excess));
    }
    let low = data.iter().copied().fold(f64::INFINITY, f64::min);
    let high = data.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // Something has to be in the image: one colour may be a background.
    let narrow = high > low && high - low < COVERED * (range.high - range.low);
    (narrow && data.len() >= MANY).then_some((Oddity::Narrow { low, high }, 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use peregrine_ir::{Origin, Shape};

    fn checked(values: &[f64], origin: Origin) -> Result<Option<Outlier>, PortError> {
        let shape = Shape::new([1, values.len() as u32]).unwrap();
        let range = InputRange {
            low: 0.0,
            high: 1.0,
            origin,
        };
        check(
            "x",
            Some(range),
            &Array::new(shape, values.to_vec()).unwrap(),
            LARGEST,
        )
    }

    #[test]
    fn values_inside_are_not_odd() {
        for origin in Origin::ALL {
            assert_eq!(checked(&[0.0, 0.5, 1.0 + 1e-9], origin), Ok(None));
        }
    }

    #[test]
    fn slightly_outside_is_odd_and_far_outside_refused() {
        let odd = checked(&[0.5, 1.25, -0.1], Origin::Calibrated).unwrap();
        assert_eq!(
            odd.unwrap().to_string(),
            "input `x` holds 1.25 at [0, 1], outside 0 to 1 (seen in calibration), as 2 of its 3 values are"
        );
        for far in [1.51, -0.51, 10.0, 16.0, 255.0, 1000.0] {
            for origin in [Origin::Asked, Origin::Stated, Origin::Calibrated] {
                let refused = checked(&[0.5, far], origin);
                assert!(matches!(refused, Err(PortError::OutOfRange(_))), "{far}");
            }
            let odd = checked(&[0.5, far], Origin::Assumed).unwrap();
            assert!(odd.is_some());
        }
    }

    #[test]
    fn what_no_circuit_holds_is_refused_whatever_is_known() {
        let shape = Shape::new([2]).unwrap();
        let array = Array::new(shape, vec![0.0, -3e38]).unwrap();
        let error = check("x", None, &array, LARGEST).unwrap_err().to_string();
        assert_eq!(
            error,
            "input `x` holds -3e38 at [1], no circuit holds more than 9.223372036854776e18"
        );
        assert!(checked(&[3e38], Origin::Assumed).is_err());
    }

    #[test]
    fn values_on_another_scale_are_odd() {
        let dark: Vec<f64> = (0..20).map(|i| f64::from(i) / 5100.0).collect();
        let odd = checked(&dark, Origin::Stated).unwrap().unwrap();
        assert!(matches!(odd.oddity, Oddity::Narrow { .. }));
        assert_eq!(checked(&[0.0; 20], Origin::Stated), Ok(None));
        assert_eq!(checked(&dark[..8], Origin::Stated), Ok(None));
    }
}
