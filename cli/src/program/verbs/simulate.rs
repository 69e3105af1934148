//! `simulate`: a circuit on cleartext.

use crate::program::args::Simulate;
use crate::program::arrays::NewArrays;
use crate::program::error::Error;
use crate::program::files;
use crate::program::garbage::Garbage;
use crate::program::inputs::Inputs;
use crate::program::labels;
use crate::program::print;
use crate::program::progress::Bars;
use crate::program::tables;
use crate::program::values::InputArg;
use crate::program::warn::{Promises, warn_of_drowned, warn_of_inputs};
use peregrine::verdict::Finding;
use peregrine::words::{bits, count};
use peregrine::{Shape, SimulateOptions, SimulateReport, Verified, simulate_watched};
use peregrine_ir::given_shape;
use peregrine_runtime::simulate::{Headroom, oddities};

/// Runs `peregrine simulate`.
pub fn run(args: &Simulate) -> Result<(), Error> {
    if let Some(output) = &args.output {
        files::distinct(&[("the circuit", &args.circuit), ("the output", output)])?;
        InputArg::distinct(&args.input.files, output)?;
    }
    let mut promises = Promises::default();
    let circuit = files::circuit(&args.circuit, &mut promises)?;
    let ports = circuit.inputs.iter();
    let ports: Vec<(&str, &Shape)> = ports
        .map(|port| {
            (
                port.name.as_str(),
                given_shape(&port.shape, port.prepare.as_ref()),
            )
        })
        .collect();
    let names: Vec<&str> = ports.iter().map(|(name, _)| *name).collect();
    let inputs = Inputs::read(&args.input.files, &names, &args.circuit)?;
    let images = inputs.images(&ports)?;
    let options = SimulateOptions {
        noise: args.noise.then_some(args.seed),
        labels: labels::read(args.labels.as_deref(), images.len())?,
        limit: None,
        show_garbage: args.force.force,
    };
    let odd = oddities(&circuit, &images).map_err(|error| inputs.refuse(error))?;
    warn_of_inputs(&args.circuit, &odd);
    let file = output(args, &circuit)?;
    let simulated = simulate_watched(&circuit, &images, &options, &Bars);
    let simulated = simulated.map_err(|error| match (error, &args.labels) {
        (error @ peregrine::Error::Labels(_), Some(labels)) => Error::about(labels)(error),
        (error, _) => inputs.refuse(error),
    })?;
    warn_of_drowned(&simulated.drowned);
    let report = simulated.report;
    let shown = report.faults.is_empty() || args.force.force;
    if let (Some(file), true) = (file, shown) {
        file.write(&simulated.outputs)?;
    }
    print::print(args.json.json, promises, &report, |report| {
        text(report, args.noise)
    })?;
    verdict(args, report.faults)
}

/// The file of outputs, if one is asked for.
fn output(args: &Simulate, circuit: &Verified) -> Result<Option<NewArrays>, Error> {
    let outputs = circuit.outputs.iter();
    let outputs: Vec<&str> = outputs.map(|port| port.name.as_str()).collect();
    NewArrays::create(args.output.as_deref(), &outputs, args.force)
}

/// An error where there are faults.
fn verdict(args: &Simulate, findings: Vec<Finding>) -> Result<(), Error> {
    if findings.is_empty() {
        return Ok(());
    }
    Err(Error::Garbage(Box::new(Garbage {
        path: args.circuit.clone(),
        findings,
        headroom_bits: None,
        written: args.force.force && args.output.is_some(),
    })))
}

/// The outputs, and what is left of headroom and precision.
fn text(report: &SimulateReport, noise: bool) -> String {
    let headroom = report.headroom.map_or(String::new(), |least| {
        let Headroom {
            bits,
            value,
            magnitude,
        } = least;
        let note = if bits < 0.0 {
            ": it may wrap around the modulus"
        } else {
            ""
        };
        format!("\nleast headroom {bits:.1} bits, at {value} of magnitude {magnitude:.4}{note}\n")
    });
    let images = count(report.images, "image");
    let left = bits(report.precision_bits);
    let same = report.same_class.map_or(String::new(), |same| {
        format!(", and the class of {same} of {images}")
    });
    let precision = match noise {
        true => format!("\nthe noise leaves {left} of the largest output{same}\n"),
        false => String::new(),
    };
    let labels = report.correct.map_or(String::new(), |correct| {
        format!("\n{correct} of {images} have the class of their label\n")
    });
    let outputs = tables::outputs::show_all(&report.outputs);
    format!("{outputs}{headroom}{precision}{labels}")
}
