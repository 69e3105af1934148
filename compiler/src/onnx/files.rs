//! The file system as seen by the command line: the one module of the front end that does I/O.

use super::format::{ExternalData, ExternalError, Location};
use super::import::import;
use super::model::Options;
use super::problems::ImportErrors;
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
    Ok(import(&bytes, &Folder::of_model(path), options)?)
}

/// The folder of a model, where its external data are.
///
/// A symbolic link may lead to a file in the same folder, or in the folder of the file that the model itself is a link to:
/// download caches keep both files elsewhere, under the names of their contents.
#[derive(Clone, Debug)]
pub struct Folder {
    beside: PathBuf,
    /// The folder of the model behind all links, when that is another one.
    behind: Option<PathBuf>,
}

impl Folder {
    /// The folder of the model file at `path`.
    pub fn of_model(path: &Path) -> Self {
        let beside = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let behind = path.canonicalize().ok();
        let behind = behind.and_then(|path| Some(path.parent()?.to_owned()));
        Self {
            beside: beside.to_owned(),
            behind,
        }
    }

    /// The file at `location`; symbolic links may not lead anywhere else.
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
        let beside = self.beside.canonicalize().map_err(failed)?;
        let mut path = beside.clone();
        path.extend(location.names());
        let path = path.canonicalize().map_err(failed)?;
        let behind = self.behind.as_ref();
        if path.starts_with(&beside) || behind.is_some_and(|folder| path.starts_with(folder)) {
            return Ok(path);
        }
        Err(ExternalError::Outside {
            location: location.to_string(),
        })
    }
}

impl ExternalData for Folder {
    fn read(&self, location: &Location, range: Range<u64>) -> Result<Vec<u8>, ExternalError> {
        let failed = |error: std::io::Error| ExternalError::Io {
            location: location.to_string(),
            reason: error.to_string(),
        };
        let mut file = File::open(self.resolve(location)?).map_err(failed)?;
        let data = file.metadata().map_err(failed)?;
        if !data.is_file() {
            return Err(ExternalError::Io {
                location: location.to_string(),
                reason: "not a regular file".to_owned(),
            });
        }
        let length = data.len();
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

/// Why a model in a file was not imported.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file that could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// Path of the model.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A model that cannot be compiled; every reason.
    #[error(transparent)]
    Import(#[from] ImportErrors),
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    /// `models/w.bin` is a link to `blobs/weights`.
    fn linked() -> TempDir {
        let root = TempDir::new().unwrap();
        for folder in ["models", "blobs"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("blobs/weights"), [1, 2, 3, 4]).unwrap();
        symlink("../blobs/weights", root.path().join("models/w.bin")).unwrap();
        root
    }

    fn read(root: &TempDir) -> Result<Vec<u8>, ExternalError> {
        let folder = Folder::of_model(&root.path().join("models/m.onnx"));
        folder.read(&Location::new("w.bin").unwrap(), 1..3)
    }

    #[test]
    fn links_into_the_folder_that_the_model_is_a_link_to_are_followed() {
        let root = linked();
        fs::write(root.path().join("blobs/model"), [0]).unwrap();
        symlink("../blobs/model", root.path().join("models/m.onnx")).unwrap();
        assert_eq!(read(&root), Ok(vec![2, 3]));
    }

    #[test]
    fn links_that_lead_elsewhere_are_refused_as_such() {
        let root = linked();
        fs::write(root.path().join("models/m.onnx"), [0]).unwrap();
        let location = "w.bin".to_owned();
        assert_eq!(read(&root), Err(ExternalError::Outside { location }));
    }
}
