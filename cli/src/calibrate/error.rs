//! Why the values of a model are not known.

use crate::arrays::BatchError;
use peregrine_compiler::ranges::RangeError;
use peregrine_compiler::tensor::EvaluateError;
use peregrine_runtime::ports::PortError;

/// Why the ranges of a model's values could not be found.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    /// Samples that are no inputs of the model.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A range for something that is no input of the model.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Two ranges for one input.
    #[error("input `{name}` has two ranges")]
    RangeTwice {
        /// The input.
        name: String,
    },
    /// A model that cannot be evaluated in the clear.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// Values that have no room.
    #[error(transparent)]
    Ranges(#[from] RangeError),
}
