//! The ONNX front end: from the bytes of a model to the canonical tensor graph.
//!
//! Rooms, each of which uses only those before it:
//!
//! 1. `format`: what a file holds. `sniff` names what is no model at all, `scan` refuses bytes that the protobuf parser must not
//!    see, `tensor` reads weights; ranges that the metadata state.
//! 2. `schema`: what every operator takes at every opset.
//! 3. `problems`: everything that can be wrong with a model, and the ways out. A node that cannot be lowered is a
//!    [`Diagnostic`]; the walk goes on, so that [`ImportErrors`] has all of them.
//! 4. `model`: versions and inputs, nodes in order.
//! 5. `build`: values, nodes with their operands, movements, the graph under construction, limits.
//! 6. `fold`: what is known at compile time is computed at compile time.
//! 7. `operators`: one module per family, and the one table in which each registers its operators.
//! 8. `client`: what the beginning and the end of a model leave to the client.
//! 9. `import`: the walk over the nodes.
//!
//! No type of onnx-protobuf leaves this module. There is no I/O outside `files`.

mod build;
mod client;
mod files;
mod fold;
mod format;
mod import;
mod model;
mod operators;
mod problems;
mod schema;

pub use files::{Folder, LoadError, load};
pub use format::{
    Element, ExternalData, ExternalError, FileType, FloatType, Location, NoExternalData, OwnFile,
    RANGES_KEY, ScanError, StatedError, TensorReadError, TensorValue, read_tensor,
};
pub use import::import;
pub use model::{OPSETS, Options};
pub use problems::{Diagnostic, Help, ImportErrors, Note, Problem, Reason, Site};
pub use schema::{AttributeKind, SchemaError};

#[cfg(test)]
mod tests;
