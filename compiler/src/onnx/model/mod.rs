//! The model around the operators: versions, inputs, the order of its nodes, which values follow from which.

mod dataflow;
mod header;
mod order;
pub(in crate::onnx) mod rank;

pub(in crate::onnx) use dataflow::{constants, needed};
pub(in crate::onnx) use header::{Input, element, inputs, opset, parse};
pub use header::{OPSETS, Options};
pub(in crate::onnx) use order::{name, sort};
