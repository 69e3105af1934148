//! Which function lowers which operator.

use super::builder::Builder;
use super::call::{Call, Value};
use super::problem::Problem;
use super::{
    activation, along, arithmetic, blocks, conv, einsum, fold, gemm, matmul, moves, parts, pool,
    reduce, reshape, resize, schema, select,
};

/// Lowers a node with one result.
type One = fn(&mut Builder, &Call) -> Result<Value, Problem>;

/// How an operator is lowered.
#[derive(Clone, Copy)]
pub(super) enum Lowering {
    /// To one result.
    One(One),
    /// To several.
    Many(fn(&mut Builder, &Call) -> Result<Vec<Value>, Problem>),
}

/// The domain of the polynomial activations that PolyAct training exports.
pub(super) const NN_TOOLS: &str = "nn_tools";

/// How `op` of `domain` is lowered, if it is supported. An operator without a row in the table of schemas is not: nothing
/// would check its attributes.
pub(super) fn lowering(domain: &str, op: &str) -> Option<Lowering> {
    if !schema::is_known(domain, op) {
        return None;
    }
    match domain {
        "" | "ai.onnx" if op == "Split" => Some(Lowering::Many(parts::split)),
        "" | "ai.onnx" => linear(op)
            .or_else(|| elementwise(op))
            .or_else(|| movement(op))
            .or_else(|| known(op))
            .map(Lowering::One),
        NN_TOOLS => custom(op).map(Lowering::One),
        _ => None,
    }
}

fn linear(op: &str) -> Option<One> {
    Some(match op {
        "Conv" => conv::conv,
        "ConvTranspose" => conv::conv_transpose,
        "Gemm" => gemm::gemm,
        "MatMul" => matmul::matmul,
        "AveragePool" => pool::average_pool,
        "GlobalAveragePool" => pool::global_average_pool,
        "ReduceSum" => reduce::sum,
        "ReduceMean" => reduce::mean,
        "ReduceSumSquare" => reduce::sum_square,
        "CumSum" => along::cumulative_sum,
        "Trilu" => along::triangle,
        "Einsum" => einsum::einsum,
        _ => return None,
    })
}

fn elementwise(op: &str) -> Option<One> {
    Some(match op {
        "BatchNormalization" => activation::batch_normalization,
        "Add" => arithmetic::add,
        "Sub" => arithmetic::sub,
        "Mul" => arithmetic::mul,
        "Div" => arithmetic::div,
        "Neg" => arithmetic::neg,
        "Pow" => arithmetic::pow,
        "Sum" => arithmetic::sum,
        "Mean" => arithmetic::mean,
        "Identity" => reshape::identity,
        "Dropout" => reshape::dropout,
        "Cast" | "CastLike" => reshape::cast,
        _ => return None,
    })
}

fn movement(op: &str) -> Option<One> {
    Some(match op {
        "Reshape" => reshape::reshape,
        "Flatten" => reshape::flatten,
        "Squeeze" => reshape::squeeze,
        "Unsqueeze" => reshape::unsqueeze,
        "Transpose" => moves::transpose,
        "Expand" => moves::expand,
        "Tile" => moves::tile,
        "Slice" => moves::slice,
        "Pad" => moves::pad,
        "Gather" => moves::gather,
        "Concat" => parts::concat,
        "DepthToSpace" => blocks::depth_to_space,
        "SpaceToDepth" => blocks::space_to_depth,
        "Resize" | "Upsample" => resize::resize,
        _ => return None,
    })
}

fn known(op: &str) -> Option<One> {
    Some(match op {
        "Constant" => fold::constant,
        "ConstantOfShape" => fold::constant_of_shape,
        "Shape" => fold::shape,
        "Size" => fold::size,
        "Range" => fold::range,
        "Where" => select::choose,
        _ => return None,
    })
}

fn custom(op: &str) -> Option<One> {
    Some(match op {
        "RangeNormPoly2d" | "RangeNormPoly1d" => activation::range_norm_poly,
        "Simple_Polyrelu" => activation::simple_polyrelu,
        _ => return None,
    })
}
