//! The ONNX front end: from the bytes of a model to the canonical tensor graph.
//!
//! 1. `sniff` names what is no model at all, `scan` refuses bytes that the protobuf parser must not see; then onnx-protobuf
//!    parses.
//! 2. `model` reads versions, inputs and initializers; `order` sorts the nodes.
//! 3. `import` walks the nodes in order. `schema` holds each against its operator's definition; `operators` names the function that lowers each operator; there is one module
//!    per family (`conv`, `pool`, `gemm`, `matmul`, `arithmetic`, `activation`, `reshape`, `moves`, `parts`, `blocks`, `resize`,
//!    `reduce`). What is known at compile time is a `constant`, folded on the way (`fold`); what is encrypted becomes
//!    operators of the graph (`builder`). What only the client can compute, at the end of a model, goes with the output (`finish`).
//! 4. `ranges` reads what the metadata state about values.
//! 5. A node that cannot be lowered is a [`Diagnostic`]; the walk goes on, so that [`ImportErrors`] has all of them.
//!
//! No type of onnx-protobuf leaves this module. There is no I/O outside `files`.

mod activation;
mod advice;
mod along;
mod arithmetic;
mod begin;
mod blocks;
mod budget;
mod builder;
mod call;
mod constant;
mod conv;
mod coordinates;
mod einsum;
mod element;
mod error;
mod external;
mod files;
mod finish;
mod fold;
mod functions;
mod gemm;
mod import;
mod interpolate;
mod matmul;
mod model;
mod movement;
mod moves;
mod operators;
mod order;
mod parts;
mod pool;
mod problem;
mod ranges;
mod read;
mod reduce;
mod reshape;
mod resize;
mod scan;
mod schema;
mod select;
mod sniff;
mod unsupported;
mod window;

pub use advice::{Help, Note};
pub use element::{Element, FloatType};
pub use error::{Diagnostic, ImportErrors, Site};
pub use external::{ExternalData, ExternalError, Location, NoExternalData};
pub use files::{Folder, LoadError, load};
pub use import::import;
pub use model::{OPSETS, Options};
pub use problem::Problem;
pub use ranges::{RANGES_KEY, StatedError};
pub use read::{TensorReadError, TensorValue, read_tensor};
pub use scan::ScanError;
pub use schema::{AttributeKind, SchemaError};
pub use sniff::{FileType, OwnFile};
pub use unsupported::Reason;

#[cfg(test)]
mod tests;
