//! What a circuit tells its clients to expect: where the values of inputs lie, how large those of outputs become, and the noise
//! in them.
//!
//! Ranges are those that were asked for, that samples have, or that the model states, in this order; where there are none they
//! are assumed. Noise and magnitudes come from a simulation on samples, or else on inputs drawn from the ranges.

use crate::error::Error;
use crate::precision;
use crate::ranges::Measured;
use peregrine_compiler::pipeline::Compiled;
use peregrine_compiler::tensor::Graph;
use peregrine_ir::stats::Stats;
use peregrine_ir::{InputRange, Origin};
use peregrine_runtime::ports::{Array, Arrays};
use peregrine_runtime::simulate::{Prediction, SAMPLES};
use std::collections::BTreeMap;
use std::path::Path;

/// What is assumed of inputs of which nobody says anything.
pub const ASSUMED: InputRange = InputRange {
    low: -1.0,
    high: 1.0,
    origin: Origin::Assumed,
};

/// How much of its range an input that is drawn takes: what is far from any image makes polynomials run off.
const SPREAD: f64 = 0.5;

/// Most products of a circuit that is simulated on inputs that nobody gave: beyond that a simulation takes as long as compiling.
const MOST_PRODUCTS: u64 = 20_000;

/// Fills in what a circuit expects; what was predicted for that, if it was simulated.
///
/// Of a large circuit without samples no output is expected, only the ranges of its inputs.
pub fn fill(
    path: &Path,
    graph: &Graph,
    compiled: &mut Compiled,
    measured: Option<&Measured>,
) -> Result<Option<Prediction>, Error> {
    let known = measured.map(Measured::input_ranges).unwrap_or_default();
    let ranges: BTreeMap<String, InputRange> = graph
        .inputs()
        .map(|(_, name)| (name.to_owned(), known.get(name).copied().unwrap_or(ASSUMED)))
        .collect();
    let images = match measured.map_or(&[][..], Measured::images) {
        [] if products(compiled) > MOST_PRODUCTS => Vec::new(),
        [] => drawn(graph, &ranges),
        images => images.to_vec(),
    };
    let prediction = predicted(path, graph, compiled, &images)?;
    // What is known of outputs is known of inputs that are.
    let origin = ranges.values().map(|range| range.origin).min();
    let magnitudes = measured.map(Measured::magnitudes).unwrap_or_default();
    let origin = origin.unwrap_or(Origin::Assumed);
    let outputs = prediction.as_ref();
    let outputs = outputs.map_or_else(BTreeMap::new, |p| p.expectations(&magnitudes, origin));
    let circuit = compiled.circuit.clone().expecting(&ranges, &outputs);
    compiled.circuit = circuit.map_err(|source| Error::Compile {
        path: path.to_owned(),
        source: source.into(),
    })?;
    Ok(prediction)
}

fn products(compiled: &Compiled) -> u64 {
    Stats::of(&compiled.circuit).bounds.products
}

/// What simulated noise leaves of images, if there are any.
fn predicted(
    path: &Path,
    graph: &Graph,
    compiled: &Compiled,
    images: &[Arrays],
) -> Result<Option<Prediction>, Error> {
    if images.is_empty() {
        return Ok(None);
    }
    let samples = precision::samples(path, graph, images)?;
    let prediction = precision::predict(&compiled.circuit, &samples);
    let failed = |source| Error::Simulate {
        path: path.to_owned(),
        source,
    };
    prediction.map(Some).map_err(failed)
}

/// Inputs drawn from their ranges, always the same.
fn drawn(graph: &Graph, ranges: &BTreeMap<String, InputRange>) -> Vec<Arrays> {
    let mut state = 1u64;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1u64 << 24) as f64 - 0.5
    };
    let mut image = || {
        let inputs = graph.inputs().filter_map(|(node, name)| {
            let range = ranges.get(name)?;
            let (middle, width) = (f64::midpoint(range.low, range.high), range.high - range.low);
            let level = middle + SPREAD * width * next();
            let shape = graph.node(node).shape.clone();
            let values = (0..shape.elements()).map(|_| level + SPREAD * width * next());
            let values = values.collect();
            Some((name.to_owned(), Array::new(shape, values).ok()?))
        });
        inputs.collect::<Arrays>()
    };
    (0..SAMPLES).map(|_| image()).collect()
}
