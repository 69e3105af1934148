//! From an ONNX model to a verified CKKS circuit.

pub mod tensor;
