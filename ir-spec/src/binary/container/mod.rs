//! The container: the outermost form of every file.
//!
//! ```text
//! 0    magic "PEREGRIN"                              8 bytes
//! 8    format version                                u32, little endian as all numbers
//! 12   kind of file                                  u32
//! 16   owner: the circuit or key pair it belongs to  32 bytes
//! 48   number of chunks n                            u32
//! 52   zero                                          4 bytes
//! 56   length of the file                            u64
//! 64   directory: n entries of 64 bytes              tag u64, offset u64, length u64, BLAKE3 (32 bytes), zero u64
//! ...  BLAKE3 of everything before                   32 bytes
//! ...  the chunks in the order of the directory, each at the next multiple of 64, zeros between
//! ```
//! The file ends with the last byte of the last chunk. The header is checked when a container is opened, a chunk when it
//! is read, so a large file can be mapped and read in parts.

mod read;
mod write;

pub use read::Container;
pub use write::{Writer, encode};

use crate::fingerprint::Fingerprint;
use std::fmt;

const MAGIC: [u8; 8] = *b"PEREGRIN";
/// The version of the format this crate reads and writes.
pub const FORMAT_VERSION: u32 = 6;
const FIXED: usize = 64;
const ENTRY: usize = 64;
const HASH: usize = 32;
const ALIGNMENT: u64 = 64;

/// The kind of a file: what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A circuit with its weights: what the server runs.
    Circuit,
    /// An interface: what a client needs to know of a circuit.
    Interface,
    /// A secret key.
    SecretKey,
    /// Public evaluation keys.
    EvaluationKeys,
    /// Encrypted tensors.
    Ciphertext,
    /// Values that fragments of a circuit import and export.
    Values,
}

impl FileKind {
    const ALL: [Self; 6] = [
        Self::Circuit,
        Self::Interface,
        Self::SecretKey,
        Self::EvaluationKeys,
        Self::Ciphertext,
        Self::Values,
    ];

    fn noun(self) -> &'static str {
        match self {
            Self::Circuit => "a circuit file",
            Self::Interface => "a client interface file",
            Self::SecretKey => "a secret key file",
            Self::EvaluationKeys => "an evaluation keys file",
            Self::Ciphertext => "a ciphertext file",
            Self::Values => "a file of values between fragments",
        }
    }

    fn code(self) -> u32 {
        match self {
            Self::Circuit => 1,
            Self::Interface => 2,
            Self::SecretKey => 3,
            Self::EvaluationKeys => 4,
            Self::Ciphertext => 5,
            Self::Values => 6,
        }
    }

    fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Circuit => "circuit",
            Self::Interface => "client interface",
            Self::SecretKey => "secret key",
            Self::EvaluationKeys => "evaluation keys",
            Self::Ciphertext => "ciphertext",
            Self::Values => "values between fragments",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    tag: u64,
    offset: u64,
    length: u64,
    hash: [u8; HASH],
}

impl Entry {
    /// The directory entry of a chunk behind the first `end` bytes of a file; `end` moves behind the chunk.
    fn after(end: &mut u64, tag: u64, bytes: &[u8]) -> Self {
        let offset = end.next_multiple_of(ALIGNMENT);
        let length = bytes.len() as u64;
        *end = offset + length;
        Self {
            tag,
            offset,
            length,
            hash: checksum(bytes),
        }
    }
}

fn checksum(bytes: &[u8]) -> [u8; HASH] {
    blake3::hash(bytes).into()
}

/// Why bytes are not a container of the kind that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences name every field")]
pub enum ContainerError {
    #[error("not a peregrine file: expected the magic \"PEREGRIN\", found \"{}\"", found.escape_ascii())]
    Magic { found: Vec<u8> },
    #[error("format version {found} is not supported, expected {FORMAT_VERSION}")]
    Version { found: u32 },
    #[error("file is truncated: expected {expected} bytes, found {found}")]
    Truncated { expected: u64, found: u64 },
    #[error("bytes follow the end of the file: expected {expected} bytes, found {found}")]
    Trailing { expected: u64, found: u64 },
    #[error("file is damaged: the header does not match its checksum")]
    HeaderChecksum,
    #[error("file is damaged: chunk {tag:#x} does not match its checksum")]
    ChunkChecksum { tag: u64 },
    #[error("file is damaged: the directory places chunk {tag:#x} wrongly")]
    Directory { tag: u64 },
    #[error("file is damaged: expected zeros after byte {offset}")]
    Padding { offset: u64 },
    #[error("the file has no chunk {tag:#x}")]
    NoChunk { tag: u64 },
    #[error("kind of file {found} is not known")]
    UnknownKind { found: u32 },
    #[error("expected {}, found {}", expected.noun(), found.noun())]
    Kind { expected: FileKind, found: FileKind },
    #[error("belongs to circuit {found}, expected one for circuit {expected}")]
    Foreign {
        expected: Fingerprint,
        found: Fingerprint,
    },
}
