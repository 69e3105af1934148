//! Files and messages of the runtime: secret key, evaluation keys, encrypted tensors.
//!
//! Every file is a [`peregrine_ir::binary`] container: magic, version, kind, fingerprint of the circuit, checksummed
//! chunks. Chunk 0 is a small protocol-buffers header; the others hold residues, packed: modulo a prime of `b` bits each takes
//! `b` bits, lowest first, limb after limb in the order of the pool (`words.rs` says it exactly).
//!
//! | kind | header | chunks |
//! |---|---|---|
//! | secret key | degree of each ring | one per ring: N coefficients, one byte each |
//! | evaluation keys | kind, level, seed, digits of each | one per key: the halves `b_d`, digit after digit |
//! | ciphertext | ports, levels, seeds | one per port: the parts of each ciphertext that the seed does not give |
//!
//! Where a circuit has two rings, the level of a port or a key says which one it is of, and with it how long limbs are and which number
//! a prime has (a key for switching rings numbers primes as the main ring does).
//!
//! Readers trust nothing: what a file may hold follows from the circuit and its parameters, lengths (of the header too) are
//! compared before anything is allocated, and every residue is compared with its prime. Bytes never make them panic, and a
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
pub use keys::{KeyBytes, KeyFile, KeyWriter, PackedKey};
pub use mapped::MappedFile;
pub use secret::{read_secret_keys, write_secret_keys};

use crate::ckks::CkksError;
use crate::params::ParametersError;
use crate::ring::RingError;
use crate::rlwe::RlweError;
use peregrine_ir::Key;
use peregrine_ir::binary::ContainerError;

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
    /// Two evaluation keys of one kind.
    #[error("the file has two keys of one kind ({key})")]
    KeyTwice {
        /// The kind.
        key: Key,
    },
    /// A key that the circuit does not use.
    #[error("the circuit uses no {key}")]
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
