//! What a compilation is reported as.

use super::precision::PrecisionReport;
use crate::calibrate::{RangesReport, SamplesReport, StatedReport};
use crate::predicted::PredictedRun;
use crate::summary::CircuitSummary;
use peregrine_compiler::ablation::Ablation;
use peregrine_compiler::passes::keys::KeyChoice;
use peregrine_compiler::placement::RefreshReport;
use peregrine_ir::stats::Stats;
use peregrine_ir::{InputRange, Remark};
use serde::Serialize;
use std::collections::BTreeMap;

/// Everything that is known of a compilation and the circuit that it gave: what `peregrine compile --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct CompileReport {
    /// Name, ring, levels and security of the circuit.
    pub circuit: CircuitSummary,
    /// A title and a sentence for each choice that was made, with the reason and the options of the program that change it.
    pub chosen: Vec<[String; 2]>,
    /// Bits after the point that every operation leaves.
    pub precision_bits: u32,
    /// log2 of the largest magnitude of any value, sign and margin included.
    pub headroom_bits: u32,
    /// Precision of the outputs; none where it was not simulated.
    pub precision: Option<PrecisionReport>,
    /// Where values are refreshed; none where the modulus suffices without.
    pub refreshes: Option<RefreshReport>,
    /// What values reach on samples that were given.
    pub calibration: Option<SamplesReport>,
    /// What the model itself states of its values.
    pub metadata: Option<StatedReport>,
    /// Where the values of each input lie.
    pub inputs: BTreeMap<String, InputRange>,
    /// What is known of the values of each node; none where the range of inputs is assumed.
    pub ranges: Option<RangesReport>,
    /// How often each rewrite was applied, by its name.
    pub rewrites: BTreeMap<&'static str, usize>,
    /// Why the compiler chose what it chose.
    pub remarks: Vec<Remark>,
    /// Files that circuit and interface were written to. Compiling writes none: whoever does, adds them.
    pub files: Vec<WrittenFile>,
    /// What the circuit does and how often, by node of the model.
    pub stats: Stats,
    /// How long a run is predicted to take.
    pub predicted: PredictedRun,
    /// The key budgets that were considered, with what each leads to; the chosen one is among them.
    pub key_choices: Vec<KeyChoice>,
    /// What each optimisation buys; none unless that was asked for.
    pub ablations: Option<Vec<Ablation>>,
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrittenFile {
    /// Path of the file.
    pub path: String,
    /// Length of the file.
    pub bytes: u64,
}
