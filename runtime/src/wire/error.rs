//! Why bytes are refused.

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
    /// Not a container of the right kind and circuit, or damaged.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// A header that does not decode.
    #[error("the header of the file does not decode: {0}")]
    Header(#[from] prost::DecodeError),
    /// A number is not the one the circuit asks for.
    #[error("{what} is {found}, expected {expected}")]
    Number {
        /// Which number.
        what: &'static str,
        /// In the file.
        found: u64,
        /// By the circuit.
        expected: u64,
    },
    /// A name is not the one the circuit asks for.
    #[error("{what} is `{found}`, expected `{expected}`")]
    Name {
        /// What is named.
        what: &'static str,
        /// In the file.
        found: String,
        /// By the circuit.
        expected: String,
    },
    /// A seed is not 16 bytes.
    #[error("a seed has {found} bytes, expected 16")]
    Seed {
        /// Bytes found.
        found: usize,
    },
    /// An evaluation key of a kind that does not exist.
    #[error("key {index} of the file has no valid kind")]
    NoKind {
        /// Position in the file.
        index: usize,
    },
    /// A secret key of degrees that there are not.
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
    /// A file of keys describes one wrongly.
    #[error("the description of key {index} of the file {what}")]
    KeyHeader {
        /// Position in the file.
        index: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Something that is no evaluation key, or no secure one.
    #[error(transparent)]
    Shape(#[from] KeyShapeError),
    /// The same evaluation key twice.
    #[error("the file has the {key} twice, for the same primes")]
    KeyTwice {
        /// The key.
        key: String,
    },
    /// No file of evaluation keys was given.
    #[error("no file of evaluation keys is given")]
    NoFiles,
    /// Files of evaluation keys that do not go together.
    #[error("the evaluation keys belong to two key pairs, {first} and {other}")]
    KeyPairs {
        /// Of the first file.
        first: KeyPairId,
        /// Of another one.
        other: KeyPairId,
    },
    /// Values of fragments under two keys.
    #[error("the values are encrypted under two key pairs, {first} and {other}")]
    ValuePairs {
        /// Of the first ones.
        first: KeyPairId,
        /// Of other ones.
        other: KeyPairId,
    },
    /// A file has a value of one name twice.
    #[error("the file has {value} twice")]
    ValueTwice {
        /// Its name in the circuit that was cut.
        value: Value,
    },
    /// Not all keys that a circuit needs are there.
    #[error(transparent)]
    Missing(#[from] MissingKeys),
    /// A file says for another number of key-pair bytes.
    #[error("the key pair of the ciphertexts has {found} bytes, expected 32")]
    KeyPairBytes {
        /// Bytes found.
        found: usize,
    },
    /// A key that no circuit of these rings can have.
    #[error("the circuit's rings have no {key}")]
    UnknownKey {
        /// The kind.
        key: Key,
    },
    /// There is no such key.
    #[error("the file has no {key}")]
    NoKey {
        /// The kind.
        key: Key,
    },
    /// The words of a key do not make one.
    #[error(transparent)]
    Rlwe(#[from] RlweError),
    /// The words of a ciphertext do not make one.
    #[error(transparent)]
    Ckks(#[from] CkksError),
    /// Words that are no residues.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// A level that does not exist.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// Writing failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Asks that a number of a file is the one that the circuit asks for.
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
