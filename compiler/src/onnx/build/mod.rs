//! What a graph is built with: values of the model and nodes with their operands, movements, the graph under construction, and
//! limits on what a model may ask for.

mod budget;
mod builder;
mod call;
mod finished;
pub(in crate::onnx) mod functions;
mod lists;
mod movement;
mod operands;
mod value;

pub(in crate::onnx) use budget::{MAX_NODES, MAX_PORTS};
pub(in crate::onnx) use builder::{Builder, broadcast, floating};
pub(in crate::onnx) use call::Call;
pub(in crate::onnx) use finished::{Base, Finished};
pub(in crate::onnx) use movement::Movement;
pub(in crate::onnx) use operands::{dims, extents, step};
pub(in crate::onnx) use value::Value;
