//! `encrypt`: the inputs of a circuit.

use crate::program::args::Encrypt;
use crate::program::error::Error;
use crate::program::files::{self, NewFile};
use crate::program::inputs::Inputs;
use crate::program::print;
use crate::program::values::InputArg;
use crate::program::warn::{Promises, warn_of_inputs};
use peregrine::summary::hex;
use peregrine::words;
use peregrine::{ClientError, EncryptReport, Randomness};
use peregrine_ir::FileKind;

/// Runs `peregrine encrypt`.
pub fn run(args: &Encrypt) -> Result<(), Error> {
    files::distinct(&[
        ("the client interface", &args.client),
        ("the secret key", &args.secret),
        ("the output", &args.output),
    ])?;
    InputArg::distinct(&args.input.files, &args.output)?;
    let mut promises = Promises::default();
    let client = files::client(&args.client, &mut promises)?;
    let secret = files::read_secret(&args.secret)?;
    let secret = client
        .read_secret(&secret)
        .map_err(Error::about(&args.secret))?;
    let ports = client.interface().inputs();
    let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
    let inputs = Inputs::read(&args.input.files, &names, &args.client)?;
    let refuse = |error: ClientError| inputs.refuse(error);
    let oddities = client.oddities(&inputs.arrays).map_err(refuse)?;
    warn_of_inputs(&args.client, &oddities);
    let mut file = NewFile::create(&args.output, FileKind::Ciphertext, args.force)?;
    let encrypted = client.encrypt(&secret, &inputs.arrays, &mut Randomness::from_os());
    let encrypted = encrypted.map_err(refuse)?;
    file.write(&client.write_inputs(&encrypted))?;
    let report = EncryptReport {
        fingerprint: hex(client.interface().fingerprint()),
        inputs: names.iter().map(|name| (*name).to_owned()).collect(),
        ciphertexts: ports
            .iter()
            .map(|port| port.layout.ciphertexts() as usize)
            .sum(),
        path: args.output.display().to_string(),
        oddities,
        bytes: file.commit()?,
    };
    print::print(args.json.json, promises, &report, |report| {
        let EncryptReport {
            inputs,
            ciphertexts,
            path,
            bytes,
            ..
        } = report;
        let (inputs, bytes) = (inputs.join(", "), words::bytes(*bytes));
        let ciphertexts = words::count(*ciphertexts, "ciphertext");
        format!("{path}: {inputs} in {ciphertexts}, {bytes}\n")
    })
}
