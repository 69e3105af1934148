//! What a model leaves to the client: its beginning, before encryption, and its end, after decryption.

mod begin;
mod ending;

pub(in crate::onnx) use begin::Opening;
pub(in crate::onnx) use ending::{Ending, is_step, lower, server_side};
