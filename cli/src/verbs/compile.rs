//! `compile`: an ONNX model to a circuit and a client interface.

use super::model;
use crate::args::Compile;
use crate::costs::{self, Predicted};
use crate::error::Error;
use crate::files::{self, NewFile};
use crate::inputs::{Inputs, values};
use crate::key_table;
use crate::outputs;
use crate::progress::Bar;
use crate::report::{self, Summary};
use peregrine_compiler::passes::keys::KeyChoice;
use peregrine_compiler::pipeline::Config;
use peregrine_compiler::rewrite::simplify;
use peregrine_compiler::tensor::Graph;
use peregrine_ir::stats::Stats;
use peregrine_ir::{Interface, Remark, binary};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// How much larger than the samples values may become.
const CALIBRATION_MARGIN_BITS: f64 = 2.0;

/// What was compiled.
#[derive(Debug, Serialize)]
struct Report {
    circuit: Summary,
    precision_bits: u32,
    headroom_bits: u32,
    calibration: Option<Calibration>,
    /// How often each rewrite was applied.
    rewrites: BTreeMap<&'static str, usize>,
    /// Why the compiler chose what it chose.
    remarks: Vec<Remark>,
    files: Vec<Written>,
    stats: Stats,
    predicted: Predicted,
    /// What budgets for evaluation keys lead to.
    key_choices: Vec<KeyChoice>,
}

/// A file that was written.
#[derive(Debug, Serialize)]
struct Written {
    path: String,
    bytes: u64,
}

/// The ranges that sample inputs reach.
#[derive(Debug, Serialize)]
struct Calibration {
    samples: usize,
    /// Largest magnitude of each output.
    outputs: BTreeMap<String, f64>,
    /// Largest magnitude of any value.
    overall: f64,
}

/// Compiles.
pub fn run(args: &Compile) -> Result<(), Error> {
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
    let graph = model::load(&args.model)?;
    let (mut circuit_file, mut client_file) =
        (NewFile::create(&args.output)?, NewFile::create(&client)?);
    let mut config = model::config(&args.model, &args.choices)?;
    let calibration = match args.calibrate.is_empty() {
        true => None,
        false => Some(calibrate(args, &graph)?),
    };
    if let (Some(calibration), None) = (&calibration, args.choices.headroom_bits) {
        config.headroom_bits = calibration.headroom_bits(&config);
    }
    let compiled = model::compile(&args.model, &graph, &config)?;
    let interface = Interface::of(&compiled.circuit);
    circuit_file.write(&binary::write_circuit(&compiled.circuit))?;
    client_file.write(&binary::write_interface(&interface))?;
    let written = |path: &Path, bytes| Written {
        path: path.display().to_string(),
        bytes,
    };
    let report = Report {
        circuit: Summary::of(&interface),
        precision_bits: config.precision_bits,
        headroom_bits: config.headroom_bits,
        calibration,
        rewrites: compiled.rewrites.counts(),
        remarks: compiled.circuit.remarks.clone(),
        files: vec![
            written(&args.output, circuit_file.commit()?),
            written(&client, client_file.commit()?),
        ],
        stats: Stats::of(&compiled.circuit),
        predicted: Predicted::new(&config.cost, &compiled.circuit),
        key_choices: compiled.key_choices,
    };
    report::print(args.json.json, &report, text)
}

/// Evaluates the model, as it will be compiled, on samples.
fn calibrate(args: &Compile, graph: &Graph) -> Result<Calibration, Error> {
    let inputs = Inputs::read(&args.calibrate, &model::names(graph), &args.model)?;
    let images = inputs.images(&model::ports(graph))?;
    let (graph, _) = simplify(graph).map_err(|source| Error::Rewrite {
        path: args.model.clone(),
        source,
    })?;
    let bar = Bar::new("calibrate");
    let mut calibration = Calibration {
        samples: images.len(),
        outputs: BTreeMap::new(),
        overall: 0.0,
    };
    for (done, image) in (1..).zip(&images) {
        let all = graph
            .evaluate_all(&values(image))
            .map_err(|source| Error::Evaluate {
                path: args.model.clone(),
                source,
            })?;
        for output in &graph.outputs {
            let reached = all
                .get(output.node.index())
                .map_or(0.0, |values| outputs::largest(values));
            let largest = calibration
                .outputs
                .entry(output.name.clone())
                .or_insert(0.0);
            *largest = larger(*largest, reached);
        }
        calibration.overall = all
            .iter()
            .fold(calibration.overall, |m, v| larger(m, outputs::largest(v)));
        bar.count(done, images.len());
    }
    Ok(calibration)
}

/// The larger of two magnitudes; not a number is larger than all.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

impl Calibration {
    /// Room for values beyond the samples' by the margin, and for the sign.
    fn headroom_bits(&self, config: &Config) -> u32 {
        if !self.overall.is_finite() {
            return config.headroom_bits;
        }
        let bits = self.overall.log2() + CALIBRATION_MARGIN_BITS + 1.0;
        bits.ceil().max(2.0) as u32
    }
}

fn text(report: &Report) -> String {
    let mut rows = report.circuit.rows();
    let mut row = |what: &str, value: String| rows.push([what.to_owned(), value]);
    let Report {
        precision_bits,
        headroom_bits,
        ..
    } = report;
    row(
        "made for",
        format!("{precision_bits} bits of precision, {headroom_bits} bits of headroom"),
    );
    row("keys", costs::keys(&report.stats.keys));
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
    if let Some(Calibration {
        samples,
        outputs,
        overall,
    }) = &report.calibration
    {
        let outputs: Vec<String> = outputs
            .iter()
            .map(|(name, x)| format!("`{name}` {x:.4}"))
            .collect();
        row(
            "calibration",
            format!(
                "largest value in {samples} samples: {overall:.4}; outputs: {}",
                outputs.join(", ")
            ),
        );
    }
    rows.extend(costs::remarks(&report.remarks));
    let ports = costs::ports(&report.stats.inputs, &report.stats.outputs);
    let nodes = costs::nodes(&report.stats, true, &report.predicted.prediction);
    let keys = key_table::text(&report.key_choices);
    format!("{}\n{ports}\n{nodes}\n{keys}", report::list(&rows))
}
