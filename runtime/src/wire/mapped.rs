//! Mapped files that notice when they become shorter.
//!
//! Touching a page behind the end of a mapped file ends the process with a signal. So the length of the file is checked before a
//! part of the map is used: whoever shortens the file while the map is in use causes an error, except in the moment between
//! check and use, which no reader of a map can close. A file that is replaced by another of the same name stays as it was.

use memmap2::Mmap;
use peregrine_ir::binary::ContainerError;
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};

/// A file that is mapped into memory and read from disk where it is used.
#[derive(Debug)]
pub struct MappedFile {
    map: Mmap,
    file: File,
}

impl MappedFile {
    /// Maps a file.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub(super) fn new(file: &File) -> io::Result<Self> {
        let file = file.try_clone()?;
        // SAFETY: bytes of the map are read only to be compared with a checksum and copied word by word, each word being
        // checked after it was copied; whoever changes the file meanwhile causes an error at worst. Shortening it may
        // end the process with a signal, see above.
        let map = unsafe { Mmap::map(&file) }?;
        Ok(Self { map, file })
    }

    /// Checks that the file still is as long as the map.
    ///
    /// # Errors
    /// When it is shorter.
    pub(super) fn check(&self) -> Result<(), ContainerError> {
        let expected = self.map.len() as u64;
        match self.file.metadata() {
            Ok(file) if file.len() < expected => Err(ContainerError::Truncated {
                expected,
                found: file.len(),
            }),
            // A system that does not say is no worse than a file that was not asked about.
            _ => Ok(()),
        }
    }

    /// Releases the memory behind a part, which is read again when it is used.
    pub(super) fn release(&self, part: &Range<usize>) {
        #[cfg(unix)]
        if part.start <= part.end && part.end <= self.map.len() {
            // SAFETY: the map is shared and read only, so its pages hold what the file holds and dropping them changes
            // no byte that anyone reads; the part lies inside. Only memory is lost if the system does not follow.
            let _ = unsafe {
                let advice = memmap2::UncheckedAdvice::DontNeed;
                self.map
                    .unchecked_advise_range(advice, part.start, part.len())
            };
        }
        #[cfg(not(unix))]
        let _ = part;
    }

    /// Prefetches a part, all of it at once. A file that has become shorter is left for the next check.
    pub(super) fn fetch(&self, part: &Range<usize>) {
        #[cfg(target_os = "linux")]
        if part.start <= part.end && part.end <= self.map.len() {
            // Only time is lost if the system does not follow.
            let advice = memmap2::Advice::PopulateRead;
            let _ = self.map.advise_range(advice, part.start, part.len());
        }
        #[cfg(not(target_os = "linux"))]
        let _ = part;
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}
