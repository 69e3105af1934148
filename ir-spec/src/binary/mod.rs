//! The binary form of circuits and interfaces: what is written to files.
//!
//! A circuit file is a [`container`] of two protobuf messages: the *public part* (name, security, ring, keys, and ports
//! with shape, packing, level and scale) and the *private part* (nodes, layouts, weights, operators, constants,
//! instructions). An interface file holds the same public part and the SHA-256 of the private one, from which anyone can
//! check the [`Fingerprint`] that names the circuit in every file.
//!
//! Instructions lie in columns of small differences, and types are not stored: reading derives them again. Reading
//! never panics and allocates in proportion to the file; what it accepts is verified.

#![deny(clippy::indexing_slicing)]

mod bodies;
mod column;
pub mod container;
mod error;
mod expectation;
mod fields;
mod fingerprint;
mod finish;
mod operator;
mod owner;
mod parts;
mod private;
mod program;
mod public;
mod wire;

pub use crate::fingerprint::Fingerprint;
pub use container::{Container, ContainerError, FORMAT_VERSION, FileKind};
pub use error::{DecodeError, ReadError};
pub(crate) use fingerprint::PrivateHash;
pub use owner::{KeyPairId, Owner};
pub use parts::fingerprint;
pub(crate) use parts::split;

use crate::interface::Interface;
use crate::verify::{Verified, verify};
use std::io::{self, Seek, Write};

/// Tag of the chunk with the public part.
pub const PUBLIC: u64 = u64::from_le_bytes(*b"public\0\0");
/// Tag of the chunk with the private part.
pub const PRIVATE: u64 = u64::from_le_bytes(*b"private\0");
/// Tag of the chunk with the SHA-256 of the private part.
pub const PRIVATE_HASH: u64 = u64::from_le_bytes(*b"privhash");

/// The bytes of the file of a circuit, weights included.
pub fn write_circuit(circuit: &Verified) -> Vec<u8> {
    let (_, public, private) = split(circuit);
    let fingerprint = Fingerprint::of(&public, PrivateHash::of(&private));
    let chunks = [(PUBLIC, public.as_slice()), (PRIVATE, private.as_slice())];
    container::encode(FileKind::Circuit, fingerprint, &chunks)
}

/// Writes the file of a circuit to `out`: the bytes of [`write_circuit`], without all of them in memory.
///
/// # Errors
/// Errors of writing to `out`.
pub fn write_circuit_to(circuit: &Verified, out: impl Write + Seek) -> io::Result<()> {
    let (_, public, private) = split(circuit);
    let fingerprint = Fingerprint::of(&public, PrivateHash::of(&private));
    let mut file = container::Writer::new(out, FileKind::Circuit, fingerprint, 2)?;
    file.chunk(PUBLIC, &public)?;
    file.chunk(PRIVATE, &private)?;
    file.finish().map(drop)
}

/// Reads the file of a circuit and verifies the circuit.
///
/// # Errors
/// When the file is damaged, of another kind, malformed, or its circuit does not verify.
pub fn read_circuit(file: &[u8]) -> Result<Verified, ReadError> {
    let container = Container::parse(file)?;
    container.expect_kind(FileKind::Circuit)?;
    let public = public::decode(container.chunk(PUBLIC)?)?;
    let circuit = verify(private::decode(container.chunk(PRIVATE)?, public)?)?;
    // Encoding is deterministic, so this also refuses parts that disagree and encodings that are not canonical.
    same_fingerprint(container.fingerprint(), fingerprint(&circuit))?;
    Ok(circuit)
}

/// The bytes of the file of an interface.
pub fn write_interface(interface: &Interface) -> Vec<u8> {
    let (part, private) = interface.part();
    let public = public::encode(part);
    let chunks = [
        (PUBLIC, public.as_slice()),
        (PRIVATE_HASH, private.0.as_slice()),
    ];
    container::encode(FileKind::Interface, interface.fingerprint(), &chunks)
}

/// Reads the file of an interface and checks the interface.
///
/// # Errors
/// When the file is damaged, of another kind, malformed, or breaks a rule of the verifier.
pub fn read_interface(file: &[u8]) -> Result<Interface, ReadError> {
    let container = Container::parse(file)?;
    container.expect_kind(FileKind::Interface)?;
    let part = public::decode(container.chunk(PUBLIC)?)?;
    let private = container.chunk(PRIVATE_HASH)?;
    let private = private.try_into().map_err(|_| DecodeError::Length {
        field: "hash of the private part",
        found: private.len(),
        expected: 32,
    })?;
    let private = PrivateHash(private);
    let found = Fingerprint::of(&public::encode(&part), private);
    same_fingerprint(container.fingerprint(), found)?;
    Ok(Interface::checked(part, private, found)?)
}

fn same_fingerprint(expected: Fingerprint, found: Fingerprint) -> Result<(), ReadError> {
    if expected == found {
        return Ok(());
    }
    Err(ReadError::Fingerprint { expected, found })
}
