//! The container: the outermost form of every file.
//!
//! ```text
//! 0    magic "PEREGRIN"                              8 bytes
//! 8    format version                                u32, little endian as all numbers
//! 12   kind of file                                  u32
//! 16   fingerprint of the circuit it belongs to      32 bytes
//! 48   number of chunks n                            u32
//! 52   zero                                          4 bytes
//! 56   length of the file                            u64
//! 64   directory: n entries of 64 bytes              tag u64, offset u64, length u64, SHA-256 (32 bytes), zero u64
//! ...  SHA-256 of everything before                  32 bytes
//! ...  the chunks in the order of the directory, each at the next multiple of 64, zeros between
//! ```
//! The file ends with the last byte of the last chunk. The header is checked when a container is opened, a chunk when it
//! is read, so a large file can be mapped and read in parts.

use super::fingerprint::Fingerprint;
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::{self, Seek, SeekFrom, Write};

const MAGIC: [u8; 8] = *b"PEREGRIN";
/// The version of the format this crate reads and writes.
pub const FORMAT_VERSION: u32 = 1;
const FIXED: usize = 64;
const ENTRY: usize = 64;
const HASH: usize = 32;
const ALIGNMENT: u64 = 64;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A circuit with its weights: what the server runs.
    Circuit,
    /// What a client needs of a circuit.
    Interface,
    /// A secret key.
    SecretKey,
    /// Public evaluation keys.
    EvaluationKeys,
    /// Encrypted tensors.
    Ciphertext,
}

impl FileKind {
    const ALL: [Self; 5] = [
        Self::Circuit,
        Self::Interface,
        Self::SecretKey,
        Self::EvaluationKeys,
        Self::Ciphertext,
    ];

    fn code(self) -> u32 {
        match self {
            Self::Circuit => 1,
            Self::Interface => 2,
            Self::SecretKey => 3,
            Self::EvaluationKeys => 4,
            Self::Ciphertext => 5,
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
    /// The next chunk of a file that so far ends at `end`, which moves.
    fn after(end: &mut u64, tag: u64, bytes: &[u8]) -> Self {
        let offset = end.next_multiple_of(ALIGNMENT);
        let length = bytes.len() as u64;
        *end = offset + length;
        Self {
            tag,
            offset,
            length,
            hash: sha256(bytes),
        }
    }
}

/// A file in memory (or mapped), header checked.
#[derive(Clone, Debug)]
pub struct Container<'a> {
    data: &'a [u8],
    kind: FileKind,
    fingerprint: Fingerprint,
    entries: Vec<Entry>,
}

impl<'a> Container<'a> {
    /// Checks the header of a file: magic, version, kind, lengths, its own checksum.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub fn parse(data: &'a [u8]) -> Result<Self, ContainerError> {
        let magic = data.get(..MAGIC.len()).unwrap_or(data);
        if magic != MAGIC {
            let found = magic.to_vec();
            return Err(ContainerError::Magic { found });
        }
        let truncated = |expected: u64| ContainerError::Truncated {
            expected,
            found: data.len() as u64,
        };
        let header: &[u8; FIXED] = data.first_chunk().ok_or(truncated(FIXED as u64))?;
        let version = read_u32(header, 8);
        if version != FORMAT_VERSION {
            return Err(ContainerError::Version { found: version });
        }
        let count = u64::from(read_u32(header, 48));
        let header_length = FIXED as u64 + count * ENTRY as u64 + HASH as u64;
        let file_length = read_u64(header, 56);
        if (data.len() as u64) < file_length.max(header_length) {
            return Err(truncated(file_length.max(header_length)));
        }
        if data.len() as u64 > file_length {
            return Err(ContainerError::Trailing {
                expected: file_length,
                found: data.len() as u64,
            });
        }
        let (head, hash) = data
            .get(..header_length as usize)
            .and_then(|all| all.split_last_chunk::<HASH>())
            .ok_or(truncated(header_length))?;
        if sha256(head) != *hash {
            return Err(ContainerError::HeaderChecksum);
        }
        let code = read_u32(header, 12);
        let kind = FileKind::from_code(code).ok_or(ContainerError::UnknownKind { found: code })?;
        let fingerprint = Fingerprint(read_hash(header, 16));
        let entries = read_directory(head, header_length, file_length)?;
        check_padding(data, header_length, &entries)?;
        Ok(Self {
            data,
            kind,
            fingerprint,
            entries,
        })
    }

