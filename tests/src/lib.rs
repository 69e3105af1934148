//! What the tests of the whole project share.

pub mod conformance;
pub mod flow;
pub mod networks;
pub mod onnx_bytes;
pub mod shared;
