//! Why a refresh cannot be written into a circuit: always a defect of whoever chose its levels and scales.

use crate::passes::PassError;
use peregrine_ir::{LayoutError, Level, ShapeError, TensorError, TypeError, Value};

/// A refresh cannot be written as a function.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RefreshError {
    /// An instruction does not type: levels or scales do not suit each other.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// A pass has a defect.
    #[error(transparent)]
    Pass(#[from] PassError),
    /// A constant has no shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A constant is no tensor.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The slots have no layout.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A value that was not emitted, or is no ciphertext.
    #[error("{0} of the refresh is no ciphertext")]
    Value(Value),
    /// A scale has exponents that are too large.
    #[error("a scale of the refresh has too large exponents")]
    Exponent,
    /// A level that does not exist.
    #[error("level {0} of the refresh does not exist")]
    Level(Level),
}
