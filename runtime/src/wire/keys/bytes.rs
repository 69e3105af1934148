//! The bytes of a file of keys, in memory or mapped.

use crate::wire::mapped::MappedFile;
use peregrine_ir::binary::ContainerError;
use std::fmt;
use std::io;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// The bytes of a file, in memory or mapped.
pub enum KeyBytes {
    /// In memory.
    Held(Vec<u8>),
    /// Mapped: read from disk where they are used.
    Mapped(MappedFile),
}

impl KeyBytes {
    /// Maps a file.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub fn map(file: &std::fs::File) -> io::Result<Self> {
        MappedFile::new(file).map(Self::Mapped)
    }

    /// Checks that a mapped file still has its length, before a part of it is used.
    pub(super) fn check(&self) -> Result<(), ContainerError> {
        match self {
            Self::Held(_) => Ok(()),
            Self::Mapped(file) => file.check(),
        }
    }

    /// Releases the memory behind a part of a mapped file, which is read again when it is used.
    pub(super) fn release(&self, part: &Range<usize>) {
        if let Self::Mapped(file) = self {
            file.release(part);
        }
    }

    /// Prefetches a part of a mapped file, all of it at once.
    pub(super) fn fetch(&self, part: &Range<usize>) {
        if let Self::Mapped(file) = self {
            file.fetch(part);
        }
    }
}

/// A part of a file of keys.
pub(super) struct Part {
    pub(super) bytes: Arc<KeyBytes>,
    pub(super) range: Range<usize>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(self.range.clone()).unwrap_or_default()
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBytes({} bytes)", self.len())
    }
}

impl Deref for KeyBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Held(bytes) => bytes,
            Self::Mapped(bytes) => bytes,
        }
    }
}
