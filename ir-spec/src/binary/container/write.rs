//! Writing a file, from memory or chunk by chunk.

use super::{ENTRY, Entry, FIXED, FORMAT_VERSION, FileKind, HASH, MAGIC, checksum};
use crate::binary::Owner;
use std::io::{self, Seek, SeekFrom, Write};

/// Writes a container chunk by chunk; the directory is filled in at the end.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    kind: FileKind,
    owner: Owner,
    expected: u32,
    end: u64,
    entries: Vec<Entry>,
}

impl<W: Write + Seek> Writer<W> {
    /// Starts a file of `chunks` chunks at the beginning of `out`.
    ///
    /// # Errors
    /// Errors of writing to `out`.
    pub fn new(
        mut out: W,
        kind: FileKind,
        owner: impl Into<Owner>,
        chunks: u32,
    ) -> io::Result<Self> {
        let length = FIXED as u64 + u64::from(chunks) * ENTRY as u64 + HASH as u64;
        out.seek(SeekFrom::Start(0))?;
        zeros(&mut out, length)?;
        Ok(Self {
            out,
            kind,
            owner: owner.into(),
            expected: chunks,
            end: length,
            entries: Vec::new(),
        })
    }

    /// Appends a chunk. Tags must differ.
    ///
    /// # Errors
    /// Errors of writing to `out`; `InvalidInput` for a repeated tag or one chunk too many.
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

    /// Writes the header and returns `out`, positioned at the end of the file.
    ///
    /// # Errors
    /// Errors of writing to `out`; `InvalidInput` when chunks are missing.
    pub fn finish(mut self) -> io::Result<W> {
        if self.entries.len() as u64 != u64::from(self.expected) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} of {} chunks", self.entries.len(), self.expected),
            ));
        }
        let header = header(self.kind, self.owner, &self.entries, self.end);
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&header)?;
        self.out.seek(SeekFrom::Start(self.end))?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// The bytes of a whole file, from chunks in memory. Tags must differ, or the file will not open.
pub fn encode(kind: FileKind, owner: impl Into<Owner>, chunks: &[(u64, &[u8])]) -> Vec<u8> {
    let mut end = (FIXED + chunks.len() * ENTRY + HASH) as u64;
    let entries: Vec<Entry> = chunks
        .iter()
        .map(|(tag, bytes)| Entry::after(&mut end, *tag, bytes))
        .collect();
    let mut file = header(kind, owner.into(), &entries, end);
    file.reserve_exact((end as usize).saturating_sub(file.len()));
    for (entry, (_, bytes)) in entries.iter().zip(chunks) {
        file.resize(entry.offset as usize, 0);
        file.extend_from_slice(bytes);
    }
    file
}

/// The bytes of the header, its checksum included.
fn header(kind: FileKind, owner: Owner, entries: &[Entry], end: u64) -> Vec<u8> {
    let mut header = Vec::with_capacity(FIXED + entries.len() * ENTRY + HASH);
    header.extend(MAGIC);
    header.extend(FORMAT_VERSION.to_le_bytes());
    header.extend(kind.code().to_le_bytes());
    header.extend(owner.0);
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
    let hash = checksum(&header);
    header.extend(hash);
    header
}

fn zeros(out: &mut impl Write, count: u64) -> io::Result<()> {
    io::copy(&mut io::Read::take(io::repeat(0), count), out).map(drop)
}
