//! Files and messages of the runtime: secret keys, evaluation keys, encrypted tensors, values of fragments.
//!
//! Every file is a [`peregrine_ir::binary`] container: magic, version, kind, owner, checksummed chunks. The owner is a circuit
//! for ciphertexts, the circuit that was cut for values, and a key pair for keys. Chunk 0 is a small header; the others hold
//! residues, packed: modulo a prime of `b` bits each takes `b` bits, lowest first, limb after limb (`words.rs` has the details).
//!
//! | kind | header | chunks |
//! |---|---|---|
//! | secret key | smallest and largest degree | one per degree: N coefficients, one byte each |
//! | evaluation keys | degree, kind, primes, digits, seed of each | one per key: the halves `b_d`, digit after digit |
//! | ciphertext | key pair, ports, levels, seeds | one per port: the parts of each ciphertext that the seed does not give |
//! | values | key pair, names, inputs | one per value: the parts of a ciphertext, a plaintext, or digits in the order of their numbers |
//!
//! Keys belong to a pair and not to a circuit. A secret key is coefficients of every degree. An evaluation key states its primes
//! by value, so one file serves every circuit whose keys it covers ([`peregrine_ir::KeyShape::covers`]). Ciphertexts are packed
//! as one circuit states, so they carry both: the circuit, in which the level of a port says which ring it is of, and the key
//! pair.
//!
//! Readers trust nothing: what a file may hold follows from the circuit and its parameters or, for keys, from the length of their chunks;
//! lengths are compared before anything is allocated, and every residue is compared with its prime. Bytes never make them panic, and a
//! file that is refused costs no more memory than its unpacked residues, at most `64 / b` times its size.
//!
//! Nothing here opens a file except [`map_file`].

mod ciphertexts;
mod error;
mod inputs_id;
mod keys;
mod mapped;
mod messages;
mod missing;
mod secret;
mod values;
mod words;

pub use ciphertexts::{
    EncryptedInputs, EncryptedOutputs, EncryptedPort, read_inputs, read_outputs, write_inputs,
    write_outputs,
};
pub use error::WireError;
pub use inputs_id::InputsId;
pub use keys::{KeyBytes, KeyFile, KeyWriter, PackedKey, StoredKeys};
pub use mapped::MappedFile;
pub use missing::{MissingKeys, MissingValues};
pub use secret::{SecretCoefficients, read_secret, write_secret};
pub use values::{FragmentValues, HostValue, read_values, write_values};

/// Maps a file into memory, so that parts of it are read when they are needed.
///
/// # Errors
/// Errors of opening and mapping the file.
pub fn map_file(path: &std::path::Path) -> std::io::Result<KeyBytes> {
    let file = std::fs::File::open(path)?;
    KeyBytes::map(&file)
}
