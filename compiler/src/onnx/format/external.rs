//! External data: weights kept in files beside the model.
#![deny(clippy::indexing_slicing)]

use std::fmt;
use std::ops::Range;

/// Where an importer finds the bytes of external tensors.
pub trait ExternalData {
    /// The bytes `range` of the file at `location`, all of them.
    ///
    /// # Errors
    /// When the file does not exist, is shorter, or lies outside the model's folder.
    fn read(&self, location: &Location, range: Range<u64>) -> Result<Vec<u8>, ExternalError>;
}

/// For models that keep all their weights inside.
#[derive(Clone, Copy, Debug)]
pub struct NoExternalData;

impl ExternalData for NoExternalData {
    fn read(&self, location: &Location, _: Range<u64>) -> Result<Vec<u8>, ExternalError> {
        Err(ExternalError::Missing {
            location: location.to_string(),
        })
    }
}

/// A relative path that stays inside the model's folder: plain names joined by `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location(Vec<String>);

impl Location {
    /// The location with this spelling.
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

    /// Its components, outermost first; none is `.` or `..`.
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
    /// The location leaves the model's folder.
    #[error("external data location `{found}` is not a relative path inside the model's folder")]
    Location {
        /// The location as the model spells it.
        found: String,
    },
    /// A symbolic link leaves the model's folder.
    #[error("external data file `{location}` is a symbolic link out of the model's folder")]
    Outside {
        /// The file.
        location: String,
    },
    /// There is no such file.
    #[error("external data file `{location}` was not found beside the model")]
    Missing {
        /// The file.
        location: String,
    },
    /// The file is too short.
    #[error("external data file `{location}` has {length} bytes, the tensor ends at byte {end}")]
    Short {
        /// The file.
        location: String,
        /// Its length.
        length: u64,
        /// The end of the range asked for.
        end: u64,
    },
    /// The offset or length is not a number, or the length is not the tensor's.
    #[error("external data entry `{key}` is {found}, expected {expected}")]
    Entry {
        /// `offset` or `length`.
        key: &'static str,
        /// As the model spells it.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// The operating system refused.
    #[error("external data file `{location}`: {reason}")]
    Io {
        /// The file.
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
