//! Constant propagation: what a node computes whose operands are all known is computed here, before anything is encrypted.
//!
//! 1. Operators that also work on encrypted values and are exact on constants fold them themselves: a slice of a constant
//!    is a slice, and a constant that is one number everywhere is not expanded.
//! 2. `elementwise` applies functions of numbers in f64, `quantize` turns integers into numbers and back.
//! 3. Everything else is evaluated by a library (`library`), after its size is known to be within bounds.
//!
//! Which of them an operator takes is said where it is registered, in the room of operators.

mod elementwise;
pub(in crate::onnx) mod library;
mod quantize;

pub(in crate::onnx) use elementwise::{binary, choose, names_of_several, several, unary};
pub(in crate::onnx) use quantize::{dequantize, quantize};
