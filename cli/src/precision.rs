//! Precision of outputs: compiling for it, and predicting it by simulated noise.

use crate::error::Error;
use crate::inputs::values;
use crate::progress::Bar;
use crate::report;
use peregrine_compiler::pipeline::{Compiled, Config, Session};
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

/// Bits of the outputs on samples that were drawn: the worst of them counts, since nobody knows which is like the inputs to
/// come. A sample whose outputs happen to be small counts as having a sixteenth of the largest.
pub fn worst(circuit: &Verified, samples: &[Sample]) -> Result<f64, SimulateError> {
    const LEAST_SHARE: f64 = 1.0 / 16.0;
    let inputs: Vec<Arrays> = samples.iter().map(|s| s.inputs.clone()).collect();
    let options = simulate::Options { noise: Some(0) };
    let found = simulate::run_all(circuit, &inputs, options, &Bar::new("simulate"))?.decrypted;
    let deviations = found.iter().zip(samples);
    let deviations: Vec<Deviation> = deviations
        .map(|(found, sample)| Deviation::of(found, &sample.expected))
        .collect();
    let largest = deviations.iter().map(|d| d.largest).fold(0.0, f64::max);
    let bits = deviations.iter().map(|deviation| {
        let largest = deviation.largest.max(largest * LEAST_SHARE);
        let deviation = Deviation {
            largest,
            ..*deviation
        };
        deviation.bits()
    });
    Ok(bits.fold(f64::INFINITY, f64::min))
}

/// What is asked of the outputs, and how it is judged.
pub struct Goal<'a> {
    /// Bits of the largest output.
    pub bits: u32,
    /// The samples.
    pub images: &'a [Arrays],
    /// Whether they were drawn, and not given.
    pub are_drawn: bool,
}

impl Goal<'_> {
    /// Compiles a model so that its outputs have the precision; the configuration is then that of the circuit.
    pub fn compile(
        &self,
        (path, graph): (&Path, &Graph),
        session: &mut Session,
        config: &mut Config,
        bar: &Bar,
    ) -> Result<(Compiled, Precision), Error> {
        let samples = samples(path, graph, self.images)?;
        let judge = |compiled: &Compiled| self.judge(compiled, &samples);
        let watch = |share: f64, what: &str| bar.set(share, what);
        let found = precision::compile_in(session, config, self.bits, judge, &watch);
        let found = found.map_err(|error| {
            let path = path.to_owned();
            match error {
                SearchError::Compile(source) => Error::Compile { path, source },
                SearchError::Keys { internal, error } => Error::Keys {
                    path,
                    internal,
                    source: error,
                },
                SearchError::Precision(source) => Error::Precision { path, source },
                SearchError::Judge(source) => Error::Simulate { path, source },
            }
        })?;
        let Found {
            compiled,
            predicted_bits,
            internal_bits,
            trials,
        } = found;
        config.precision_bits = internal_bits;
        let precision = Precision {
            asked_bits: self.bits,
            predicted_bits: Some(predicted_bits).filter(|&bits| bits != f64::INFINITY),
            internal_bits,
            trials,
            samples: samples.len(),
        };
        Ok((compiled, precision))
    }

    /// Compiles a model for bits per operation that are given; its outputs have what precision that leaves.
    pub fn compile_once(
        &self,
        (path, graph): (&Path, &Graph),
        session: &mut Session,
        config: &Config,
        bar: &Bar,
    ) -> Result<(Compiled, Precision), Error> {
        let samples = samples(path, graph, self.images)?;
        let watch = |share: f64, what: &str| bar.set(share, what);
        let compiled = session.compile(config, &watch).map_err(|source| {
            let path = path.to_owned();
            Error::Compile { path, source }
        })?;
        let predicted = self.judge(&compiled, &samples).map_err(|source| {
            let path = path.to_owned();
            Error::Simulate { path, source }
        })?;
        let precision = Precision {
            asked_bits: self.bits,
            predicted_bits: Some(predicted).filter(|&bits| bits != f64::INFINITY),
            internal_bits: config.precision_bits,
            trials: 1,
            samples: samples.len(),
        };
        Ok((compiled, precision))
    }

    /// Bits of the outputs of a circuit.
    fn judge(&self, compiled: &Compiled, samples: &[Sample]) -> Result<f64, SimulateError> {
        match self.are_drawn {
            true => worst(&compiled.circuit, samples),
            false => Ok(predict(&compiled.circuit, samples)?.bits()),
        }
    }
}
