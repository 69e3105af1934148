//! What an inference is reported as.

use crate::compile::finite;
use crate::machine::MemoryReport;
use crate::outputs::OutputReport;
use crate::summary::CircuitSummary;
use crate::verdict::Finding;
use peregrine_ir::bounds::Bounds;
use peregrine_ir::stats::{Counts, Stats};
use peregrine_runtime::simulate::Deviation;
use serde::Serialize;
use std::collections::BTreeMap;

/// The report of an encrypted inference: what `peregrine infer --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct InferReport {
    /// Name, ring, levels and security of the circuit.
    pub circuit: CircuitSummary,
    /// What the circuit does for one image, and how often.
    pub operations: Counts,
    /// The work of the circuit beside the least that any packing needs.
    pub bounds: Bounds,
    /// The images that were run.
    pub images: Vec<ImageReport>,
    /// Number of images given; those after the first ones are left out, see [`InferOptions`](crate::infer::InferOptions).
    pub given: usize,
    /// Images whose class is that of the cleartext model; none where outputs are no classes.
    pub agreeing: Option<usize>,
    /// Images whose class is their label.
    pub correct: Option<usize>,
    /// Precision of the outputs, over all images.
    pub precision: MeasuredPrecision,
    /// Why answers are garbage; empty where they are sound.
    pub faults: Vec<Finding>,
    /// Threads that computed.
    pub threads: usize,
    /// Memory as it was predicted and as it was taken.
    #[serde(flatten)]
    pub memory: MemoryReport,
    /// How long each phase took, for all images.
    pub seconds: PhaseSeconds,
}

/// The result of one encrypted image.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ImageReport {
    /// The label of the image, where it is known.
    pub label: Option<i64>,
    /// The class that the cleartext model says.
    pub expected_class: Option<usize>,
    /// The class that the encrypted model says.
    pub class: Option<usize>,
    /// log2 of the largest error over the largest magnitude, before the steps that follow decryption; none without any error.
    pub error_log2: Option<f64>,
    /// How long each phase took for this image.
    pub seconds: PhaseSeconds,
    /// The outputs by name.
    pub outputs: BTreeMap<String, OutputReport>,
}

/// Bits of the largest output that are right, over all images; none without any error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MeasuredPrecision {
    /// Bits of the decrypted outputs that are right.
    pub measured_bits: Option<f64>,
    /// Bits that simulated noise leaves right, over the first images.
    pub predicted_bits: Option<f64>,
}

impl MeasuredPrecision {
    pub(super) fn new(measured: Deviation, predicted: Deviation) -> Self {
        Self {
            measured_bits: finite(measured),
            predicted_bits: finite(predicted),
        }
    }
}

/// Seconds of each phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PhaseSeconds {
    /// Seconds of compiling.
    pub compile: f64,
    /// Seconds of making keys.
    pub keygen: f64,
    /// Seconds of encrypting.
    pub encrypt: f64,
    /// Seconds of running the circuit.
    pub run: f64,
    /// Seconds of decrypting.
    pub decrypt: f64,
    /// Seconds of all phases and what is between them.
    pub total: f64,
}

impl PhaseSeconds {
    /// Adds the phases of an image.
    pub(super) fn add(&mut self, image: &Self) {
        self.encrypt += image.encrypt;
        self.run += image.run;
        self.decrypt += image.decrypt;
    }
}

impl InferReport {
    /// Reports images in order.
    pub(super) fn new(
        (circuit, stats): (CircuitSummary, &Stats),
        (images, given): (Vec<ImageReport>, usize),
        (precision, faults): (MeasuredPrecision, Vec<Finding>),
        (seconds, memory): (PhaseSeconds, MemoryReport),
    ) -> Self {
        let count = |agrees: fn(&ImageReport) -> bool| images.iter().filter(|i| agrees(i)).count();
        let classes = images.iter().any(|image| image.class.is_some());
        let labelled = images.iter().any(|image| image.label.is_some());
        let correct = count(|i| i.class.and_then(|c| i64::try_from(c).ok()) == i.label);
        Self {
            circuit,
            operations: stats.total,
            bounds: stats.bounds,
            agreeing: classes.then(|| count(|i| i.class == i.expected_class)),
            correct: labelled.then_some(correct),
            precision,
            faults,
            given,
            images,
            threads: rayon::current_num_threads(),
            memory,
            seconds,
        }
    }
}
