//! `decrypt`: the outputs of a circuit.

use crate::program::args::Decrypt;
use crate::program::arrays::NewArrays;
use crate::program::content::Wanted;
use crate::program::error::{Belongs, Error};
use crate::program::files;
use crate::program::garbage::Garbage;
use crate::program::print;
use crate::program::tables;
use crate::program::warn::{Promises, warn_of_small_flood};
use peregrine::verdict::Finding;
use peregrine::{DecryptOptions, DecryptReport, Fault, decrypt};
use peregrine_ir::FileKind;

/// Runs `peregrine decrypt`.
pub fn run(args: &Decrypt) -> Result<(), Error> {
    let mut roles = vec![
        ("the client interface", args.client.as_path()),
        ("the secret key", &args.secret),
        ("the input", &args.input),
    ];
    roles.extend(args.output.as_deref().map(|path| ("the output", path)));
    files::distinct(&roles)?;
    let mut promises = Promises::default();
    let client = files::client(&args.client, &mut promises)?;
    let secret = files::read_secret(&args.secret)?;
    let secret = client
        .read_secret(&secret)
        .map_err(Error::about(&args.secret))?;
    let outputs = files::read(&args.input, Wanted::Own(FileKind::Ciphertext))?;
    let outputs = client
        .read_outputs(&outputs)
        .map_err(Error::about(&args.input))?;
    let pair = Belongs::to(&args.secret, secret.key_pair());
    Belongs::encrypted(&args.input, outputs.key_pair()).check(pair)?;
    let ports = client.interface().outputs().iter();
    let names: Vec<&str> = ports.map(|port| port.name.as_str()).collect();
    let file = NewArrays::create(args.output.as_deref(), &names, args.force)?;
    let options = DecryptOptions {
        flood_bits: args.flood_bits,
        show_garbage: args.force.force,
    };
    let decrypted = decrypt(&client, &secret, &outputs, &options);
    let decrypted = decrypted.map_err(Error::about(&args.input))?;
    let report = decrypted.report;
    let readable = !decrypted.outputs.is_empty();
    let shown = readable && (report.faults.is_empty() || args.force.force);
    if let (Some(file), true) = (file, shown) {
        file.write(&decrypted.outputs)?;
    }
    if let (Some(bits), true) = (args.flood_bits, decrypted.is_flood_small) {
        warn_of_small_flood(bits);
    }
    print::print(args.json.json, promises, &report, |report| {
        let outputs = tables::outputs::show_all(&report.outputs);
        format!("{outputs}\n{}\n", noise_line(report))
    })?;
    verdict(args, report.faults, shown)
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

fn noise_line(report: &DecryptReport) -> String {
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
