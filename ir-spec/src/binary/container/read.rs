//! Opening a file: the header is checked at once, a chunk when it is asked for.

use super::{
    ALIGNMENT, ContainerError, ENTRY, Entry, FIXED, FORMAT_VERSION, FileKind, HASH, MAGIC, checksum,
};
use crate::binary::{Fingerprint, KeyPairId, Owner};
use std::ops::Range;

/// Bytes of a piece: a chunk is compared with its checksum piece by piece.
const PIECE: usize = 1 << 18;

/// An opened file of peregrine, in memory or mapped, whose header has been checked.
#[derive(Clone, Debug)]
pub struct Container<'a> {
    data: &'a [u8],
    kind: FileKind,
    owner: Owner,
    entries: Vec<Entry>,
}

impl<'a> Container<'a> {
    /// The kind of file that these first bytes claim to begin; `None` where they do not begin a file of peregrine. Nothing else
    /// is checked.
    pub fn kind_of(beginning: &[u8]) -> Option<FileKind> {
        let code = beginning.strip_prefix(&MAGIC)?.get(4..)?.first_chunk()?;
        FileKind::from_code(u32::from_le_bytes(*code))
    }

    /// Opens a file: checks magic, version, kind, lengths and the header's own checksum. Chunks are checked when they are read.
    ///
    /// # Errors
    /// A [`ContainerError`] that says what was expected and what was found.
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
        if checksum(head) != *hash {
            return Err(ContainerError::HeaderChecksum);
        }
        let code = read_u32(header, 12);
        let kind = FileKind::from_code(code).ok_or(ContainerError::UnknownKind { found: code })?;
        let owner = Owner(read_hash(header, 16));
        let entries = read_directory(head, header_length, file_length)?;
        check_padding(data, header_length, &entries)?;
        Ok(Self {
            data,
            kind,
            owner,
            entries,
        })
    }

    /// The kind of the file.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// The circuit or the key pair that the file belongs to, as its 32 bytes stand in the header.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// The fingerprint of the circuit that the file belongs to. Files of keys belong to a key pair: use [`Self::key_pair`] for
    /// these.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.owner.0)
    }

    /// The key pair that a file of keys belongs to. Other files belong to a circuit: use [`Self::fingerprint`] for these.
    pub fn key_pair(&self) -> KeyPairId {
        KeyPairId(self.owner.0)
    }

    /// The tags of the file's chunks, in file order.
    pub fn tags(&self) -> impl ExactSizeIterator<Item = u64> {
        self.entries.iter().map(|entry| entry.tag)
    }

    /// The tag and the length in bytes of each chunk, in file order.
    pub fn chunks(&self) -> impl ExactSizeIterator<Item = (u64, u64)> {
        self.entries.iter().map(|entry| (entry.tag, entry.length))
    }

    /// Checks that the file is of the kind `expected`.
    ///
    /// # Errors
    /// When the file is of another kind; the error names both.
    pub fn expect_kind(&self, expected: FileKind) -> Result<(), ContainerError> {
        if self.kind == expected {
            return Ok(());
        }
        let found = self.kind;
        Err(ContainerError::Kind { expected, found })
    }

    /// Checks that the file belongs to the circuit `expected`.
    ///
    /// # Errors
    /// When the file belongs to another circuit; the error names both.
    pub fn expect_fingerprint(&self, expected: Fingerprint) -> Result<(), ContainerError> {
        if self.fingerprint() == expected {
            return Ok(());
        }
        let found = self.fingerprint();
        Err(ContainerError::Foreign { expected, found })
    }

    fn entry(&self, tag: u64) -> Result<&Entry, ContainerError> {
        let found = self.entries.iter().find(|entry| entry.tag == tag);
        found.ok_or(ContainerError::NoChunk { tag })
    }

    /// The length of a chunk in bytes.
    ///
    /// # Errors
    /// When there is no such chunk.
    pub fn length(&self, tag: u64) -> Result<u64, ContainerError> {
        Ok(self.entry(tag)?.length)
    }

    /// The bytes of the chunk `tag`, compared with their checksum.
    ///
    /// # Errors
    /// When there is no such chunk, or its bytes do not have its checksum.
    pub fn chunk(&self, tag: u64) -> Result<&'a [u8], ContainerError> {
        let (bytes, _) = self.unchecked(tag)?;
        if checksum(bytes) != self.entry(tag)?.hash {
            return Err(ContainerError::ChunkChecksum { tag });
        }
        Ok(bytes)
    }

    /// The range of bytes of the file in which the chunk `tag` lies. The bytes are not compared with their checksum.
    ///
    /// # Errors
    /// When there is no such chunk.
    pub fn place(&self, tag: u64) -> Result<Range<usize>, ContainerError> {
        Ok(self.unchecked(tag)?.1)
    }

    /// Compares the chunk `tag` with its checksum, piece by piece. After each piece `f` is given its range of bytes in the file,
    /// so that a mapped file need not stay in memory.
    ///
    /// # Errors
    /// When there is no such chunk, or its bytes do not have its checksum.
    pub fn check(
        &self,
        tag: u64,
        mut read: impl FnMut(Range<usize>),
    ) -> Result<(), ContainerError> {
        let (bytes, place) = self.unchecked(tag)?;
        let (mut hash, mut start) = (blake3::Hasher::new(), place.start);
        for piece in bytes.chunks(PIECE) {
            hash.update(piece);
            let end = start + piece.len();
            read(start..end);
            start = end;
        }
        match <[u8; HASH]>::from(hash.finalize()) == self.entry(tag)?.hash {
            true => Ok(()),
            false => Err(ContainerError::ChunkChecksum { tag }),
        }
    }

    fn unchecked(&self, tag: u64) -> Result<(&'a [u8], Range<usize>), ContainerError> {
        let entry = self.entry(tag)?;
        let start = usize::try_from(entry.offset).ok();
        let place = start.and_then(|start| Some(start..start.checked_add(entry.length as usize)?));
        let found = place.and_then(|place| Some((self.data.get(place.clone())?, place)));
        found.ok_or(ContainerError::Directory { tag })
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

/// Checks that the bytes that no checksum covers are zero.
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
