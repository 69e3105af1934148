//! Precision of outputs: compiling for it, and predicting it by simulated noise.

use super::error::CompileError;
use crate::arrays::values;
use crate::watch::Watcher;
use peregrine_compiler::pipeline::{Compiled, Config, Session};
use peregrine_compiler::precision::{self, Found};
use peregrine_compiler::tensor::{EvaluateError, Graph};
use peregrine_ir::Verified;
use peregrine_runtime::ports::Arrays;
use peregrine_runtime::simulate::{self, Deviation, Prediction, Sample, SimulateError};
use serde::Serialize;

/// The precision that was asked of the outputs of a circuit, and the one that simulated noise leaves. Bits are those of the
/// largest output: log2 of its magnitude over the largest error.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PrecisionReport {
    /// Bits that were asked for.
    pub asked_bits: u32,
    /// Bits that are right with simulated noise; none without any error.
    pub predicted_bits: Option<f64>,
    /// Bits after the point that every operation leaves.
    pub internal_bits: u32,
    /// Bits by which refreshes are finer than those that leave 13 bits of a value's bound in the worst value.
    pub refresh_bits: u32,
    /// Circuits that were compiled and simulated.
    pub trials: usize,
    /// Samples that were simulated.
    pub samples: usize,
}

/// Bits of outputs, none where there is no error.
pub(crate) fn finite(deviation: Deviation) -> Option<f64> {
    bounded(deviation.bits())
}

fn bounded(bits: f64) -> Option<f64> {
    Some(bits).filter(|&bits| bits != f64::INFINITY)
}

/// What a model makes of images in the clear.
pub(crate) fn samples(graph: &Graph, images: &[Arrays]) -> Result<Vec<Sample>, EvaluateError> {
    let sample = |inputs: &Arrays| {
        let expected = graph.evaluate_unfinished(&values(inputs))?;
        let names = graph.outputs.iter().map(|output| output.name.clone());
        Ok(Sample {
            inputs: inputs.clone(),
            expected: names.zip(expected).collect(),
        })
    };
    images.iter().map(sample).collect()
}

/// What simulated noise will leave of the outputs.
pub(crate) fn predict(
    circuit: &Verified,
    samples: &[Sample],
    watcher: &dyn Watcher,
) -> Result<Prediction, SimulateError> {
    simulate::predict(circuit, samples, &watcher.begin("simulate"))
}

/// Bits of the outputs on samples that were drawn: the worst of them counts, since nobody knows which is like the inputs to
/// come. A sample whose outputs happen to be small counts as having a sixteenth of the largest.
fn worst(prediction: &Prediction) -> f64 {
    const LEAST_SHARE: f64 = 1.0 / 16.0;
    let largest = prediction.deviation().largest;
    let bits = prediction.samples.iter().map(|deviation| {
        let largest = deviation.largest.max(largest * LEAST_SHARE);
        let deviation = Deviation {
            largest,
            ..*deviation
        };
        deviation.bits()
    });
    bits.fold(f64::INFINITY, f64::min)
}

/// What is asked of the outputs, and how it is judged.
pub(super) struct Goal<'a> {
    /// Bits of the largest output that must be right.
    pub bits: u32,
    /// The samples that precision is simulated on.
    pub images: &'a [Arrays],
    /// Whether the samples were drawn, not given.
    pub are_drawn: bool,
    /// The model in the clear, which outputs are compared with.
    pub graph: &'a Graph,
    pub watcher: &'a dyn Watcher,
}

impl Goal<'_> {
    /// Compiles a model so that its outputs have the wanted precision, with what simulated noise leaves of them; the configuration
    /// is then that of the circuit.
    pub fn compile(
        &self,
        session: &mut Session,
        config: &mut Config,
    ) -> Result<(Compiled, PrecisionReport, Prediction), CompileError> {
        let samples = samples(self.graph, self.images)?;
        let judge = |compiled: &Compiled| self.judge(compiled, &samples);
        let task = self.watcher.begin("compile");
        let watch = |share: f64, what: &str| task.set(share, what);
        let (found, prediction) = precision::compile_in(session, config, self.bits, judge, &watch)?;
        let Found {
            compiled,
            predicted_bits,
            internal_bits,
            refresh_bits,
            trials,
        } = found;
        config.precision_bits = internal_bits;
        config.refresh_bits = refresh_bits;
        let precision = PrecisionReport {
            asked_bits: self.bits,
            predicted_bits: bounded(predicted_bits),
            internal_bits,
            refresh_bits,
            trials,
            samples: samples.len(),
        };
        Ok((compiled, precision, prediction))
    }

    /// Compiles a model for a given number of bits per operation, and measures the precision of its outputs. Gives what
    /// [`Self::compile`] does.
    pub fn compile_once(
        &self,
        session: &mut Session,
        config: &Config,
    ) -> Result<(Compiled, PrecisionReport, Prediction), CompileError> {
        let samples = samples(self.graph, self.images)?;
        let task = self.watcher.begin("compile");
        let compiled = session.compile(config, &|share, what| task.set(share, what))?;
        let (predicted, prediction) = self.judge(&compiled, &samples)?;
        let precision = PrecisionReport {
            asked_bits: self.bits,
            predicted_bits: bounded(predicted),
            internal_bits: config.precision_bits,
            refresh_bits: config.refresh_bits,
            trials: 1,
            samples: samples.len(),
        };
        Ok((compiled, precision, prediction))
    }

    /// Bits of the outputs of a circuit, and what simulated noise leaves of them.
    fn judge(
        &self,
        compiled: &Compiled,
        samples: &[Sample],
    ) -> Result<(f64, Prediction), SimulateError> {
        let prediction = predict(&compiled.circuit, samples, self.watcher)?;
        let bits = match self.are_drawn {
            true => worst(&prediction),
            false => prediction.bits(),
        };
        Ok((bits, prediction))
    }
}
