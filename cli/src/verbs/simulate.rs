//! `simulate`: a circuit on cleartext.

use crate::args::Simulate;
use crate::arrays;
use crate::error::Error;
use crate::files::{self, NewFile};
use crate::inputs::Inputs;
use crate::outputs::{self, Output};
use crate::progress::Bar;
use crate::report;
use crate::values::InputArg;
use peregrine_runtime::simulate::{self, Headroom, Options};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Instant;

/// What was simulated.
#[derive(Debug, Serialize)]
struct Report {
    noise_seed: Option<u64>,
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
    let names: Vec<&str> = circuit
        .inputs
        .iter()
        .map(|port| port.name.as_str())
        .collect();
    let inputs = Inputs::read(&args.input.files, &names, &args.circuit)?;
    let file = args.output.as_deref().map(NewFile::create).transpose()?;
    let options = Options {
        noise: args.noise.then_some(args.seed),
    };
    let started = Instant::now();
    let simulation = simulate::run(&circuit, &inputs.arrays, options, &Bar::new("simulate"));
    let simulation = simulation.map_err(|error| inputs.refuse_simulation(error))?;
    let seconds = started.elapsed().as_secs_f64();
    if let (Some(file), Some(path)) = (file, &args.output) {
        arrays::write(file, path, &simulation.outputs)?;
    }
    let report = Report {
        noise_seed: options.noise,
        seconds,
        headroom: simulation.headroom,
        outputs: Output::all(&simulation.outputs),
    };
    report::print(args.json.json, &report, |report| {
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
        format!("{}{headroom}", outputs::show_all(&report.outputs))
    })
}
