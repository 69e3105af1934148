//! External data: weights kept in files beside the model.
#![deny(clippy::indexing_slicing)]

use std::fmt;
use std::ops::Range;

/// A source of the bytes of external tensors.
pub trait ExternalData {
    /// The bytes in `range` of the file at `location`, all of them.
    ///
    /// # Errors
    /// When the file does not exist, is shorter, or lies outside the model's folder.
    fn read(&self, location: &Location, range: Range<u64>) -> Result<Vec<u8>, ExternalError>;
}

/// A source without files, for models that keep all their weights inside.
#[derive(Clone, Copy, Debug)]
pub struct NoExternalData;

impl ExternalData for NoExternalData {
    fn read(&self, location: &Location, _: Range<u64>) -> Result<Vec<u8>, ExternalError> {
        Err(ExternalError::Missing {
            location: location.to_string(),
        })
    }
}

/// The place of external data: a relative path that stays inside the model's folder, plain names joined by `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location(Vec<String>);

impl Location {
    /// Parses a location as a model spells it.
    ///
    /// # Errors
    /// When it is empty or absolute, or has a component that is not a plain name.
    pub fn new(spelling: &str) -> Result<Self, ExternalError> {
        let refused = || ExternalError::Location {
            found: spelling.to_owned(),
        };
        let mut names = Vec::new();
        for name in spelling.split('/') {
            match name {
                "." => {}
                "" | ".." => return Err(refused()),
                _ if name.contains(['\\', ':', '\0']) => return Err(refused()),
                _ => names.push(name.to_owned()),
            }
        }
        if names.is_empty() {
            return Err(refused());
        }
        Ok(Self(names))
    }

    /// The names of the path, outermost folder first; none is `.` or `..`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

/// Why external data could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExternalError {
    /// A location that leaves the model's folder.
    #[error("external data location `{found}` is not a relative path inside the model's folder")]
    Location {
        /// The location as the model spells it.
        found: String,
    },
    /// A symbolic link that leaves the model's folder.
    #[error("external data file `{location}` is a symbolic link out of the model's folder")]
    Outside {
        /// Location of the file.
        location: String,
    },
    /// A file that does not exist.
    #[error("external data file `{location}` was not found beside the model")]
    Missing {
        /// Location of the file.
        location: String,
    },
    /// A file that is too short.
    #[error("external data file `{location}` has {length} bytes, the tensor ends at byte {end}")]
    Short {
        /// Location of the file.
        location: String,
        /// Length of the file in bytes.
        length: u64,
        /// End of the range that was asked for, in bytes.
        end: u64,
    },
    /// An offset or length that is not a number, or a length that is not the tensor's.
    #[error("external data entry `{key}` is {found}, expected {expected}")]
    Entry {
        /// The entry: `offset` or `length`.
        key: &'static str,
        /// The entry's value as the model spells it.
        found: String,
        /// What the value should be.
        expected: String,
    },
    /// A file that the operating system does not let be read.
    #[error("external data file `{location}`: {reason}")]
    Io {
        /// Location of the file.
        location: String,
        /// What the system said.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_stay_inside_the_folder() {
        assert_eq!(
            Location::new("./weights/a.bin").unwrap().to_string(),
            "weights/a.bin"
        );
        for bad in [
            "",
            ".",
            "/etc/passwd",
            "../a",
            "a/../../b",
            "a//b",
            "C:\\a",
            "a\\..\\b",
            "a\0",
        ] {
            assert!(
                matches!(Location::new(bad), Err(ExternalError::Location { .. })),
                "{bad:?}"
            );
        }
    }
}
