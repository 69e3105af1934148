//! Why a verb failed: one line that names the file and the thing.

use super::content::{Content, Wanted};
use super::garbage::{self, Garbage};
use peregrine::ClientError;
use peregrine::arrays::ArrayError;
use peregrine::bench::BenchFailure;
use peregrine_compiler::onnx::{ImportErrors, LoadError};
use peregrine_ir::KeyPairId;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something about a file as a file.
    #[error("{}: {problem}", path.display())]
    File { path: PathBuf, problem: FileProblem },
    /// A model that cannot be compiled; every reason.
    #[error(transparent)]
    Import(ImportErrors),
    /// What the library says of what a file holds.
    #[error("{}: {source}", path.display())]
    About {
        path: PathBuf,
        source: peregrine::Error,
    },
    /// Two files of two key pairs.
    #[error("{}, {}", .0.0, .0.1)]
    KeyPairs(Box<(Belongs, Belongs)>),
    /// An answer that is garbage.
    #[error("{0}")]
    Garbage(Box<Garbage>),
    /// Inputs that do not go together.
    #[error("{}: {problem}", path.display())]
    Inputs {
        path: PathBuf,
        problem: InputProblem,
    },
    /// Something that only circuits have.
    #[error("{}: a client interface has no {what}", path.display())]
    OnlyCircuits { path: PathBuf, what: &'static str },
    /// A primitive that cannot be measured.
    #[error(transparent)]
    Bench(#[from] BenchFailure),
    /// Threads cannot be started.
    #[error("cannot start the threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// Standard output is closed or full.
    #[error("standard output: {}", reason(.0))]
    Output(io::Error),
    /// A result that is no JSON.
    #[error("internal error: {0}")]
    Json(#[from] serde_json::Error),
}

/// What can be wrong with a file as a file.
#[derive(Debug, thiserror::Error)]
pub enum FileProblem {
    /// A file that is not there.
    #[error("cannot be read: {}", reason(.1))]
    Absent(Wanted, io::Error),
    /// A file that cannot be read.
    #[error("cannot be read: {}", reason(.0))]
    Read(io::Error),
    /// A file of another kind than is wanted.
    #[error("{found}, expected {wanted}")]
    Content { found: Content, wanted: Wanted },
    /// A file that cannot be written.
    #[error("cannot be written: {}", reason(.0))]
    Write(io::Error),
    /// A file that is larger than any of its kind.
    #[error("too large for {what}, which has at most {limit} bytes")]
    TooLarge { what: &'static str, limit: u64 },
    /// A file that exists, where a new one is asked for.
    #[error("exists already")]
    Exists,
    /// A secret key that would be overwritten and lost.
    #[error("would overwrite a secret key")]
    SecretKey,
    /// A file of another kind that would be overwritten and lost.
    #[error("{0}, and would be overwritten")]
    Overwrites(Content),
    /// A device or a pipe.
    #[error("is not a regular file, so it is not written to")]
    NotRegular,
    /// A folder.
    #[error("is a folder, so no file can be written there")]
    Folder,
    /// A folder that another run uses.
    #[error("is in use by another run")]
    InUse,
    /// A checkpoint that a run cannot go on from.
    #[error("this run cannot go on from here: {0}")]
    Checkpoint(Box<peregrine::Error>),
    /// A name that promises another format.
    #[error("outputs are not written as .{0}, only as .npz, .npy and .csv")]
    Ending(String),
    /// Several outputs where there is room for one.
    #[error("a {format} holds one output, there are {}", outputs.join(", "))]
    Outputs {
        format: &'static str,
        outputs: Vec<String>,
    },
    /// A file that is given in two roles.
    #[error("is given as {0} and as {1}")]
    Twice(&'static str, &'static str),
    /// A file without tensors.
    #[error(transparent)]
    Array(ArrayError),
}

/// What can be wrong with inputs as files.
#[derive(Debug, thiserror::Error)]
pub enum InputProblem {
    /// A file that does not say which input it is for.
    #[error("the model has several inputs ({}), and the file is not said to be one of them", known.join(", "))]
    Unnamed { known: Vec<String> },
    /// Two files for one input.
    #[error("input `{name}` is given twice")]
    Twice { name: String },
    /// A name that is neither a file nor an input.
    #[error("there is no such file, and the model has no input `{name}`: its inputs are {}", known.join(", "))]
    NoSuch { name: String, known: Vec<String> },
}

/// A file and its key pair.
#[derive(Clone, Debug)]
pub struct Belongs {
    path: PathBuf,
    how: &'static str,
    key_pair: KeyPairId,
}

impl fmt::Display for Belongs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            how,
            key_pair,
        } = self;
        write!(f, "{} {how} key pair {key_pair}", path.display())
    }
}

impl Belongs {
    /// The key pair that keys in a file belong to.
    pub fn to(path: &Path, key_pair: KeyPairId) -> Self {
        Self {
            path: path.to_owned(),
            how: "belongs to",
            key_pair,
        }
    }

    /// The key pair that ciphertexts in a file were encrypted under.
    pub fn encrypted(path: &Path, key_pair: KeyPairId) -> Self {
        Self {
            how: "was encrypted under",
            ..Self::to(path, key_pair)
        }
    }

    /// Refuses a file of another key pair.
    pub fn check(self, other: Self) -> Result<(), Error> {
        match self.key_pair == other.key_pair {
            true => Ok(()),
            false => Err(Error::KeyPairs(Box::new((self, other)))),
        }
    }
}

/// What the system said, without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

impl Error {
    pub fn file(path: &Path, problem: FileProblem) -> Self {
        Self::File {
            path: path.to_owned(),
            problem,
        }
    }

    pub fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |error| Self::file(path, FileProblem::Read(error))
    }

    pub fn writing(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |error| Self::file(path, FileProblem::Write(error))
    }

    /// An error of the library about what a file holds.
    pub fn about<E: Into<peregrine::Error>>(path: &Path) -> impl FnOnce(E) -> Self {
        |error| Self::About {
            path: path.to_owned(),
            source: error.into(),
        }
    }

    pub fn load(error: LoadError) -> Self {
        match error {
            LoadError::Io { path, source } => Self::file(&path, FileProblem::Read(source)),
            LoadError::Import(errors) => Self::Import(errors),
        }
    }

    /// The exit code of a verb that fails so.
    pub fn code(&self) -> u8 {
        match self {
            Self::Garbage(_)
            | Self::About {
                source: peregrine::Error::Client(ClientError::Decrypt { .. }),
                ..
            } => garbage::EXIT_CODE,
            _ => 1,
        }
    }
}
