//! The operators of domains beside the default one.

use super::row::{Row, op};

/// The domain of the polynomial activations that PolyAct training exports.
pub(in crate::onnx) const NN_TOOLS: &str = "nn_tools";

/// The activations of PolyAct training; their domain has one version.
pub(super) const CUSTOM: &[Row] = &[
    op("RangeNormPoly1d", 0, "T T", "T", RANGE_NORM),
    op("RangeNormPoly2d", 0, "T T", "T", RANGE_NORM),
    op(
        "Simple_Polyrelu",
        0,
        "T",
        "T",
        "activation:string degree:int scale_after:float scale_before:float",
    ),
];

const RANGE_NORM: &str = "activation:string degree:int eps:float upper_bound:float";
