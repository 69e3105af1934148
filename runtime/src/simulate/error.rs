//! Errors of a simulation.

use crate::backend::clear::Mismatch;
use crate::exec::{Cancelled, ExecError};
use crate::ports::PortError;

/// Why a simulation failed.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// An input tensor is missing or wrong.
    #[error(transparent)]
    Input(#[from] PortError),
    /// The run failed.
    #[error(transparent)]
    Run(ExecError<Mismatch>),
    /// The observer cancelled the simulation.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A port has no layout; does not happen for verified circuits.
    #[error("internal error: `{port}` has no layout")]
    Layout {
        /// The port.
        port: String,
    },
}

impl From<ExecError<Mismatch>> for SimulateError {
    fn from(error: ExecError<Mismatch>) -> Self {
        match error {
            ExecError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            error => Self::Run(error),
        }
    }
}
