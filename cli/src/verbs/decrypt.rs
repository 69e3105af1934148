//! `decrypt`: the outputs of a circuit.
//!
//! Where values are flooded, nothing that is printed tells of the noise below the flood, unless the answer is garbage: then no
//! value is shown.

use crate::args::Decrypt;
use crate::arrays::NewArrays;
use crate::error::{Belongs, Error};
use crate::files::{self, Wanted};
use crate::outputs::{self, Output};
use crate::report;
use crate::verdict::{Finding, Garbage};
use peregrine_ir::FileKind;
use peregrine_runtime::ckks::CkksError;
use peregrine_runtime::client::{Client, ClientError, Decryption, Flood};
use peregrine_runtime::ring::Randomness;
use peregrine_runtime::verdict::{Fault, NoiseSource};
use serde::Serialize;
use std::collections::BTreeMap;

/// What was decrypted.
#[derive(Debug, Serialize)]
struct Report {
    fingerprint: String,
    flood_bits: Option<f64>,
    /// log2 of the noise, the largest of any output; for the owner of the key, so none where values are flooded.
    noise_log2: Option<f64>,
    /// log2 of the noise that is predicted for the same output, where the interface says it.
    expected_noise_log2: Option<f64>,
    /// By what the noise is judged.
    judged_by: Option<NoiseSource>,
    /// Why the answer is garbage.
    faults: Vec<Fault>,
    /// Whether steps of the circuit followed decryption; the noise is that before them.
    finished: bool,
    /// None where they are garbage, unless they are asked for.
    outputs: BTreeMap<String, Output>,
}

/// Decrypts.
pub fn run(args: &Decrypt) -> Result<(), Error> {
    let mut roles = vec![
        ("the client interface", args.client.as_path()),
        ("the secret key", &args.secret),
        ("the input", &args.input),
    ];
    roles.extend(args.output.as_deref().map(|path| ("the output", path)));
    files::distinct(&roles)?;
    let client = files::client(&args.client)?;
    let secret = files::read_secret(&args.secret)?;
    let secret = client
        .read_secret(&secret)
        .map_err(Error::client(&args.secret))?;
    let outputs = files::read(&args.input, Wanted::Own(FileKind::Ciphertext))?;
    let outputs = client
        .read_outputs(&outputs)
        .map_err(Error::client(&args.input))?;
    let pair = Belongs::to(&args.secret, secret.key_pair());
    Belongs::encrypted(&args.input, outputs.key_pair()).check(pair)?;
    let ports = client.interface().outputs().iter();
    let names: Vec<&str> = ports.map(|port| port.name.as_str()).collect();
    let file = NewArrays::create(args.output.as_deref(), &names, args.force)?;
    let mut randomness = Randomness::from_os();
    let flood = args.flood_bits.map(|bits| Flood {
        bits,
        randomness: &mut randomness,
    });
    let decryption = match client.decrypt(&secret, &outputs, flood) {
        Ok(decryption) => decryption,
        Err(ClientError::Decrypt { output, source }) => unreadable(output, &source),
        Err(error) => return Err(Error::client(&args.input)(error)),
    };
    let readable = !decryption.outputs.is_empty();
    let shown = readable && (decryption.faults.is_empty() || args.force.force);
    if let (Some(file), true) = (file, shown) {
        file.write(&decryption.outputs)?;
    }
    let report = reported(args, &client, decryption, shown);
    report::print(args.json.json, &report, |report| {
        let outputs = outputs::show_all(&report.outputs);
        format!("{outputs}\n{}\n", noise_line(report))
    })?;
    verdict(args, report.faults, shown)
}

/// What is said of an answer that does not decrypt.
fn unreadable(output: String, source: &CkksError) -> Decryption {
    let reason = source.to_string();
    Decryption {
        faults: vec![Fault::Unreadable { output, reason }],
        ..Decryption::default()
    }
}

/// What is said of an answer; values where they are shown.
fn reported(args: &Decrypt, client: &Client, decryption: Decryption, shown: bool) -> Report {
    let noise = loudest(client, &decryption);
    let noise_log2 = noise.map_or(f64::NEG_INFINITY, |(noise, ..)| noise.log2());
    // Slots that hold nothing may have less noise than values have.
    let most = noise_log2.max(decryption.imaginary.log2());
    if let Some(bits) = args.flood_bits.filter(|bits| -bits < most) {
        report::warn_of_small_flood(bits);
    }
    Report {
        fingerprint: report::hex(client.interface().fingerprint()),
        flood_bits: args.flood_bits,
        noise_log2: noise
            .filter(|_| args.flood_bits.is_none())
            .map(|(noise, ..)| noise.log2()),
        expected_noise_log2: noise.and_then(|(_, _, expected)| Some(expected?.log2())),
        judged_by: noise.map(|(_, source, _)| source),
        faults: decryption.faults,
        finished: client
            .interface()
            .outputs()
            .iter()
            .any(|port| !port.finish.is_empty()),
        outputs: match shown {
            true => Output::all(&decryption.outputs),
            false => BTreeMap::new(),
        },
    }
}

/// The noise of the output that has most, what shows it, and what is predicted for that output.
fn loudest(client: &Client, found: &Decryption) -> Option<(f64, NoiseSource, Option<f64>)> {
    let ports = client.interface().outputs().iter();
    let noises = ports.filter_map(|port| {
        let (noise, source) = found.readings.get(&port.name)?.noise();
        let expected = port.expectation.map(|expected| expected.noise);
        Some((noise, source, expected))
    });
    noises.max_by(|a, b| a.0.total_cmp(&b.0))
}

/// An error where there are faults.
fn verdict(args: &Decrypt, faults: Vec<Fault>, shown: bool) -> Result<(), Error> {
    if faults.is_empty() {
        return Ok(());
    }
    Err(Error::Garbage(Box::new(Garbage {
        path: args.input.clone(),
        findings: faults.into_iter().map(Finding::general).collect(),
        headroom_bits: None,
        written: shown && args.output.is_some(),
    })))
}

fn noise_line(report: &Report) -> String {
    let when = if report.finished {
        " before the steps that follow decryption"
    } else {
        ""
    };
    let source = report.judged_by;
    let source = source.map_or(String::new(), |source| format!(", judged by {source}"));
    let predicted = report.expected_noise_log2;
    let predicted = predicted.map_or(String::new(), |log2| format!("; 2^{log2:.1} predicted"));
    let judged = |log2| format!("noise about 2^{log2:.1}{when}{source}{predicted}");
    let flooded = |bits: f64| {
        format!(
            "flooded: every value has noise of deviation 2^{} added{when}",
            -bits
        )
    };
    let said = report.noise_log2.map(judged);
    said.or(report.flood_bits.map(flooded)).unwrap_or_default()
}
