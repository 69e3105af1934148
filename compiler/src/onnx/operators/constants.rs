//! Operators that are evaluated on constants only.

use super::row::{Lowering, Operator};
use crate::onnx::fold::{dequantize, names_of_several, quantize, several};

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    let own = |name, lower| Operator::named(name).of_constants(Lowering::One(lower));
    let mut rows: Vec<Operator> = names_of_several().map(|name| own(name, several)).collect();
    rows.push(own("DequantizeLinear", dequantize));
    rows.push(own("QuantizeLinear", quantize));
    rows.extend(LIBRARY.map(|name| Operator::named(name).by_library()));
    rows
}

/// What is left to the library alone.
const LIBRARY: [&str; 39] = [
    "BitShift",
    "BitwiseAnd",
    "BitwiseNot",
    "BitwiseOr",
    "BitwiseXor",
    "Compress",
    "ConvInteger",
    "DynamicQuantizeLinear",
    "EyeLike",
    "GatherElements",
    "GatherND",
    "GlobalLpPool",
    "GlobalMaxPool",
    "GroupNormalization",
    "Hardmax",
    "InstanceNormalization",
    "IsInf",
    "IsNaN",
    "LRN",
    "LayerNormalization",
    "LpNormalization",
    "MatMulInteger",
    "MaxPool",
    "MeanVarianceNormalization",
    "NonZero",
    "OneHot",
    "RMSNormalization",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "Scatter",
    "ScatterElements",
    "ScatterND",
    "TopK",
    "Unique",
];
