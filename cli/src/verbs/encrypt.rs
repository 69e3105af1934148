//! `encrypt`: the inputs of a circuit.

use crate::args::Encrypt;
use crate::error::Error;
use crate::files::{self, NewFile};
use crate::inputs::Inputs;
use crate::report;
use crate::values::InputArg;
use crate::verdict;
use peregrine_ir::FileKind;
use peregrine_runtime::range::Outlier;
use peregrine_runtime::ring::Randomness;
use serde::Serialize;

/// What was encrypted.
#[derive(Debug, Serialize)]
struct Report {
    fingerprint: String,
    inputs: Vec<String>,
    ciphertexts: usize,
    path: String,
    bytes: u64,
    /// What is odd about the inputs.
    oddities: Vec<Outlier>,
}

/// Encrypts.
pub fn run(args: &Encrypt) -> Result<(), Error> {
    files::distinct(&[
        ("the client interface", &args.client),
        ("the secret key", &args.secret),
        ("the output", &args.output),
    ])?;
    InputArg::distinct(&args.input.files, &args.output)?;
    let client = files::client(&args.client)?;
    let secret = files::read_secret(&args.secret)?;
    let secret = client
        .read_secret(&secret)
        .map_err(Error::client(&args.secret))?;
    let ports = client.interface().inputs();
    let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
    let inputs = Inputs::read(&args.input.files, &names, &args.client)?;
    let refuse = |error| inputs.refuse_client(error);
    let oddities = client.oddities(&inputs.arrays).map_err(refuse)?;
    verdict::warn_of_inputs(&args.client, &oddities);
    let mut file = NewFile::create(&args.output, FileKind::Ciphertext, args.force)?;
    let encrypted = client.encrypt(&secret, &inputs.arrays, &mut Randomness::from_os());
    let encrypted = encrypted.map_err(refuse)?;
    file.write(&client.write_inputs(&encrypted))?;
    let report = Report {
        fingerprint: report::hex(client.interface().fingerprint()),
        inputs: names.iter().map(|name| (*name).to_owned()).collect(),
        ciphertexts: ports
            .iter()
            .map(|port| port.layout.ciphertexts() as usize)
            .sum(),
        path: args.output.display().to_string(),
        oddities,
        bytes: file.commit()?,
    };
    report::print(args.json.json, &report, |report| {
        let Report {
            inputs,
            ciphertexts,
            path,
            bytes,
            ..
        } = report;
        let (inputs, bytes) = (inputs.join(", "), report::bytes(*bytes));
        let ciphertexts = report::count(*ciphertexts, "ciphertext");
        format!("{path}: {inputs} in {ciphertexts}, {bytes}\n")
    })
}
