//! The bytes of a file of keys, in memory or mapped.

use memmap2::Mmap;
use std::fmt;
use std::io;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// The bytes of a file, in memory or mapped.
pub enum KeyBytes {
    /// In memory.
    Held(Vec<u8>),
    /// Mapped: read from disk where it is touched.
    Mapped(Mmap),
}

impl KeyBytes {
    /// Maps a file.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn map(file: &std::fs::File) -> io::Result<Self> {
        // SAFETY: bytes of the map are read only to be compared with a checksum and copied word by word, each word being
        // checked after it was copied; whoever changes the file meanwhile causes an error at worst. Shortening it may
        // end the process with a signal, which no reader of a map can avoid.
        unsafe { Mmap::map(file) }.map(Self::Mapped)
    }
}

impl KeyBytes {
    /// Lets go of the memory behind a part of a mapped file; it is read again when it is touched.
    pub(super) fn release(&self, part: &Range<usize>) {
        #[cfg(unix)]
        if let Self::Mapped(map) = self
            && part.start <= part.end
            && part.end <= map.len()
        {
            // SAFETY: the map is shared and read only, so its pages hold what the file holds and dropping them changes
            // no byte that anyone reads; the part lies inside. Only memory is lost if the system does not follow.
            let _ = unsafe {
                let advice = memmap2::UncheckedAdvice::DontNeed;
                map.unchecked_advise_range(advice, part.start, part.len())
            };
        }
        #[cfg(not(unix))]
        let _ = part;
    }

    /// Brings a part of a mapped file into memory, all of it at once.
    pub(super) fn fetch(&self, part: &Range<usize>) {
        #[cfg(target_os = "linux")]
        if let Self::Mapped(map) = self
            && part.start <= part.end
            && part.end <= map.len()
        {
            // Only time is lost if the system does not follow.
            let _ = map.advise_range(memmap2::Advice::PopulateRead, part.start, part.len());
        }
        #[cfg(not(target_os = "linux"))]
        let _ = part;
    }
}

/// A part of a file.
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
