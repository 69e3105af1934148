//! Tensors that were computed: for people, and for machines.

use crate::report::{show, table};
use peregrine_runtime::ports::{Array, Arrays};
use serde::Serialize;
use std::collections::BTreeMap;

/// A tensor that was computed.
#[derive(Debug, Serialize)]
pub struct Output {
    pub shape: Vec<u32>,
    /// The position of the largest value, of a vector; a single integer is itself a position.
    pub class: Option<usize>,
    pub largest_magnitude: f64,
    pub values: Values,
}

/// The values of a tensor in row-major order.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Values {
    Reals(Vec<f64>),
    Integers(Vec<i64>),
}

impl Values {
    fn of(array: &Array) -> Self {
        let values = array.data().iter();
        if array.is_integer() {
            return Self::Integers(values.map(|&x| x as i64).collect());
        }
        Self::Reals(values.copied().collect())
    }

    /// The first ones, shortened.
    fn shown(&self) -> String {
        const MOST: usize = 12;
        let (mut shown, count): (Vec<String>, usize) = match self {
            Self::Reals(x) => {
                let shown = x.iter().take(MOST).map(|x| format!("{x:.4}"));
                (shown.collect(), x.len())
            }
            Self::Integers(x) => (x.iter().take(MOST).map(i64::to_string).collect(), x.len()),
        };
        if count > shown.len() {
            shown.push("...".to_owned());
        }
        shown.join(" ")
    }
}

impl Output {
    pub fn of(array: &Array) -> Self {
        Self {
            shape: array.shape().dims().to_vec(),
            class: class(array),
            largest_magnitude: largest(array.data()),
            values: Values::of(array),
        }
    }

    /// All outputs of a model by name.
    pub fn all(arrays: &Arrays) -> BTreeMap<String, Self> {
        let outputs = arrays
            .iter()
            .map(|(name, array)| (name.clone(), Self::of(array)));
        outputs.collect()
    }
}

/// Outputs as a table; short ones with their values.
pub fn show_all(outputs: &BTreeMap<String, Output>) -> String {
    let mut table = table(&["output", "shape", "class", "largest", "values"], &[2, 3]);
    for (name, output) in outputs {
        let Output {
            shape,
            class,
            largest_magnitude,
            values,
        } = output;
        let class = class.map_or(String::new(), |class| class.to_string());
        let largest = format!("{largest_magnitude:.4}");
        table.add_row([
            name.clone(),
            format!("{shape:?}"),
            class,
            largest,
            values.shown(),
        ]);
    }
    show(&table)
}

/// The position of the largest of a vector's values; a single integer is itself a position.
pub fn class(array: &Array) -> Option<usize> {
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
    outputs.into_iter().all(|array| class(array).is_some())
}

/// The largest magnitude; NaN when there is one.
pub fn largest(values: &[f64]) -> f64 {
    values.iter().fold(
        0.0,
        |m: f64, x| if x.is_nan() { f64::NAN } else { m.max(x.abs()) },
    )
}
