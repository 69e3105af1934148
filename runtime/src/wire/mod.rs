//! Files and messages of the runtime: secret key, evaluation keys, encrypted tensors.
//!
//! Every file is a [`peregrine_ir::binary`] container: magic, version, kind, owner, checksummed chunks. The owner is a circuit for
//! ciphertexts and a key pair for keys. Chunk 0 is a small header; the others hold residues, packed: modulo a prime of `b` bits each takes
//! `b` bits, lowest first, limb after limb (`words.rs` says it exactly).
//!
//! | kind | header | chunks |
//! |---|---|---|
//! | secret key | smallest and largest degree | one per degree: N coefficients, one byte each |
//! | evaluation keys | degree, kind, primes, digits, seed of each | one per key: the halves `b_d`, digit after digit |
//! | ciphertext | key pair, ports, levels, seeds | one per port: the parts of each ciphertext that the seed does not give |
//!
//! Keys are of a pair and not of a circuit. A secret key is coefficients of every degree. An evaluation key says by itself of which primes
//! it is, by value, so one file serves every circuit whose keys it covers ([`peregrine_ir::KeyShape::covers`]). Ciphertexts are packed
//! as one circuit asks for, so they carry both: the circuit, whose level of a port says which ring it is of, and the key pair.
//!
//! Readers trust nothing: what a file may hold follows from the circuit and its parameters or, for keys, from the length of their chunks;
//! lengths are compared before anything is allocated, and every residue is compared with its prime. Bytes never make them panic, and a
//! file that is refused costs no more memory than its unpacked residues, at most `64 / b` times its size.
//!
//! Nothing here opens a file except [`map_file`].

mod ciphertexts;
mod keys;
mod mapped;
mod messages;
mod secret;
mod words;

pub use ciphertexts::{
    EncryptedInputs, EncryptedOutputs, EncryptedPort, read_inputs, read_outputs, write_inputs,
    write_outputs,
};
pub use keys::{KeyBytes, KeyFile, KeyWriter, MissingKeys, PackedKey, StoredKeys};
pub use mapped::MappedFile;
pub use secret::{SecretCoefficients, read_secret, write_secret};

use crate::ckks::CkksError;
use crate::params::ParametersError;
use crate::ring::RingError;
use crate::rlwe::RlweError;
use peregrine_ir::binary::ContainerError;
use peregrine_ir::{Key, KeyPairId, KeyShapeError};

/// Maps a file into memory, for reading parts of it when they are needed.
///
/// # Errors
/// Those of opening and mapping.
pub fn map_file(path: &std::path::Path) -> std::io::Result<KeyBytes> {
    let file = std::fs::File::open(path)?;
    KeyBytes::map(&file)
}

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
        peregrine_ir::Ring::LOG_N.start(), peregrine_ir::Ring::LOG_N.end()
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

/// Chunk of the header.
const HEADER: u64 = 0;
/// Chunk of the first body; the others follow.
const BODY: u64 = 1;

fn expect(what: &'static str, found: u64, expected: u64) -> Result<(), WireError> {
    if found == expected {
        return Ok(());
    }
    Err(WireError::Number {
        what,
        found,
        expected,
    })
}
