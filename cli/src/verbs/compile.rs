//! `compile`: an ONNX model to a circuit and a client interface.

use super::model;
use crate::ablation_table;
use crate::args::Compile;
use crate::costs::{self, Predicted};
use crate::error::Error;
use crate::files::{self, Existing, NewFile, commit_together};
use crate::key_table;
use crate::measured::InputRange;
use crate::plan::Plan;
use crate::precision::Precision;
use crate::ranges::{self, Metadata, Samples};
use crate::report::{self, Summary};
use crate::values::InputArg;
use crate::verdict;
use peregrine_compiler::ablation::{Ablation, ablate};
use peregrine_compiler::passes::keys::KeyChoice;
use peregrine_ir::stats::Stats;
use peregrine_ir::{FileKind, Interface, Remark, binary};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What was compiled.
#[derive(Debug, Serialize)]
struct Report {
    circuit: Summary,
    /// What was chosen, why, and with which option to change it.
    chosen: [[String; 2]; 5],
    /// Bits after the point that every operation leaves.
    precision_bits: u32,
    headroom_bits: u32,
    /// Of the outputs, where there are samples.
    precision: Option<Precision>,
    calibration: Option<Samples>,
    /// What the model itself states.
    metadata: Option<Metadata>,
    /// Where the values of each input lie.
    inputs: BTreeMap<String, InputRange>,
    /// What is known of the values of each node.
    ranges: Option<ranges::Report>,
    /// How often each rewrite was applied.
    rewrites: BTreeMap<&'static str, usize>,
    /// Why the compiler chose what it chose.
    remarks: Vec<Remark>,
    files: Vec<Written>,
    stats: Stats,
    predicted: Predicted,
    /// What budgets for evaluation keys lead to.
    key_choices: Vec<KeyChoice>,
    /// What each optimisation buys.
    ablations: Option<Vec<Ablation>>,
}

/// A file that was written.
#[derive(Debug, Serialize)]
struct Written {
    path: String,
    bytes: u64,
}

/// Compiles.
pub fn run(args: &Compile) -> Result<(), Error> {
    let client = distinct(args)?;
    let graph = model::load(&args.model)?;
    let mut circuit_file = NewFile::create(&args.output, FileKind::Circuit, args.force)?;
    let mut client_file = NewFile::create(&client, FileKind::Interface, args.force)?;
    let plan = Plan::new(&args.model, &graph, &args.choices)?;
    let chosen = plan.choices();
    let Plan {
        config,
        compiled,
        prediction,
        measured,
        precision,
    } = plan;
    if let (Some(_), Some(prediction)) = (measured.samples(), &prediction) {
        // Inputs that were drawn need not be like any image.
        verdict::warn_of_drowned(&compiled.circuit, &prediction.drowned);
    }
    let ablations = args
        .ablate
        .then(|| ablate(&graph, &config, &compiled.circuit));
    // It may be as large as the circuit.
    drop(graph);
    let interface = Interface::of(&compiled.circuit);
    let written = binary::write_circuit_to(&compiled.circuit, circuit_file.out());
    written.map_err(Error::writing(&args.output))?;
    client_file.write(&binary::write_interface(&interface))?;
    let written = |path: &Path, bytes| Written {
        path: path.display().to_string(),
        bytes,
    };
    let [circuit_bytes, client_bytes] =
        commit_together([circuit_file, client_file], Existing::Replaced)?;
    let report = Report {
        circuit: Summary::of(&interface),
        chosen,
        precision_bits: config.precision_bits,
        headroom_bits: config.headroom_bits,
        precision,
        calibration: measured.samples(),
        metadata: measured.metadata(),
        inputs: measured.inputs().clone(),
        ranges: measured.report(config.headroom_bits),
        rewrites: compiled.rewrites.counts(),
        remarks: compiled.circuit.remarks.clone(),
        files: vec![
            written(&args.output, circuit_bytes),
            written(&client, client_bytes),
        ],
        stats: Stats::of(&compiled.circuit),
        predicted: Predicted::new(&config.cost, &compiled.circuit),
        key_choices: compiled.key_choices,
        ablations,
    };
    report::print(args.json.json, &report, text)
}

/// Where the client interface goes; refuses files that are given as two things.
fn distinct(args: &Compile) -> Result<PathBuf, Error> {
    let client = args
        .client
        .clone()
        .unwrap_or_else(|| args.output.with_extension("client"));
    let mut roles = vec![
        ("the model", args.model.as_path()),
        ("the circuit", &args.output),
        ("the client interface", &client),
    ];
    roles.extend(
        args.choices
            .profile
            .iter()
            .map(|path| ("the profile", path.as_path())),
    );
    files::distinct(&roles)?;
    for output in [&args.output, &client] {
        InputArg::distinct(&args.choices.calibrate, output)?;
    }
    Ok(client)
}

fn text(report: &Report) -> String {
    let mut rows = report.circuit.rows();
    // The lines on what was chosen say these.
    rows.retain(|[what, _]| what != "ring");
    let mut row = |what: &str, value: String| rows.push([what.to_owned(), value]);
    let headroom_bits = report.headroom_bits;
    row("predicted run", report.predicted.line());
    row("instructions", report.stats.total.instructions.to_string());
    row(
        "work",
        costs::work(&report.stats.total, &report.stats.bounds),
    );
    for file in &report.files {
        row(
            "written",
            format!("{}, {}", file.path, report::bytes(file.bytes)),
        );
    }
    if let Some(samples) = &report.calibration {
        row("calibration", samples.line());
    }
    if let Some(metadata) = &report.metadata {
        row("stated", metadata.line());
    }
    let ranges = report.ranges.as_ref();
    if let Some(line) = ranges.and_then(|ranges| ranges.line(headroom_bits)) {
        row("ranges", line);
    }
    rows.extend(costs::remarks(&report.remarks));
    let ports = costs::ports(&report.stats.inputs, &report.stats.outputs);
    let nodes = costs::nodes(&report.stats, true, &report.predicted.prediction);
    let ranges = ranges.map_or(String::new(), |ranges| ranges.table() + "\n");
    let keys = key_table::text(&report.key_choices);
    let ablations = report.ablations.as_ref();
    let ablations = ablations.map_or(String::new(), |a| {
        "\n".to_owned() + &ablation_table::text(a)
    });
    let chosen = report::list(&report.chosen);
    let rows = report::list(&rows);
    format!("{chosen}\n{rows}\n{ports}\n{ranges}{nodes}\n{keys}{ablations}")
}