    /// What the file holds.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// The circuit it belongs to.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The tags of its chunks, in file order.
    pub fn tags(&self) -> impl ExactSizeIterator<Item = u64> {
        self.entries.iter().map(|entry| entry.tag)
    }

    /// Asks for a kind of file.
    ///
    /// # Errors
    /// When it is another; names both.
    pub fn expect_kind(&self, expected: FileKind) -> Result<(), ContainerError> {
        if self.kind == expected {
            return Ok(());
        }
        let found = self.kind;
        Err(ContainerError::Kind { expected, found })
    }

    /// Asks that it belongs to a circuit.
    ///
    /// # Errors
    /// When it belongs to another; names both.
    pub fn expect_fingerprint(&self, expected: Fingerprint) -> Result<(), ContainerError> {
        if self.fingerprint == expected {
            return Ok(());
        }
        let found = self.fingerprint;
        Err(ContainerError::Foreign { expected, found })
    }

    /// The bytes of a chunk, after checking them against their checksum.
    ///
    /// # Errors
    /// When there is no such chunk, or its bytes were changed.
    pub fn chunk(&self, tag: u64) -> Result<&'a [u8], ContainerError> {
        let entry = self
            .entries
            .iter()
            .find(|entry| entry.tag == tag)
            .ok_or(ContainerError::NoChunk { tag })?;
        let bytes = usize::try_from(entry.offset)
            .ok()
            .and_then(|start| self.data.get(start..)?.get(..entry.length as usize))
            .ok_or(ContainerError::Directory { tag })?;
        if sha256(bytes) != entry.hash {
            return Err(ContainerError::ChunkChecksum { tag });
        }
        Ok(bytes)
    }
}

fn read_directory(
    head: &[u8],
    header_length: u64,
    file_length: u64,
) -> Result<Vec<Entry>, ContainerError> {
    let (entries, rest) = head.get(FIXED..).unwrap_or_default().as_chunks::<ENTRY>();
    debug_assert!(rest.is_empty(), "the header is whole entries");
    let entries: Vec<Entry> = entries
        .iter()
        .map(|entry| Entry {
            tag: read_u64(entry, 0),
            offset: read_u64(entry, 8),
            length: read_u64(entry, 16),
            hash: read_hash(entry, 24),
        })
        .collect();
    let mut tags: Vec<u64> = entries.iter().map(|entry| entry.tag).collect();
    tags.sort_unstable();
    let mut end = header_length;
    for (i, entry) in entries.iter().enumerate() {
        let Entry {
            tag,
            offset,
            length,
            ..
        } = *entry;
        let twice = i > 0 && tags.get(i - 1) == tags.get(i);
        if twice || end.checked_next_multiple_of(ALIGNMENT) != Some(offset) {
            return Err(ContainerError::Directory { tag });
        }
        end = offset
            .checked_add(length)
            .filter(|&end| end <= file_length)
            .ok_or(ContainerError::Directory { tag })?;
    }
    if end != file_length {
        return Err(ContainerError::Trailing {
            expected: end,
            found: file_length,
        });
    }
    Ok(entries)
}

/// The bytes no checksum covers must be zero.
fn check_padding(data: &[u8], mut end: u64, entries: &[Entry]) -> Result<(), ContainerError> {
    for entry in entries {
        let gap = data
            .get(end as usize..entry.offset as usize)
            .unwrap_or_default();
        if gap.iter().any(|&byte| byte != 0) {
            return Err(ContainerError::Padding { offset: end });
        }
        end = entry.offset + entry.length;
    }
    Ok(())
}

/// Writes a container chunk by chunk; the directory is filled in at the end.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    kind: FileKind,
    fingerprint: Fingerprint,
    expected: u32,
    end: u64,
    entries: Vec<Entry>,
}

