//! Why something failed, whatever it was.

use crate::arrays::{ArrayError, BatchError, LoadArrayError, WriteArrayError};
use crate::bench::BenchFailure;
use crate::calibrate::CalibrateError;
use crate::compile::CompileError;
use crate::inspect::UnknownNode;
use crate::labels::LabelError;
use crate::verdict::GarbageError;
use peregrine_compiler::onnx::{ImportErrors, LoadError};
use peregrine_compiler::ranges::RangeError;
use peregrine_compiler::tensor::EvaluateError;
use peregrine_ir::cost::ProfileError;
use peregrine_ir::{CutError, ReadError, ShapeError};
use peregrine_runtime::client::ClientError;
use peregrine_runtime::ports::PortError;
use peregrine_runtime::server::ServerError;
use peregrine_runtime::simulate::SimulateError;

/// Any failure of this crate, for callers that pass them on: every error of its functions and methods becomes one with `?`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A model file that cannot be read, or a model that cannot be compiled.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A model that cannot be compiled; every reason.
    #[error(transparent)]
    Import(#[from] ImportErrors),
    /// A model for which there is no circuit.
    #[error(transparent)]
    Compile(Box<CompileError>),
    /// Bytes that are no circuit or client interface.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A profile that describes no machine.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A file of tensors that cannot be read.
    #[error(transparent)]
    LoadArray(#[from] LoadArrayError),
    /// Bytes that hold no tensors.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// Tensors that cannot be written.
    #[error(transparent)]
    WriteArray(#[from] WriteArrayError),
    /// A shape that no tensor has.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A tensor that is no input of a model.
    #[error(transparent)]
    Input(#[from] PortError),
    /// Inputs of different numbers of images.
    #[error(transparent)]
    Batch(BatchError),
    /// Labels that do not go with images or outputs.
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// A model that cannot be evaluated in the clear.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// Values of a model that have no room.
    #[error(transparent)]
    Ranges(#[from] RangeError),
    /// A run that the simulator refuses.
    #[error(transparent)]
    Simulate(SimulateError),
    /// A request that the client refuses.
    #[error(transparent)]
    Client(ClientError),
    /// A circuit that is not cut into steps.
    #[error(transparent)]
    Cut(#[from] CutError),
    /// A request that the server refuses.
    #[error(transparent)]
    Server(Box<ServerError>),
    /// An answer that is garbage, where a sound one is wanted.
    #[error(transparent)]
    Garbage(#[from] GarbageError),
    /// A node that no instruction of a circuit belongs to.
    #[error(transparent)]
    UnknownNode(#[from] UnknownNode),
    /// A primitive that cannot be measured.
    #[error(transparent)]
    Bench(#[from] BenchFailure),
}

impl From<CompileError> for Error {
    fn from(error: CompileError) -> Self {
        Self::Compile(Box::new(error))
    }
}

impl From<ServerError> for Error {
    fn from(error: ServerError) -> Self {
        Self::Server(Box::new(error))
    }
}

impl From<BatchError> for Error {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Port(source) => Self::Input(source),
            error => Self::Batch(error),
        }
    }
}

impl From<SimulateError> for Error {
    fn from(error: SimulateError) -> Self {
        match error {
            SimulateError::Input(source) => Self::Input(source),
            error => Self::Simulate(error),
        }
    }
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Input(source) => Self::Input(source),
            error => Self::Client(error),
        }
    }
}

impl Error {
    /// What is wrong with a tensor that is no input of a model, however deep it lies.
    pub fn input(&self) -> Option<&PortError> {
        match self {
            Self::Input(source) => Some(source),
            Self::Compile(error) => match &**error {
                CompileError::Calibrate(
                    CalibrateError::Port(source) | CalibrateError::Batch(BatchError::Port(source)),
                ) => Some(source),
                _ => None,
            },
            _ => None,
        }
    }
}
