//! What is known about a value of the model.

use super::finished::Finished;
use crate::onnx::format::{Constant, Element};
use petgraph::graph::NodeIndex;

/// What is known about a value of the model.
#[derive(Clone, Debug)]
pub(in crate::onnx) enum Value {
    /// Computed from encrypted inputs.
    Encrypted(NodeIndex),
    /// Known at compile time.
    Known(Constant),
    /// What the client computes, from a decrypted value or from an input that it has not encrypted yet.
    Finished(Finished),
    /// An input that is not of a floating-point type: its shape may be asked for, nothing else.
    Integers {
        name: String,
        element: Element,
        dims: Vec<u32>,
    },
    /// The result of a node that was refused; its users are not complained about.
    Unavailable,
}
