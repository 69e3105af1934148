//! `simulate`: a circuit on cleartext.

use crate::args::Simulate;
use crate::arrays::NewArrays;
use crate::error::Error;
use crate::files;
use crate::inputs::{self, Inputs};
use crate::labels;
use crate::outputs::{self, Output};
use crate::precision;
use crate::progress::Bar;
use crate::report;
use crate::values::InputArg;
use crate::verdict::{self, Finding, Garbage};
use peregrine_ir::{Shape, Verified, given_shape};
use peregrine_runtime::ports::{Array, Arrays};
use peregrine_runtime::simulate::{
    self, Deviation, Drowned, Headroom, Options, Simulations, Twins,
};
use peregrine_runtime::verdict::{imprecise, out_of_range};
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
    /// Images whose class is their label.
    correct: Option<usize>,
    seconds: f64,
    /// Where a message came closest to the modulus.
    headroom: Option<Headroom>,
    /// Why the answer is garbage.
    faults: Vec<Finding>,
    /// None where they are garbage, unless they are asked for.
    outputs: BTreeMap<String, Output>,
}

/// What simulations gave.
struct Found {
    simulations: Simulations,
    /// The same without noise, where there was some: as the model gives it, and as it is decrypted.
    exact: Option<(Vec<Arrays>, Vec<Arrays>)>,
    drowned: Vec<Drowned>,
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
    let labels = labels::read(args.labels.as_deref(), images.len())?;
    let refuse = |error| inputs.refuse_simulation(error);
    let oddities = simulate::oddities(&circuit, &images).map_err(refuse)?;
    verdict::warn_of_inputs(&args.circuit, &oddities);
    let file = output(args, &circuit)?;
    let started = Instant::now();
    let found = simulated(args, &circuit, &images).map_err(refuse)?;
    let seconds = started.elapsed().as_secs_f64();
    let correct = labels
        .map(|l| l.correct(&found.simulations.outputs))
        .transpose()?;
    verdict::warn_of_drowned(&circuit, &found.drowned);
    let faults = faults(&circuit, &found);
    let shown = faults.is_empty() || args.force.force;
    let outputs = inputs::stack(&found.simulations.outputs);
    if let (Some(file), true) = (file, shown) {
        file.write(&outputs)?;
    }
    let Found {
        simulations, exact, ..
    } = found;
    let precision = exact.as_ref().map(|(_, d)| deviation(&simulations, d));
    let same_class = exact
        .as_ref()
        .and_then(|(o, _)| same_class(&simulations, o));
    let report = Report {
        images: images.len(),
        noise_seed: args.noise.then_some(args.seed),
        precision_bits: precision.and_then(precision::finite),
        same_class,
        correct,
        seconds,
        headroom: simulations.headroom,
        outputs: match shown {
            true => Output::all(&outputs),
            false => BTreeMap::new(),
        },
        faults,
    };
    report::print(args.json.json, &report, |report| text(report, args.noise))?;
    verdict(args, report.faults)
}

/// The file of outputs, if one is asked for.
fn output(args: &Simulate, circuit: &Verified) -> Result<Option<NewArrays>, Error> {
    let outputs = circuit.outputs.iter();
    let outputs: Vec<&str> = outputs.map(|port| port.name.as_str()).collect();
    NewArrays::create(args.output.as_deref(), &outputs, args.force)
}

/// Runs the circuit; with noise beside the same images without.
fn simulated(
    args: &Simulate,
    circuit: &Verified,
    images: &[Arrays],
) -> Result<Found, simulate::SimulateError> {
    let bar = Bar::new("simulate");
    if !args.noise {
        let options = Options { noise: None };
        return Ok(Found {
            simulations: simulate::run_all(circuit, images, options, &bar)?,
            exact: None,
            drowned: Vec::new(),
        });
    }
    let Twins {
        noisy,
        exact_outputs,
        exact_decrypted,
        drowned,
    } = simulate::run_twins(circuit, images, (args.seed, images.len()), &bar)?;
    Ok(Found {
        simulations: noisy,
        exact: Some((exact_outputs, exact_decrypted)),
        drowned,
    })
}

/// Why the answer is garbage, the first value that is too large first.
fn faults(circuit: &Verified, found: &Found) -> Vec<Finding> {
    let simulations = &found.simulations;
    let overflow = simulations.overflow.as_ref();
    let overflow = overflow.and_then(|headroom| verdict::overflow(circuit, headroom));
    let mut findings: Vec<Finding> = overflow.map(Finding::general).into_iter().collect();
    for (image, decrypted) in simulations.decrypted.iter().enumerate() {
        let image = (simulations.decrypted.len() > 1).then_some(image);
        let ranges = circuit.outputs.iter().filter_map(|port| {
            let largest = outputs::largest(decrypted.get(&port.name)?.data());
            out_of_range(&port.name, largest, port.expectation.as_ref()?, None)
        });
        findings.extend(ranges.map(|fault| Finding { image, fault }));
    }
    let Some((_, exact)) = &found.exact else {
        return findings;
    };
    for (image, (noisy, exact)) in simulations.decrypted.iter().zip(exact).enumerate() {
        let image = (simulations.decrypted.len() > 1).then_some(image);
        let each = Deviation::of_each(noisy, &inputs::values(exact));
        let faults = each
            .iter()
            .filter_map(|(name, d)| imprecise(name, *d, None));
        findings.extend(faults.map(|fault| Finding { image, fault }));
    }
    findings
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
fn text(report: &Report, noise: bool) -> String {
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
    let images = report::count(report.images, "image");
    let bits = precision::bits(report.precision_bits);
    let same = report.same_class.map_or(String::new(), |same| {
        format!(", and the class of {same} of {images}")
    });
    let precision = match noise {
        true => format!("\nthe noise leaves {bits} of the largest output{same}\n"),
        false => String::new(),
    };
    let labels = report.correct.map_or(String::new(), |correct| {
        format!("\n{correct} of {images} have the class of their label\n")
    });
    let outputs = outputs::show_all(&report.outputs);
    format!("{outputs}{headroom}{precision}{labels}")
}

/// How far simulations with noise are from those without.
fn deviation(noisy: &Simulations, exact: &[Arrays]) -> Deviation {
    let pairs = noisy.decrypted.iter().zip(exact);
    pairs
        .map(|(noisy, exact)| Deviation::of(noisy, &inputs::values(exact)))
        .fold(Deviation::default(), Deviation::join)
}

/// Of how many images all outputs have the same class with noise as without; none where outputs are no classes.
fn same_class(noisy: &Simulations, exact: &[Arrays]) -> Option<usize> {
    let classes =
        |arrays: &Arrays| -> Vec<Option<usize>> { arrays.values().map(outputs::class).collect() };
    let all: Vec<&Array> = exact.iter().flat_map(BTreeMap::values).collect();
    outputs::are_classes(all).then(|| {
        let pairs = noisy.outputs.iter().zip(exact);
        let same = pairs.filter(|(noisy, exact)| classes(noisy) == classes(exact));
        same.count()
    })
}
