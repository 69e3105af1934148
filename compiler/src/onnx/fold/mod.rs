//! Constant propagation: a node whose operands are all known is evaluated here, before anything is encrypted.
//!
//! 1. Operators that also work on encrypted values and are exact on constants fold them themselves: a slice of a constant
//!    is a slice, and a constant that is one number everywhere is not expanded.
//! 2. `sources` makes constants of nothing and of shapes, `elementwise` applies functions of numbers in f64, `quantize`
//!    turns integers into numbers and back.
//! 3. Everything else is evaluated by a library (`library`), after its size is known to be within bounds.
#![deny(clippy::indexing_slicing)]

mod elementwise;
mod library;
mod quantize;
mod sources;

pub(super) use elementwise::{binary, choose};
pub(super) use sources::{constant, constant_of_shape, range, shape, size};

use super::call::{Call, Value};
use super::functions;
use super::operators::{self, Lowering};

/// Whether a node computes a constant: there are operands, and all are known.
pub(super) fn is_constant(call: &Call) -> bool {
    let mut operands = call.inputs.iter().flatten().peekable();
    operands.peek().is_some() && operands.all(|value| matches!(value, Value::Known(_)))
}

/// How a node of constants is evaluated; `None` where nothing can.
pub(super) fn lowering(call: &Call) -> Option<Lowering> {
    let (domain, op) = (call.node.domain.as_str(), call.node.op_type.as_str());
    if !matches!(domain, "" | "ai.onnx") {
        return None;
    }
    if op == "Split" || folds_itself(call) {
        return operators::lowering(domain, op);
    }
    Some(match op {
        "Where" => Lowering::One(choose),
        "DequantizeLinear" => Lowering::One(quantize::dequantize),
        "QuantizeLinear" => Lowering::One(quantize::quantize),
        "Not" | "Tanh" | "Sigmoid" => Lowering::One(elementwise::unary),
        _ if functions::is_function(op) => Lowering::One(elementwise::unary),
        _ if elementwise::is_function(op) => Lowering::One(elementwise::several),
        _ if library::evaluates(op) => Lowering::Many(library::evaluate),
        _ => return None,
    })
}

/// Whether the lowering of encrypted values does the same for constants.
fn folds_itself(call: &Call) -> bool {
    let interpolates = || {
        call.string_or("mode", "nearest")
            .is_ok_and(|mode| mode != "nearest")
    };
    match call.node.op_type.as_str() {
        "Add" | "Sub" | "Mul" | "Div" | "Neg" | "Pow" | "Sum" | "Mean" | "Identity" | "Dropout"
        | "Cast" | "CastLike" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Transpose"
        | "Expand" | "Tile" | "Slice" | "Pad" | "Gather" | "Concat" | "DepthToSpace"
        | "SpaceToDepth" | "Shape" | "Size" | "Range" | "ConstantOfShape" | "ReduceSum"
        | "ReduceMean" | "ReduceSumSquare" => true,
        "Resize" | "Upsample" => !interpolates(),
        _ => false,
    }
}
