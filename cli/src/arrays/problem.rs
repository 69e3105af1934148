//! Why bytes hold no tensors.

use ndarray_npy::ReadNpyError;
use peregrine_ir::ShapeError;
use std::path::PathBuf;
use zip::result::ZipError;

/// Most elements of an array.
pub(super) const MAX_ELEMENTS: usize = 1 << 29;

/// Why a file holds no tensors.
#[derive(Debug, thiserror::Error)]
pub enum ArrayError {
    /// Bytes of another kind of file.
    #[error("not a .npy or .npz file")]
    NotNpy,
    /// Truncated or malformed data; why.
    #[error("damaged .npy data: {0}")]
    Damaged(String),
    /// A `.npy` header that does not parse.
    #[error("damaged .npy data: the header is malformed")]
    Header,
    /// A malformed `.npz` archive; why.
    #[error("damaged .npz file: {0}")]
    Archive(String),
    /// Elements of a type that is not read.
    #[error("elements are of type `{found}`, expected {expected}")]
    Type {
        /// The type, as the header spells it.
        found: String,
        /// The types that are read.
        expected: &'static str,
    },
    /// An array of more elements than are read.
    #[error("the array has {elements} elements, the limit is {MAX_ELEMENTS}")]
    TooLarge {
        /// Number of elements.
        elements: usize,
    },
    /// An archive that unpacks to more bytes than are read.
    #[error("the arrays unpack to more than {limit} bytes")]
    Unpacked {
        /// The most bytes that are read.
        limit: u64,
    },
    /// An integer that no double is equal to.
    #[error("the integer {value} has more than the 53 bits that are read exactly")]
    Inexact {
        /// The integer.
        value: String,
    },
    /// An archive without an array of some name.
    #[error("there is no array `{name}` in it, only {}", known.join(", "))]
    NoArray {
        /// The name that was asked for.
        name: String,
        /// Names of the arrays in the archive.
        known: Vec<String>,
    },
    /// An archive without arrays.
    #[error("there is no array in it")]
    Empty,
    /// Several arrays where one is expected.
    #[error("there are several arrays in it")]
    Several,
    /// An array without a name where arrays by name are expected.
    #[error("the array in it has no name, as those of a .npz do")]
    Unnamed,
    /// A shape that no tensor of a model has.
    #[error(transparent)]
    Shape(ShapeError),
}

impl From<ReadNpyError> for ArrayError {
    fn from(error: ReadNpyError) -> Self {
        match error {
            ReadNpyError::ParseData(problem) => match problem.downcast::<Self>() {
                Ok(problem) => *problem,
                Err(other) => Self::Damaged(ReadNpyError::ParseData(other).to_string()),
            },
            ReadNpyError::ParseHeader(_) => Self::Header,
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<ZipError> for ArrayError {
    fn from(error: ZipError) -> Self {
        Self::Archive(error.to_string())
    }
}

/// Why tensors could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WriteArrayError(String);

impl WriteArrayError {
    pub(super) fn new(error: impl std::error::Error) -> Self {
        Self(error.to_string())
    }
}

/// Why a file of tensors could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadArrayError {
    /// The system cannot read the file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds no tensors, or others than were asked for.
    #[error("{}: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ArrayError,
    },
}
