//! Reports of the roles: what keys were made, what was encrypted, what a server ran.

use crate::machine::MemoryReport;
use peregrine_runtime::range::Outlier;
use serde::Serialize;

/// Keys that were made: what `peregrine keygen --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeygenReport {
    /// The key pair, as 64 hexadecimal digits.
    pub key_pair: String,
    /// Fingerprints of the circuits that the keys serve.
    pub circuits: Vec<String>,
    /// The file of the secret key.
    pub secret: String,
    /// The file of evaluation keys.
    pub evaluation: String,
    /// Evaluation keys in the file.
    pub keys: usize,
    /// How many of the evaluation keys were there before.
    pub kept: usize,
    /// Length of the file of evaluation keys.
    pub evaluation_bytes: u64,
    /// How long it took.
    pub seconds: f64,
}

/// Inputs that were encrypted: what `peregrine encrypt --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EncryptReport {
    /// The circuit, as 64 hexadecimal digits.
    pub fingerprint: String,
    /// Names of the inputs.
    pub inputs: Vec<String>,
    /// Ciphertexts of all inputs together.
    pub ciphertexts: usize,
    /// The file of ciphertexts.
    pub path: String,
    /// Length of the file.
    pub bytes: u64,
    /// What is odd about the values of inputs; empty where nothing is.
    pub oddities: Vec<Outlier>,
}

/// A run on encrypted inputs: what `peregrine run --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// The circuit, as 64 hexadecimal digits.
    pub fingerprint: String,
    /// How long the computation took, without reading and writing.
    pub seconds: f64,
    /// Threads that computed.
    pub threads: usize,
    /// Memory as it was predicted and as it was taken.
    #[serde(flatten)]
    pub memory: MemoryReport,
    /// The file of encrypted outputs.
    pub path: String,
    /// Length of the file.
    pub bytes: u64,
}
