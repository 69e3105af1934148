//! `decrypt`: the outputs of a circuit.
//!
//! Where values are flooded, nothing that is printed tells of the noise below the flood.

use crate::args::Decrypt;
use crate::arrays::NewArrays;
use crate::error::{Belongs, Error};
use crate::files::{self, Wanted};
use crate::outputs::{self, Output};
use crate::report;
use peregrine_ir::FileKind;
use peregrine_runtime::client::Flood;
use peregrine_runtime::ring::Randomness;
use serde::Serialize;
use std::collections::BTreeMap;

/// What was decrypted.
#[derive(Debug, Serialize)]
struct Report {
    fingerprint: String,
    flood_bits: Option<f64>,
    /// log2 of the noise, judged by the imaginary parts; for the owner of the key, so none where values are flooded.
    noise_log2: Option<f64>,
    /// Whether steps of the circuit followed decryption; the noise is that before them.
    finished: bool,
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
    let decryption = client
        .decrypt(&secret, &outputs, flood)
        .map_err(Error::client(&args.input))?;
    if let Some(file) = file {
        file.write(&decryption.outputs)?;
    }
    let noise_log2 = decryption.imaginary.log2();
    if let Some(bits) = args.flood_bits.filter(|bits| -bits < noise_log2) {
        report::warn_of_small_flood(bits);
    }
    let report = Report {
        fingerprint: report::hex(client.interface().fingerprint()),
        flood_bits: args.flood_bits,
        noise_log2: args.flood_bits.is_none().then_some(noise_log2),
        finished: client
            .interface()
            .outputs()
            .iter()
            .any(|port| !port.finish.is_empty()),
        outputs: Output::all(&decryption.outputs),
    };
    report::print(args.json.json, &report, |report| {
        let outputs = outputs::show_all(&report.outputs);
        format!("{outputs}\n{}\n", noise(report))
    })
}

fn noise(report: &Report) -> String {
    let when = if report.finished {
        " before the steps that follow decryption"
    } else {
        ""
    };
    let judged = |log2| format!("noise about 2^{log2:.1}{when}, judged by the imaginary parts");
    let flooded = |bits: f64| {
        format!(
            "flooded: every value has noise of deviation 2^{} added{when}",
            -bits
        )
    };
    let said = report.noise_log2.map(judged);
    said.or(report.flood_bits.map(flooded)).unwrap_or_default()
}
