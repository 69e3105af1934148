//! What can be wrong with a model: every kind of problem, why that is a limit, a way out, and how it is told.

mod advice;
mod diagnostic;
mod problem;
pub(in crate::onnx) mod unsupported;

pub use advice::{Help, Note};
pub use diagnostic::{Diagnostic, ImportErrors, Site};
pub use problem::Problem;
pub use unsupported::Reason;
