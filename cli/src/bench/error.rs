//! Why primitives could not be measured.

use peregrine_compiler::refresh::error::RefreshError;
use peregrine_compiler::refresh::plan::PlanError;
use peregrine_ir::binary::ContainerError;
use peregrine_ir::{FillError, LayoutError, ShapeError, TensorError, VerifyErrors};
use peregrine_runtime::ckks::CkksError;
use peregrine_runtime::client::ClientError;
use peregrine_runtime::params::ParametersError;
use peregrine_runtime::ports::PortError;
use peregrine_runtime::ring::RingError;
use peregrine_runtime::rlwe::RlweError;
use peregrine_runtime::server::ServerError;
use peregrine_runtime::wire::WireError;

/// Why a measurement failed, and where.
#[derive(Debug, thiserror::Error)]
pub enum BenchFailure {
    /// A primitive that could not be measured at one ring degree.
    #[error("ring degree 2^{log_n}: {source}")]
    RingTable {
        /// log2 of the ring degree.
        log_n: u32,
        /// Why it could not be measured.
        source: BenchError,
    },
    /// A refresh that could not be measured.
    #[error("refresh: {0}")]
    Refresh(#[from] RefreshFailure),
    /// Threads that cannot be started.
    #[error("cannot start the threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

/// Why a primitive could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// Too few primes of the right form.
    #[error("there are fewer than {count} primes of 50 bits")]
    Primes {
        /// Number of primes that are needed.
        count: usize,
    },
    /// Reference parameters beyond the security line.
    #[error(
        "the reference modulus of {bits:.1} bits is above the limit for 128-bit security, {limit}"
    )]
    Insecure {
        /// log2 of the modulus.
        bits: f64,
        /// The largest modulus in bits that is secure.
        limit: u32,
    },
    /// A prime for which `tfhe-ntt` has no transform to compare with.
    #[error("tfhe-ntt has no transform modulo {prime}")]
    Baseline {
        /// The prime.
        prime: u64,
    },
    /// Parameters that the engine refuses.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// An operation on ciphertexts that the engine refuses.
    #[error(transparent)]
    Ckks(#[from] CkksError),
    /// A key that the engine refuses.
    #[error(transparent)]
    Rlwe(#[from] RlweError),
    /// A polynomial that the engine refuses.
    #[error(transparent)]
    RingTable(#[from] RingError),
    /// A key cannot be written.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A key file cannot be written or mapped.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// A key cannot be read.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// The measured convolution has no layout.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The measured convolution has no shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The measured convolution has no weights.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The measured convolution has no constants.
    #[error(transparent)]
    Fill(#[from] FillError),
}

/// Why a refresh could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum RefreshFailure {
    /// There are no parameters.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Levels or scales do not suit each other.
    #[error(transparent)]
    Refresh(#[from] RefreshError),
    /// The circuit breaks a rule.
    #[error(transparent)]
    Verify(#[from] VerifyErrors),
    /// A client fails.
    #[error(transparent)]
    Client(Box<ClientError>),
    /// A server fails.
    #[error(transparent)]
    Server(Box<ServerError>),
    /// A key file is wrong.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The inputs have no shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The inputs are no arrays.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A file cannot be written or mapped.
    #[error(transparent)]
    File(#[from] std::io::Error),
}

impl From<ClientError> for RefreshFailure {
    fn from(error: ClientError) -> Self {
        Self::Client(Box::new(error))
    }
}

impl From<ServerError> for RefreshFailure {
    fn from(error: ServerError) -> Self {
        Self::Server(Box::new(error))
    }
}
