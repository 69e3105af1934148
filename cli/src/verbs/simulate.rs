//! `simulate`: a circuit on cleartext.

use crate::args::Simulate;
use crate::arrays::NewArrays;
use crate::error::Error;
use crate::files;
use crate::inputs::{self, Inputs};
use crate::outputs::{self, Output};
use crate::precision;
use crate::progress::Bar;
use crate::report;
use crate::values::InputArg;
use peregrine_ir::Shape;
use peregrine_runtime::ports::Arrays;
use peregrine_runtime::simulate::{self, Deviation, Headroom, Options, Simulations};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Instant;

/// What was simulated.
#[derive(Debug, Serialize)]
struct Report {
    images: usize,
    noise_seed: Option<u64>,
    /// Bits of the largest output that the noise leaves right.
    precision_bits: Option<f64>,
    /// Images of which the noise leaves the largest value of every vector where it is.
    same_class: Option<usize>,
    seconds: f64,
    /// Where a message came closest to the modulus.
    headroom: Option<Headroom>,
    outputs: BTreeMap<String, Output>,
}

/// Simulates.
pub fn run(args: &Simulate) -> Result<(), Error> {
    if let Some(output) = &args.output {
        files::distinct(&[("the circuit", &args.circuit), ("the output", output)])?;
        InputArg::distinct(&args.input.files, output)?;
    }
    let circuit = files::circuit(&args.circuit)?;
    let ports = circuit.inputs.iter();
    let ports: Vec<(&str, &Shape)> = ports
        .map(|port| (port.name.as_str(), &port.shape))
        .collect();
    let names: Vec<&str> = ports.iter().map(|(name, _)| *name).collect();
    let inputs = Inputs::read(&args.input.files, &names, &args.circuit)?;
    let images = inputs.images(&ports)?;
    let outputs = circuit.outputs.iter();
    let outputs: Vec<&str> = outputs.map(|port| port.name.as_str()).collect();
    let file = NewArrays::create(args.output.as_deref(), &outputs, args.force)?;
    let options = Options {
        noise: args.noise.then_some(args.seed),
    };
    let started = Instant::now();
    let simulate = |options| {
        let bar = Bar::new("simulate");
        let simulations = simulate::run_all(&circuit, &images, options, &bar);
        simulations.map_err(|error| inputs.refuse_simulation(error))
    };
    let simulations = simulate(options)?;
    let seconds = started.elapsed().as_secs_f64();
    let exact = match options.noise {
        Some(_) => Some(simulate(Options { noise: None })?),
        None => None,
    };
    let outputs = inputs::stack(&simulations.outputs);
    if let Some(file) = file {
        file.write(&outputs)?;
    }
    let precision = exact.as_ref().map(|exact| deviation(&simulations, exact));
    let report = Report {
        images: images.len(),
        noise_seed: options.noise,
        precision_bits: precision.and_then(precision::finite),
        same_class: exact.as_ref().map(|exact| same_class(&simulations, exact)),
        seconds,
        headroom: simulations.headroom,
        outputs: Output::all(&outputs),
    };
    report::print(args.json.json, &report, text)
}

/// The outputs, and what is left of headroom and precision.
fn text(report: &Report) -> String {
    let headroom = report.headroom.map_or(String::new(), |least| {
        let Headroom {
            bits,
            value,
            magnitude,
        } = least;
        let verdict = if bits < 0.0 {
            ": the message may wrap around"
        } else {
            ""
        };
        format!(
            "\nleast headroom {bits:.1} bits, at {value} of magnitude {magnitude:.4}{verdict}\n"
        )
    });
    let precision = report.same_class.map_or(String::new(), |same| {
        let bits = precision::bits(report.precision_bits);
        let images = report::count(report.images, "image");
        format!(
            "\nthe noise leaves {bits} of the largest output, and the class of {same} of {images}\n"
        )
    });
    let outputs = outputs::show_all(&report.outputs);
    format!("{outputs}{headroom}{precision}")
}

/// How far simulations with noise are from those without.
fn deviation(noisy: &Simulations, exact: &Simulations) -> Deviation {
    let pairs = noisy.decrypted.iter().zip(&exact.decrypted);
    pairs
        .map(|(noisy, exact)| Deviation::of(noisy, &inputs::values(exact)))
        .fold(Deviation::default(), Deviation::join)
}

/// Of how many images all outputs have the same class with noise as without.
fn same_class(noisy: &Simulations, exact: &Simulations) -> usize {
    let classes = |arrays: &Arrays| arrays.values().map(outputs::class).collect::<Vec<_>>();
    let pairs = noisy.outputs.iter().zip(&exact.outputs);
    pairs
        .filter(|(noisy, exact)| classes(noisy) == classes(exact))
        .count()
}
