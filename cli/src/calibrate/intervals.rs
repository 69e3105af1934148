//! Intervals of inputs: asked for, or seen in samples.

use super::error::CalibrateError;
use crate::model::Model;
use crate::options::AskedRange;
use peregrine_compiler::ranges::Interval;
use peregrine_ir::{InputRange, Origin};
use peregrine_runtime::ports::{Arrays, PortError};
use std::borrow::Borrow;
use std::collections::BTreeMap;

pub(super) fn input_range(interval: Interval, origin: Origin) -> InputRange {
    let (low, high) = (interval.min(), interval.max());
    InputRange { low, high, origin }
}

fn interval(range: &InputRange) -> Interval {
    Interval::new(range.low, range.high)
}

pub(super) fn intervals(inputs: &BTreeMap<String, InputRange>) -> BTreeMap<String, Interval> {
    let inputs = inputs.iter();
    inputs
        .map(|(name, range)| (name.clone(), interval(range)))
        .collect()
}

/// The least interval that holds the values of each input in samples.
pub(super) fn hulls(images: &[impl Borrow<Arrays>]) -> BTreeMap<String, Interval> {
    let mut hulls: BTreeMap<String, Interval> = BTreeMap::new();
    for (name, array) in images.iter().flat_map(|image| image.borrow()) {
        if let Some(seen) = Interval::around(array.data()) {
            let hull = hulls.entry(name.clone()).or_insert(seen);
            *hull = hull.hull(seen);
        }
    }
    hulls
}

/// The intervals that are asked for, by input; one without a name is for all inputs.
pub(super) fn asked(
    model: &Model,
    ranges: &[AskedRange],
) -> Result<BTreeMap<String, Interval>, CalibrateError> {
    let names = model.input_names();
    let mut asked = BTreeMap::new();
    for range in ranges {
        let meant: Vec<&str> = match &range.input {
            Some(name) => vec![name],
            None => names.clone(),
        };
        for name in meant {
            let name = name.to_owned();
            if !names.contains(&name.as_str()) {
                let known = names.iter().map(|name| format!("`{name}`")).collect();
                return Err(PortError::Unknown { name, known }.into());
            }
            let interval = Interval::new(range.low, range.high);
            if asked.insert(name.clone(), interval).is_some() {
                return Err(CalibrateError::RangeTwice { name });
            }
        }
    }
    Ok(asked)
}
