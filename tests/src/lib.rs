//! What the tests of the whole project share.

pub mod builder;
pub mod conformance;
pub mod flow;
pub mod fuzz;
pub mod imports;
pub mod listing;
pub mod machines;
pub mod networks;
pub mod onnx_bytes;
pub mod random_graphs;
pub mod shared;
pub mod truncate;
