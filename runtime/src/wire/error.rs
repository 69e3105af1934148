//! Errors of files.

use super::inputs_id::InputsId;
use super::missing::MissingKeys;
use crate::ckks::CkksError;
use crate::params::ParametersError;
use crate::ring::RingError;
use crate::rlwe::RlweError;
use peregrine_ir::binary::ContainerError;
use peregrine_ir::{Key, KeyPairId, KeyShapeError, Value};

/// Why bytes are not the file that was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The file is not of the right kind and circuit, or is damaged.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// The header does not decode.
    #[error("the header of the file does not decode: {0}")]
    Header(#[from] prost::DecodeError),
    /// A number is not the one that the circuit states.
    #[error("{what} is {found}, expected {expected}")]
    Number {
        /// Which number.
        what: &'static str,
        /// The number in the file.
        found: u64,
        /// The number that the circuit states.
        expected: u64,
    },
    /// A name is not the one that the circuit states.
    #[error("{what} is `{found}`, expected `{expected}`")]
    Name {
        /// What is named.
        what: &'static str,
        /// The name in the file.
        found: String,
        /// The name that the circuit states.
        expected: String,
    },
    /// A seed does not have 16 bytes.
    #[error("a seed has {found} bytes, expected 16")]
    Seed {
        /// Bytes found.
        found: usize,
    },
    /// A file has an evaluation key of a kind that does not exist.
    #[error("key {index} of the file has no valid kind")]
    NoKind {
        /// Position in the file.
        index: usize,
    },
    /// A secret key is for degrees that are not supported.
    #[error(
        "the secret key is for degrees 2^{least_log_n} to 2^{most_log_n}, supported are 2^{} to 2^{}",
        peregrine_ir::RingTable::LOG_N.start(), peregrine_ir::RingTable::LOG_N.end()
    )]
    Degrees {
        /// log2 of the smallest degree.
        least_log_n: u32,
        /// log2 of the largest degree.
        most_log_n: u32,
    },
    /// A file of keys describes a key wrongly.
    #[error("the description of key {index} of the file {what}")]
    KeyHeader {
        /// Position in the file.
        index: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A key has a shape that no evaluation key has, or no secure one.
    #[error(transparent)]
    Shape(#[from] KeyShapeError),
    /// A file has an evaluation key twice.
    #[error("the file has the {key} twice, for the same primes")]
    KeyTwice {
        /// The key.
        key: String,
    },
    /// No file of evaluation keys was given.
    #[error("no file of evaluation keys is given")]
    NoFiles,
    /// Files of evaluation keys belong to different key pairs.
    #[error("the evaluation keys belong to two key pairs, {first} and {other}")]
    KeyPairs {
        /// The key pair of the first file.
        first: KeyPairId,
        /// The key pair of another file.
        other: KeyPairId,
    },
    /// Values of fragments are encrypted under different key pairs.
    #[error("the values are encrypted under two key pairs, {first} and {other}")]
    ValuePairs {
        /// The key pair of the first values.
        first: KeyPairId,
        /// The key pair of other values.
        other: KeyPairId,
    },
    /// Values of fragments are computed from different inputs.
    #[error(
        "the values are computed from two encryptions of inputs, {first} and {other}; take all values of one run from the same"
    )]
    ValueInputs {
        /// The inputs of the first values.
        first: InputsId,
        /// The inputs of other values.
        other: InputsId,
    },
    /// Two values of one name differ.
    #[error(
        "{value} is there twice and differs: it was computed with other evaluation keys, or a file is wrong"
    )]
    ValueDiffers {
        /// Its name in the circuit that was cut.
        value: Value,
    },
    /// A file has a value of one name twice.
    #[error("the file has {value} twice")]
    ValueTwice {
        /// Its name in the circuit that was cut.
        value: Value,
    },
    /// Keys that a circuit needs are missing.
    #[error(transparent)]
    Missing(#[from] MissingKeys),
    /// The key pair in a file does not have 32 bytes.
    #[error("the key pair of the ciphertexts has {found} bytes, expected 32")]
    KeyPairBytes {
        /// Bytes found.
        found: usize,
    },
    /// A key is one that no circuit of these rings can have.
    #[error("the circuit's rings have no {key}")]
    UnknownKey {
        /// The key.
        key: Key,
    },
    /// A key is missing.
    #[error("the file has no {key}")]
    NoKey {
        /// The key.
        key: Key,
    },
    /// The words of a key do not make a key.
    #[error(transparent)]
    Rlwe(#[from] RlweError),
    /// The words of a ciphertext do not make a ciphertext.
    #[error(transparent)]
    Ckks(#[from] CkksError),
    /// Words are not residues modulo their prime.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// A level does not exist.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// Writing failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Checks that a number in a file is the one that the circuit states.
///
/// # Errors
/// When it is another.
pub(super) fn expect(what: &'static str, found: u64, expected: u64) -> Result<(), WireError> {
    if found == expected {
        return Ok(());
    }
    Err(WireError::Number {
        what,
        found,
        expected,
    })
}
