//! The ONNX project's own test cases.

mod import;
mod simulate;
