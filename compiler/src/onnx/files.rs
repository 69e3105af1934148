//! The file system as seen by the command line: the one module of the front end that does I/O.

use super::{ExternalData, ExternalError, ImportErrors, Location, Options, import};
use crate::tensor::Graph;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Imports the model at `path`; external data are looked for in its folder.
///
/// # Errors
/// When the file cannot be read or the model cannot be compiled.
pub fn load(path: &Path, options: &Options) -> Result<Graph, LoadError> {
    let bytes = std::fs::read(path).map_err(|source| LoadError::Io {
        path: path.to_owned(),
        source,
    })?;
    let folder = Folder(path.parent().unwrap_or(Path::new("")).to_owned());
    Ok(import(&bytes, &folder, options)?)
}

/// External data in a folder of the file system.
#[derive(Clone, Debug)]
pub struct Folder(pub PathBuf);

impl Folder {
    /// The file at `location`; symbolic links may not lead out of the folder.
    fn resolve(&self, location: &Location) -> Result<PathBuf, ExternalError> {
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => ExternalError::Missing {
                location: location.to_string(),
            },
            _ => ExternalError::Io {
                location: location.to_string(),
                reason: error.to_string(),
            },
        };
        let base = if self.0.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &self.0
        };
        let base = base.canonicalize().map_err(failed)?;
        let mut path = base.clone();
        path.extend(location.names());
        let path = path.canonicalize().map_err(failed)?;
        if !path.starts_with(&base) {
            return Err(ExternalError::Location {
                found: location.to_string(),
            });
        }
        Ok(path)
    }
}

impl ExternalData for Folder {
    fn read(&self, location: &Location, range: Range<u64>) -> Result<Vec<u8>, ExternalError> {
        let failed = |error: std::io::Error| ExternalError::Io {
            location: location.to_string(),
            reason: error.to_string(),
        };
        let mut file = File::open(self.resolve(location)?).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        if range.end > length || range.start > range.end {
            return Err(ExternalError::Short {
                location: location.to_string(),
                length,
                end: range.end,
            });
        }
        let mut bytes = vec![0; (range.end - range.start) as usize];
        file.seek(SeekFrom::Start(range.start)).map_err(failed)?;
        file.read_exact(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }
}

/// Why a model file was not imported.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The model.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The model cannot be compiled.
    #[error(transparent)]
    Import(#[from] ImportErrors),
}
