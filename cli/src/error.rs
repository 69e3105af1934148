//! How a failure reads: one line that names the file and the thing, and a way out where one is known.

use crate::arrays::ArrayProblem;
use crate::files::{Content, Wanted};
use crate::verbs::bench::BenchError;
use crate::verdict::{self, Garbage};
use peregrine_compiler::advice::WaysOut;
use peregrine_compiler::manage::parameters::ParameterError;
use peregrine_compiler::onnx::{ImportErrors, LoadError};
use peregrine_compiler::passes::keys::KeyError;
use peregrine_compiler::pipeline::CompileError;
use peregrine_compiler::precision::PrecisionError;
use peregrine_compiler::ranges::RangeError;
use peregrine_compiler::rewrite::RewriteError;
use peregrine_compiler::tensor::EvaluateError;
use peregrine_ir::cost::ProfileError;
use peregrine_ir::{KeyPairId, ReadError};
use peregrine_runtime::client::ClientError;
use peregrine_runtime::ports::PortError;
use peregrine_runtime::server::ServerError;
use peregrine_runtime::simulate::SimulateError;
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
    /// A model for which there is no circuit.
    #[error("{}: {source}", path.display())]
    Compile { path: PathBuf, source: CompileError },
    /// A model that no parameters hold.
    #[error("{}: {source}", path.display())]
    NoParameters {
        path: PathBuf,
        source: ParameterError,
        ways_out: WaysOut,
    },
    /// Evaluation keys that are larger than their budget, with so many bits per operation.
    #[error("{}: with {internal} bits per operation, {source}", path.display())]
    Keys {
        path: PathBuf,
        internal: u32,
        source: KeyError,
    },
    /// A precision that no circuit for a model has.
    #[error("{}: {source}", path.display())]
    Precision {
        path: PathBuf,
        source: PrecisionError,
    },
    /// A model whose rewriting failed.
    #[error("{}: {source}", path.display())]
    Rewrite { path: PathBuf, source: RewriteError },
    /// A model that cannot be evaluated in the clear.
    #[error("{}: {source}", path.display())]
    Evaluate {
        path: PathBuf,
        source: EvaluateError,
    },
    /// A model whose values have no room.
    #[error("{}: {source}", path.display())]
    Ranges { path: PathBuf, source: RangeError },
    /// A file that is no profile of a machine.
    #[error("{}: {source}", path.display())]
    Profile { path: PathBuf, source: ProfileError },
    /// A file that is no circuit or client interface.
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: ReadError },
    /// What a client refuses.
    #[error("{}: {source}", path.display())]
    Client { path: PathBuf, source: ClientError },
    /// What a server refuses.
    #[error("{}: {source}", path.display())]
    Server { path: PathBuf, source: ServerError },
    /// Two files of two key pairs.
    #[error("{}, {}", .0.0, .0.1)]
    KeyPairs(Box<(Belongs, Belongs)>),
    /// What the simulator refuses.
    #[error("{}: {source}", path.display())]
    Simulate {
        path: PathBuf,
        source: SimulateError,
    },
    /// An answer that is garbage.
    #[error("{0}")]
    Garbage(Box<Garbage>),
    /// An input tensor that the model does not take.
    #[error("{}: {source}", path.display())]
    Input { path: PathBuf, source: PortError },
    /// Inputs that do not go together.
    #[error("{}: {problem}", path.display())]
    Inputs {
        path: PathBuf,
        problem: InputProblem,
    },
    /// No such node in a circuit.
    #[error("{}: no instruction serves a node `{node}`; those served are {}", path.display(), known.join(", "))]
    NoNode {
        path: PathBuf,
        node: String,
        known: Vec<String>,
    },
    /// Something that only circuits have.
    #[error("{}: a client interface has no {what}", path.display())]
    OnlyCircuits { path: PathBuf, what: &'static str },
    /// A primitive that cannot be measured.
    #[error("ring degree 2^{log_n}: {source}")]
    Bench { log_n: u32, source: BenchError },
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

/// What can be wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum FileProblem {
    /// It is not there.
    #[error("cannot be read: {}", reason(.1))]
    Absent(Wanted, io::Error),
    /// It cannot be read.
    #[error("cannot be read: {}", reason(.0))]
    Read(io::Error),
    /// It is something else.
    #[error("{found}, expected {wanted}")]
    Content { found: Content, wanted: Wanted },
    /// It cannot be written.
    #[error("cannot be written: {}", reason(.0))]
    Write(io::Error),
    /// It is larger than any such file.
    #[error("too large for {what}, which has at most {limit} bytes")]
    TooLarge { what: &'static str, limit: u64 },
    /// It exists.
    #[error("exists already")]
    Exists,
    /// It holds a secret key that would be lost.
    #[error("would overwrite a secret key")]
    SecretKey,
    /// It holds something of another kind that would be lost.
    #[error("{0}, and would be overwritten")]
    Overwrites(Content),
    /// A device or a pipe.
    #[error("is not a regular file, so it is not written to")]
    NotRegular,
    /// A folder.
    #[error("is a folder, so no file can be written there")]
    Folder,
    /// A name that promises another format.
    #[error("outputs are not written as .{0}, only as .npz, .npy and .csv")]
    Ending(String),
    /// Several outputs where there is room for one.
    #[error("a {format} holds one output, there are {}", outputs.join(", "))]
    Outputs {
        format: &'static str,
        outputs: Vec<String>,
    },
    /// It is used for two things.
    #[error("is given as {0} and as {1}")]
    Twice(&'static str, &'static str),
    /// No tensors in it.
    #[error(transparent)]
    Array(ArrayProblem),
}

/// What can be wrong with inputs beside their shape.
#[derive(Debug, thiserror::Error)]
pub enum InputProblem {
    /// It does not say which.
    #[error("the model has several inputs ({}), and the file is not said to be one of them", known.join(", "))]
    Unnamed { known: Vec<String> },
    /// Two files for one input.
    #[error("input `{name}` is given twice")]
    Twice { name: String },
    /// Two ranges for one input.
    #[error("input `{name}` has two ranges")]
    RangeTwice { name: String },
    /// Neither a file nor an input.
    #[error("there is no such file, and the model has no input `{name}`: its inputs are {}", known.join(", "))]
    NoSuch { name: String, known: Vec<String> },
    /// Inputs of different batches.
    #[error("input `{name}` has {found} images, another input has {expected}")]
    Batch {
        name: String,
        found: usize,
        expected: usize,
    },
    /// Not as many labels as images.
    #[error("there are {found} labels for {expected} images")]
    Labels { found: usize, expected: usize },
    /// Labels for outputs that have no class.
    #[error("labels are classes, but the outputs are not vectors of scores: {}", outputs.join(", "))]
    NoClasses { outputs: Vec<String> },
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
    /// Of keys.
    pub fn to(path: &Path, key_pair: KeyPairId) -> Self {
        Self {
            path: path.to_owned(),
            how: "belongs to",
            key_pair,
        }
    }

    /// Of ciphertexts.
    pub fn encrypted(path: &Path, key_pair: KeyPairId) -> Self {
        Self {
            how: "was encrypted under",
            ..Self::to(path, key_pair)
        }
    }

    /// Refuses two pairs.
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

    pub fn client(path: &Path) -> impl FnOnce(ClientError) -> Self {
        |source| Self::Client {
            path: path.to_owned(),
            source,
        }
    }

    pub fn server(path: &Path) -> impl FnOnce(ServerError) -> Self {
        |source| Self::Server {
            path: path.to_owned(),
            source,
        }
    }

    pub fn evaluate(path: &Path) -> impl FnOnce(EvaluateError) -> Self {
        |source| Self::Evaluate {
            path: path.to_owned(),
            source,
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
            | Self::Client {
                source: ClientError::Decrypt { .. },
                ..
            } => verdict::EXIT_CODE,
            _ => 1,
        }
    }

    /// The lines to print.
    pub fn render(&self) -> String {
        let mut text = match self {
            // These carry the word, once for each.
            Self::Import(errors) => errors.to_string(),
            error => format!("error: {error}"),
        };
        let found = self.found_help();
        if let Some(help) = found.as_deref().or_else(|| self.help()) {
            text.push_str("\nhelp: ");
            text.push_str(help);
        }
        text
    }
}
