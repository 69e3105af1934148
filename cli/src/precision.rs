//! Precision of outputs: compiling for it, and predicting it by simulated noise.

use crate::error::Error;
use crate::inputs::values;
use crate::progress::Bar;
use crate::report;
use peregrine_compiler::pipeline::{Compiled, Config};
use peregrine_compiler::precision::{self, Found, SearchError};
use peregrine_compiler::tensor::Graph;
use peregrine_ir::Verified;
use peregrine_runtime::ports::Arrays;
use peregrine_runtime::simulate::{self, Deviation, Prediction, Sample, SimulateError};
use serde::Serialize;
use std::path::Path;

/// What was asked of the outputs, and what they have.
#[derive(Clone, Debug, Serialize)]
pub struct Precision {
    /// Bits of the largest output.
    asked_bits: u32,
    /// Bits of the largest output that are right with simulated noise; none without any error.
    predicted_bits: Option<f64>,
    /// Bits after the point that every operation leaves.
    internal_bits: u32,
    /// Circuits that were compiled and simulated.
    trials: usize,
    /// Samples that were simulated.
    samples: usize,
}

impl Precision {
    /// One line about it.
    pub fn line(&self) -> String {
        let Self {
            asked_bits,
            internal_bits,
            trials,
            samples,
            ..
        } = self;
        let predicted = bits(self.predicted_bits);
        let compilations = report::count(*trials, "compilation");
        let samples = report::count(*samples, "sample");
        format!(
            "{predicted} of the largest output predicted on {samples}, {asked_bits} asked for; {internal_bits} per operation, found in {compilations}"
        )
    }
}

/// Bits of a precision that may have no end.
pub fn bits(bits: Option<f64>) -> String {
    bits.map_or("all bits".to_owned(), |bits| format!("{bits:.1} bits"))
}

/// Bits of outputs, none where there is no error.
pub fn finite(deviation: Deviation) -> Option<f64> {
    Some(deviation.bits()).filter(|&bits| bits != f64::INFINITY)
}

/// What a model makes of images in the clear.
pub fn samples(path: &Path, graph: &Graph, images: &[Arrays]) -> Result<Vec<Sample>, Error> {
    let sample = |inputs: &Arrays| {
        let expected = graph
            .evaluate_unfinished(&values(inputs))
            .map_err(Error::evaluate(path))?;
        let names = graph.outputs.iter().map(|output| output.name.clone());
        Ok(Sample {
            inputs: inputs.clone(),
            expected: names.zip(expected).collect(),
        })
    };
    images.iter().map(sample).collect()
}

/// What simulated noise will leave of the outputs.
pub fn predict(circuit: &Verified, samples: &[Sample]) -> Result<Prediction, SimulateError> {
    simulate::predict(circuit, samples, &Bar::new("simulate"))
}

/// Compiles a model so that its outputs on some images have the precision that the configuration asks for; the configuration
/// is then that of the circuit. Warns when the circuit is not secure.
pub fn compile(
    path: &Path,
    graph: &Graph,
    config: &mut Config,
    images: &[Arrays],
) -> Result<(Compiled, Precision), Error> {
    let (asked_bits, samples) = (config.precision_bits, samples(path, graph, images)?);
    let judge = |compiled: &Compiled| Ok(predict(&compiled.circuit, &samples)?.bits());
    let found = precision::compile(graph, config, asked_bits, judge);
    let found = found.map_err(|error| {
        let path = path.to_owned();
        match error {
            SearchError::Compile(source) => Error::Compile { path, source },
            SearchError::Precision(source) => Error::Precision { path, source },
            SearchError::Judge(source) => Error::Simulate { path, source },
        }
    })?;
    report::meet(&config.name, config.security);
    let Found {
        compiled,
        predicted_bits,
        internal_bits,
        trials,
    } = found;
    config.precision_bits = internal_bits;
    let precision = Precision {
        asked_bits,
        predicted_bits: Some(predicted_bits).filter(|&bits| bits != f64::INFINITY),
        internal_bits,
        trials,
        samples: samples.len(),
    };
    Ok((compiled, precision))
}
