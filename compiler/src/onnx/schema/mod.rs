//! What every operator takes, at every opset: operands and results with their types, and attributes.
//!
//! `table` and `custom` have the rows; [`check`] holds a node against its row before anything is lowered, so that no lowering
//! looks for an attribute of another version, and none is ignored in silence.

mod check;
mod custom;
mod error;
mod ignorable;
mod row;
mod table;

#[cfg(test)]
pub(in crate::onnx) use check::is_known;
pub(in crate::onnx) use check::{Signature, check, signature};
pub(in crate::onnx) use custom::NN_TOOLS;
pub use error::{AttributeKind, SchemaError};
pub(in crate::onnx) use ignorable::is_ignorable;
