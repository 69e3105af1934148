//! All roles in one process, compared with the cleartext model.

mod judge;
mod options;
mod report;
mod run;

pub use options::InferOptions;
pub use report::{ImageReport, InferReport, MeasuredPrecision, PhaseSeconds};
pub use run::{Inference, Inferred, infer};
