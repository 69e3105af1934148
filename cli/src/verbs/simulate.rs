//! `simulate`: a circuit on cleartext.

use crate::args::Simulate;
use crate::arrays;
use crate::error::Error;
use crate::files::{self, NewFile};
use crate::inputs::{self, Inputs};
use crate::outputs::{self, Output};
use crate::precision;
use crate::progress::Bar;
use crate::report;
use crate::values::InputArg;
use peregrine_ir::Verified;
use peregrine_runtime::simulate::{self, Deviation, Headroom, Options, Simulation};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Instant;

/// What was simulated.
#[derive(Debug, Serialize)]
struct Report {
    noise_seed: Option<u64>,
    /// Bits of the largest output that the noise leaves right.
    precision_bits: Option<f64>,
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
    let simulation = simulate(&circuit, &inputs, options)?;
    let seconds = started.elapsed().as_secs_f64();
    let precision = match options.noise {
        Some(_) => Some(precision(&circuit, &inputs, &simulation)?),
        None => None,
    };
    if let (Some(file), Some(path)) = (file, &args.output) {
        arrays::write(file, path, &simulation.outputs)?;
    }
    let report = Report {
        noise_seed: options.noise,
        precision_bits: precision.and_then(precision::finite),
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
        let precision = report.noise_seed.map_or(String::new(), |_| {
            let bits = precision::bits(report.precision_bits);
            format!("\nthe noise leaves {bits} of the largest output\n")
        });
        let outputs = outputs::show_all(&report.outputs);
        format!("{outputs}{headroom}{precision}")
    })
}

fn simulate(circuit: &Verified, inputs: &Inputs, options: Options) -> Result<Simulation, Error> {
    let simulation = simulate::run(circuit, &inputs.arrays, options, &Bar::new("simulate"));
    simulation.map_err(|error| inputs.refuse_simulation(error))
}

/// How far a simulation with noise is from the one without.
fn precision(circuit: &Verified, inputs: &Inputs, noisy: &Simulation) -> Result<Deviation, Error> {
    let exact = simulate(circuit, inputs, Options { noise: None })?.decrypted;
    Ok(Deviation::of(&noisy.decrypted, &inputs::values(&exact)))
}
