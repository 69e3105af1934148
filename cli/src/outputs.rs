//! Tensors that were computed, as reports have them, and their classes.

use peregrine_runtime::ports::{Array, Arrays};
use serde::Serialize;
use std::collections::BTreeMap;

/// An output tensor of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputReport {
    /// Extent of each axis.
    pub shape: Vec<u32>,
    /// The [class](argmax) that the tensor says; none where it says no class.
    pub class: Option<usize>,
    /// The largest magnitude of its values.
    pub largest_magnitude: f64,
    /// All values in row-major order.
    pub values: OutputValues,
}

/// The values of an output tensor in row-major order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum OutputValues {
    /// Real numbers, which are approximate.
    Reals(Vec<f64>),
    /// Integers, such as the position that `ArgMax` gives.
    Integers(Vec<i64>),
}

impl OutputValues {
    fn of(array: &Array) -> Self {
        let values = array.data().iter();
        if array.is_integer() {
            return Self::Integers(values.map(|&x| x as i64).collect());
        }
        Self::Reals(values.copied().collect())
    }
}

impl OutputReport {
    /// The report of a tensor.
    pub fn new(array: &Array) -> Self {
        Self {
            shape: array.shape().dims().to_vec(),
            class: argmax(array),
            largest_magnitude: largest(array.data()),
            values: OutputValues::of(array),
        }
    }

    /// The reports of all outputs of a model, by name.
    pub fn all(arrays: &Arrays) -> BTreeMap<String, Self> {
        let outputs = arrays.iter();
        outputs
            .map(|(name, array)| (name.clone(), Self::new(array)))
            .collect()
    }
}

/// The class that an output says: the position of the largest value of a vector, counted from 0, or the value of a single
/// integer, which is a position itself. None for tensors of more than one axis longer than 1.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use peregrine::{Array, Shape, argmax};
///
/// let scores = Array::new(Shape::new([1, 3])?, vec![0.5, 7.0, -2.0])?;
/// assert_eq!(argmax(&scores), Some(1));
/// # Ok(())
/// # }
/// ```
pub fn argmax(array: &Array) -> Option<usize> {
    if array.is_integer() {
        return match array.data() {
            &[position] => Some(position as usize),
            _ => None,
        };
    }
    let vector = array.shape().dims().iter().filter(|&&d| d > 1).count() == 1;
    let values = array.data().iter().enumerate();
    let best = values.max_by(|a, b| a.1.total_cmp(b.1)).map(|(i, _)| i);
    best.filter(|_| vector)
}

/// Whether the outputs of a model say what an image shows: each is a vector of scores or a position, so that each has a class.
pub fn are_classes<'a>(outputs: impl IntoIterator<Item = &'a Array>) -> bool {
    outputs.into_iter().all(|array| argmax(array).is_some())
}

/// The largest magnitude of values: 0 for none, NaN when one of them is NaN.
pub fn largest(values: &[f64]) -> f64 {
    values.iter().fold(
        0.0,
        |m: f64, x| if x.is_nan() { f64::NAN } else { m.max(x.abs()) },
    )
}