impl<W: Write + Seek> Writer<W> {
    /// Starts a file of `chunks` chunks at the beginning of `out`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(
        mut out: W,
        kind: FileKind,
        fingerprint: Fingerprint,
        chunks: u32,
    ) -> io::Result<Self> {
        let length = FIXED as u64 + u64::from(chunks) * ENTRY as u64 + HASH as u64;
        out.seek(SeekFrom::Start(0))?;
        zeros(&mut out, length)?;
        Ok(Self {
            out,
            kind,
            fingerprint,
            expected: chunks,
            end: length,
            entries: Vec::new(),
        })
    }

    /// Appends a chunk. Tags must differ.
    ///
    /// # Errors
    /// Those of `out`; `InvalidInput` for a repeated tag or one chunk too many.
    pub fn chunk(&mut self, tag: u64, bytes: &[u8]) -> io::Result<()> {
        let known = self.entries.iter().any(|entry| entry.tag == tag);
        if known || self.entries.len() as u64 >= u64::from(self.expected) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("chunk {tag:#x} is repeated or one too many"),
            ));
        }
        let before = self.end;
        let entry = Entry::after(&mut self.end, tag, bytes);
        zeros(&mut self.out, entry.offset - before)?;
        self.out.write_all(bytes)?;
        self.entries.push(entry);
        Ok(())
    }

    /// Writes the header and gives `out` back, positioned at the end.
    ///
    /// # Errors
    /// Those of `out`; `InvalidInput` when chunks are missing.
    pub fn finish(mut self) -> io::Result<W> {
        if self.entries.len() as u64 != u64::from(self.expected) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} of {} chunks", self.entries.len(), self.expected),
            ));
        }
        let header = header(self.kind, self.fingerprint, &self.entries, self.end);
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&header)?;
        self.out.seek(SeekFrom::Start(self.end))?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// A whole file from chunks that are in memory. Tags must differ, or the file will not open.
pub fn encode(kind: FileKind, fingerprint: Fingerprint, chunks: &[(u64, &[u8])]) -> Vec<u8> {
    let mut end = (FIXED + chunks.len() * ENTRY + HASH) as u64;
    let entries: Vec<Entry> = chunks
        .iter()
        .map(|(tag, bytes)| Entry::after(&mut end, *tag, bytes))
        .collect();
    let mut file = header(kind, fingerprint, &entries, end);
    file.reserve_exact((end as usize).saturating_sub(file.len()));
    for (entry, (_, bytes)) in entries.iter().zip(chunks) {
        file.resize(entry.offset as usize, 0);
        file.extend_from_slice(bytes);
    }
    file
}

/// The header with its checksum.
fn header(kind: FileKind, fingerprint: Fingerprint, entries: &[Entry], end: u64) -> Vec<u8> {
    let mut header = Vec::with_capacity(FIXED + entries.len() * ENTRY + HASH);
    header.extend(MAGIC);
    header.extend(FORMAT_VERSION.to_le_bytes());
    header.extend(kind.code().to_le_bytes());
    header.extend(fingerprint.0);
    header.extend((entries.len() as u32).to_le_bytes());
    header.extend([0; 4]);
    header.extend(end.to_le_bytes());
    for entry in entries {
        for number in [entry.tag, entry.offset, entry.length] {
            header.extend(number.to_le_bytes());
        }
        header.extend(entry.hash);
        header.extend([0; 8]);
    }
    let hash = sha256(&header);
    header.extend(hash);
    header
}

fn zeros(out: &mut impl Write, count: u64) -> io::Result<()> {
    io::copy(&mut io::Read::take(io::repeat(0), count), out).map(drop)
}

fn sha256(bytes: &[u8]) -> [u8; HASH] {
    Sha256::digest(bytes).into()
}

fn read_bytes<const N: usize, const M: usize>(from: &[u8; M], at: usize) -> [u8; N] {
    let bytes = from.get(at..).and_then(|rest| rest.first_chunk());
    bytes.copied().unwrap_or([0; N])
}

fn read_u32<const M: usize>(from: &[u8; M], at: usize) -> u32 {
    u32::from_le_bytes(read_bytes(from, at))
}

fn read_u64<const M: usize>(from: &[u8; M], at: usize) -> u64 {
    u64::from_le_bytes(read_bytes(from, at))
}

fn read_hash<const M: usize>(from: &[u8; M], at: usize) -> [u8; HASH] {
    read_bytes(from, at)
}

/// Why bytes are not the container that was asked for.
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
    #[error("expected a {expected} file, found a {found} file")]
    Kind { expected: FileKind, found: FileKind },
    #[error("belongs to circuit {found}, expected one for circuit {expected}")]
    Foreign {
        expected: Fingerprint,
        found: Fingerprint,
    },
}
