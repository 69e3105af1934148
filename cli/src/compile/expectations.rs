//! What a circuit tells its clients to expect: where the values of inputs lie, how large those of outputs become, and the noise
//! in them, by a simulation on the samples that the circuit was compiled for.

use super::error::CompileError;
use super::precision;
use crate::calibrate::KnownRanges;
use crate::watch::Watcher;
use peregrine_compiler::pipeline::{self, Compiled};
use peregrine_compiler::tensor::Graph;
use peregrine_ir::InputRange;
use peregrine_ir::stats::Stats;
use peregrine_runtime::simulate::Prediction;
use std::collections::BTreeMap;

/// Most products of a circuit that is simulated on inputs that nobody gave: beyond that a simulation takes as long as compiling.
const MOST_PRODUCTS: u64 = 20_000;

/// Fills in what a circuit expects; what was predicted for that, by the judge of its precision or else by a simulation.
///
/// A large circuit without samples tells the ranges of its inputs only, unless it was judged.
pub(super) fn fill(
    (graph, compiled): (&Graph, &mut Compiled),
    judged: Option<Prediction>,
    known: &KnownRanges,
    watcher: &dyn Watcher,
) -> Result<Option<Prediction>, CompileError> {
    let prediction = match judged {
        None => predicted((graph, compiled), known, watcher)?,
        judged => judged,
    };
    let ranges = known.inputs().iter();
    // Samples of one value say nothing.
    let ranges = ranges.filter(|(_, range)| range.check().is_ok());
    let ranges: BTreeMap<String, InputRange> = ranges.map(|(n, r)| (n.clone(), *r)).collect();
    let outputs = compiled.graph.outputs.iter().filter_map(|output| {
        let largest = known.magnitude(output.node.index())?;
        Some((output.name.clone(), largest))
    });
    let magnitudes: BTreeMap<String, f64> = outputs.collect();
    let origin = known.origin();
    let outputs = prediction.as_ref();
    let outputs = outputs.map_or_else(BTreeMap::new, |p| p.expectations(&magnitudes, origin));
    let circuit = compiled.circuit.clone().expecting(&ranges, &outputs);
    compiled.circuit = circuit.map_err(pipeline::CompileError::from)?;
    Ok(prediction)
}

/// What simulated noise leaves of the samples that a model was compiled for, if there are any. A large circuit without samples is not
/// simulated.
fn predicted(
    (graph, compiled): (&Graph, &Compiled),
    known: &KnownRanges,
    watcher: &dyn Watcher,
) -> Result<Option<Prediction>, CompileError> {
    let is_large = known.samples().is_none() && products(compiled) > MOST_PRODUCTS;
    if is_large || known.images().is_empty() {
        return Ok(None);
    }
    let samples = precision::samples(graph, known.images())?;
    let prediction = precision::predict(&compiled.circuit, &samples, watcher)?;
    Ok(Some(prediction))
}

fn products(compiled: &Compiled) -> u64 {
    Stats::of(&compiled.circuit).bounds.products
}
