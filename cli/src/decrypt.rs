//! The outputs of a circuit, decrypted and judged.
//!
//! Where values are flooded, nothing that is reported tells of the noise below the flood, unless the answer is garbage: then no
//! value is shown.

use crate::outputs::OutputReport;
use crate::summary::hex;
use crate::verdict::GarbageError;
use peregrine_runtime::ckks::CkksError;
use peregrine_runtime::client::{Client, ClientError, Decryption, Flood, Secret};
use peregrine_runtime::ports::Arrays;
use peregrine_runtime::ring::Randomness;
use peregrine_runtime::verdict::{Fault, NoiseSource};
use peregrine_runtime::wire::EncryptedOutputs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How [`decrypt()`] treats an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecryptOptions {
    /// Adds Gaussian noise of standard deviation `2^-flood_bits` to every value, for values that are given away: unflooded
    /// values and the ciphertexts together give the secret key away. None by default.
    pub flood_bits: Option<f64>,
    /// Whether outputs that are garbage are reported all the same.
    pub show_garbage: bool,
}

/// The outputs of a decryption with its report.
#[derive(Clone, Debug)]
pub struct Decrypted {
    /// The report of the decryption.
    pub report: DecryptReport,
    /// The outputs by name, garbage among them; none where the answer does not decrypt at all.
    pub outputs: Arrays,
    /// Whether the flood adds less noise than the values have, so that it hides nothing.
    pub is_flood_small: bool,
}

impl Decrypted {
    /// The outputs by name, unless they are garbage.
    ///
    /// # Errors
    /// When they are garbage, with every fault.
    pub fn answer(self) -> Result<Arrays, GarbageError> {
        let faults = self.report.faults;
        match faults.is_empty() {
            true => Ok(self.outputs),
            false => Err(GarbageError { faults }),
        }
    }
}

/// The report of a decryption: what `peregrine decrypt --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct DecryptReport {
    /// Fingerprint of the circuit, as 64 hexadecimal digits.
    pub fingerprint: String,
    /// log2 of one over the standard deviation of the noise that was added; none without flooding.
    pub flood_bits: Option<f64>,
    /// log2 of the noise, the largest of any output. It is for the owner of the key, so there is none where values are
    /// flooded.
    pub noise_log2: Option<f64>,
    /// log2 of the noise that is predicted for the output with the largest noise, where the interface states it.
    pub expected_noise_log2: Option<f64>,
    /// The slots that the noise is judged by.
    pub judged_by: Option<NoiseSource>,
    /// Why the answer is garbage; empty where it is sound.
    pub faults: Vec<Fault>,
    /// Whether the client took steps after decryption; the reported noise is that before them.
    pub finished: bool,
    /// The outputs by name; none where they are garbage, unless they are asked for.
    pub outputs: BTreeMap<String, OutputReport>,
}

/// Decrypts an answer and judges it.
///
/// ```
/// # fn main() -> Result<(), peregrine::Error> {
/// # use peregrine::{Client, CompileOptions, DecryptOptions, Model, Randomness, Server, Silent};
/// # use peregrine::{arrays, compile, decrypt};
/// # let digits = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/digits");
/// # let model = Model::open(format!("{digits}/digits.onnx"))?;
/// # let compiled = compile(&model, &CompileOptions::default())?;
/// # let (client, mut randomness) = (Client::new(compiled.interface)?, Randomness::from_os());
/// # let secret = client.generate_secret(&mut randomness)?;
/// # let keys = client.evaluation_keys(&secret, &mut randomness)?;
/// # let image = arrays::named([("image", arrays::load(format!("{digits}/image.npy"))?)]);
/// # let encrypted = client.encrypt(&secret, &image, &mut randomness)?;
/// # let server = Server::new(compiled.circuit)?;
/// # let session = server.session(std::sync::Arc::new(keys), server.resources())?;
/// let answer = session.run(encrypted, &Silent)?;
/// // For its owner: what noise there is, and how much was predicted.
/// let own = decrypt(&client, &secret, &answer, &DecryptOptions::default())?;
/// assert!(own.report.noise_log2 < Some(-4.0));
/// // For others: values with noise that hides that of the scheme.
/// let flooded = DecryptOptions { flood_bits: Some(3.0), ..DecryptOptions::default() };
/// let given = decrypt(&client, &secret, &answer, &flooded)?;
/// assert_eq!(given.report.noise_log2, None);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When it is of another circuit or encrypted under another key. What does not decrypt because it left the modulus is no error,
/// but has a fault.
pub fn decrypt(
    client: &Client,
    secret: &Secret,
    answer: &EncryptedOutputs,
    options: &DecryptOptions,
) -> Result<Decrypted, ClientError> {
    let mut randomness = Randomness::from_os();
    let flood = options.flood_bits.map(|bits| Flood {
        bits,
        randomness: &mut randomness,
    });
    let found = match client.decrypt(secret, answer, flood) {
        Ok(found) => found,
        Err(ClientError::Decrypt { output, source }) => unreadable(output, &source),
        Err(error) => return Err(error),
    };
    Ok(judged(client, found, options))
}

/// What is said of an answer that does not decrypt.
fn unreadable(output: String, source: &CkksError) -> Decryption {
    let reason = source.to_string();
    Decryption {
        faults: vec![Fault::Unreadable { output, reason }],
        ..Decryption::default()
    }
}

fn judged(client: &Client, found: Decryption, options: &DecryptOptions) -> Decrypted {
    let flood_bits = options.flood_bits;
    let noise = loudest(client, &found);
    let noise_log2 = noise.map_or(f64::NEG_INFINITY, |(noise, ..)| noise.log2());
    // Slots that hold nothing may have less noise than values have.
    let most = noise_log2.max(found.imaginary.log2());
    let is_shown = found.faults.is_empty() || options.show_garbage;
    let outputs = client.interface().outputs();
    let report = DecryptReport {
        fingerprint: hex(client.interface().fingerprint()),
        flood_bits,
        noise_log2: noise
            .filter(|_| flood_bits.is_none())
            .map(|(noise, ..)| noise.log2()),
        expected_noise_log2: noise.and_then(|(_, _, expected)| Some(expected?.log2())),
        judged_by: noise.map(|(_, source, _)| source),
        faults: found.faults,
        finished: outputs.iter().any(|port| !port.finish.is_empty()),
        outputs: match is_shown {
            true => OutputReport::all(&found.outputs),
            false => BTreeMap::new(),
        },
    };
    Decrypted {
        report,
        outputs: found.outputs,
        is_flood_small: flood_bits.is_some_and(|bits| -bits < most),
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
