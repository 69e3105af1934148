//! Reports of the roles: what keys were made, what was encrypted, what a server ran.

use crate::machine::MemoryReport;
use peregrine_runtime::range::Outlier;
use serde::Serialize;

/// The report of key generation: what `peregrine keygen --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeygenReport {
    /// Fingerprint of the key pair, as 64 hexadecimal digits.
    pub key_pair: String,
    /// Fingerprints of the circuits that the keys serve.
    pub circuits: Vec<String>,
    /// Path of the secret key.
    pub secret: String,
    /// Path of the evaluation keys.
    pub evaluation: String,
    /// Number of evaluation keys in the file.
    pub keys: usize,
    /// Number of evaluation keys that were there before.
    pub kept: usize,
    /// Length of the file of evaluation keys.
    pub evaluation_bytes: u64,
    /// Seconds that it took.
    pub seconds: f64,
}

/// The report of encryption: what `peregrine encrypt --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EncryptReport {
    /// Fingerprint of the circuit, as 64 hexadecimal digits.
    pub fingerprint: String,
    /// Names of the inputs.
    pub inputs: Vec<String>,
    /// Number of ciphertexts of all inputs together.
    pub ciphertexts: usize,
    /// Path of the file of ciphertexts.
    pub path: String,
    /// Length of the file.
    pub bytes: u64,
    /// What is odd about the values of inputs; empty where nothing is.
    pub oddities: Vec<Outlier>,
}

/// The report of a run on encrypted inputs: what `peregrine run --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// Fingerprint of the circuit, as 64 hexadecimal digits.
    pub fingerprint: String,
    /// Seconds of the computation, without reading and writing.
    pub seconds: f64,
    /// Number of threads that computed.
    pub threads: usize,
    /// Memory of the run, predicted and measured.
    #[serde(flatten)]
    pub memory: MemoryReport,
    /// Path of the file of encrypted outputs.
    pub path: String,
    /// Length of the file.
    pub bytes: u64,
}
