//! What a circuit tells its clients to expect: where the values of inputs lie, how large those of outputs become, and the noise
//! in them, by a simulation on the samples that the circuit was compiled for.

use crate::error::Error;
use crate::measured::Measured;
use crate::precision;
use peregrine_compiler::pipeline::Compiled;
use peregrine_compiler::tensor::Graph;
use peregrine_ir::InputRange;
use peregrine_ir::stats::Stats;
use peregrine_runtime::ports::Arrays;
use peregrine_runtime::simulate::Prediction;
use std::collections::BTreeMap;
use std::path::Path;

/// Most products of a circuit that is simulated on inputs that nobody gave: beyond that a simulation takes as long as compiling.
const MOST_PRODUCTS: u64 = 20_000;

/// Fills in what a circuit expects; what was predicted for that, if it was simulated.
///
/// Of a large circuit without samples no output is expected, only the ranges of its inputs.
pub fn fill(
    path: &Path,
    graph: &Graph,
    compiled: &mut Compiled,
    measured: &Measured,
) -> Result<Option<Prediction>, Error> {
    let ranges = measured.inputs().iter();
    // Samples of one value say nothing.
    let ranges = ranges.filter(|(_, range)| range.check().is_ok());
    let ranges: BTreeMap<String, InputRange> = ranges.map(|(n, r)| (n.clone(), *r)).collect();
    let is_large = measured.samples().is_none() && products(compiled) > MOST_PRODUCTS;
    let images = match is_large {
        true => &[],
        false => measured.images(),
    };
    let prediction = predicted(path, graph, compiled, images)?;
    let outputs = compiled.graph.outputs.iter().filter_map(|output| {
        let largest = measured.magnitude(output.node.index())?;
        Some((output.name.clone(), largest))
    });
    let magnitudes: BTreeMap<String, f64> = outputs.collect();
    let outputs = prediction.as_ref();
    let origin = measured.origin();
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
