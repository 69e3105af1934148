//! Errors of the server.

use crate::backend::cpu::CkksRunError;
use crate::bytes::Bytes;
use crate::exec::memory::MemoryError;
use crate::exec::{Cancelled, ExecError};
use crate::params::ParametersError;
use crate::wire::{MissingValues, WireError};
use peregrine_ir::KeyPairId;
use peregrine_ir::binary::Fingerprint;

/// Why the server cannot open a session or run it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The engine cannot work in the circuit's ring.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// Inputs, keys or values belong to another circuit.
    #[error("{what} belongs to circuit {found}, expected one for circuit {expected}")]
    Foreign {
        /// What they are.
        what: &'static str,
        /// The circuit that they belong to.
        found: Fingerprint,
        /// The circuit of this server.
        expected: Fingerprint,
    },
    /// Inputs and evaluation keys belong to different key pairs.
    #[error(
        "the ciphertexts were encrypted under key pair {inputs}, the evaluation keys belong to {keys}"
    )]
    KeyPair {
        /// The key pair of the inputs.
        inputs: KeyPairId,
        /// The key pair of the evaluation keys.
        keys: KeyPairId,
    },
    /// Evaluation keys in memory are for other rings.
    #[error("the evaluation keys are for a circuit with other rings")]
    OtherRings,
    /// No plan of a run fits the memory limit, though no other session is open.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The sessions that are open leave too little memory for another one.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// The threads of the server cannot be started.
    #[error("the threads of the server cannot be started: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// The evaluation keys do not serve the circuit.
    #[error(transparent)]
    Keys(#[from] CkksRunError),
    /// A file is damaged, or not the one that is needed.
    #[error(transparent)]
    File(#[from] WireError),
    /// Values that a fragment takes are missing.
    #[error(transparent)]
    Values(#[from] MissingValues),
    /// The run failed.
    #[error(transparent)]
    Run(ExecError<CkksRunError>),
    /// The observer cancelled the run.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl From<ExecError<CkksRunError>> for ServerError {
    fn from(error: ExecError<CkksRunError>) -> Self {
        match error {
            ExecError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            error => Self::Run(error),
        }
    }
}

/// The memory that another session lacks, when the sessions that are open leave too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the session needs {} of memory, {} of the limit of {} is free beside {open} open {}: close one, let the server keep fewer \
     encoded constants, or raise the limit to {}",
    Bytes(*needed), Bytes(*free), Bytes(*limit), if *open == 1 { "session" } else { "sessions" }, Bytes(*least)
)]
pub struct NoRoom {
    /// The fewest bytes that the session needs beside those that it shares with others.
    pub needed: u64,
    /// Bytes that are free.
    pub free: u64,
    /// The most bytes for everything.
    pub limit: u64,
    /// The limit with which the session could be opened.
    pub least: u64,
    /// The number of open sessions.
    pub open: usize,
}
