//! The table of operators: every family of them registers here, and nowhere else is an operator looked up.

use super::row::{Client, Lowering, Operator};
use super::{
    activation, along, arithmetic, blocks, constants, conv, einsum, extremes, functions, gemm,
    matmul, moves, parts, pool, reduce, reshape, resize, select, softmax, sources,
};
use onnx_protobuf::NodeProto;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What each family registers.
const FAMILIES: [fn() -> Vec<Operator>; 20] = [
    activation::operators,
    along::operators,
    arithmetic::operators,
    blocks::operators,
    constants::operators,
    conv::operators,
    einsum::operators,
    extremes::operators,
    functions::operators,
    gemm::operators,
    matmul::operators,
    moves::operators,
    parts::operators,
    pool::operators,
    reduce::operators,
    reshape::operators,
    resize::operators,
    select::operators,
    softmax::operators,
    sources::operators,
];

/// All rows, by domain and name.
static TABLE: LazyLock<BTreeMap<(&str, &str), Operator>> = LazyLock::new(|| {
    let rows = FAMILIES.iter().flat_map(|operators| operators());
    rows.map(|row| ((row.domain, row.name), row)).collect()
});

fn find(node: &NodeProto) -> Option<Operator> {
    let domain = match node.domain.as_str() {
        "ai.onnx" => "",
        other => other,
    };
    TABLE.get(&(domain, node.op_type.as_str())).copied()
}

/// How a node is lowered that has encrypted operands, or none at all; `None` where that is not supported.
pub(in crate::onnx) fn lowering(node: &NodeProto) -> Option<Lowering> {
    find(node)?.encrypted
}

/// How a node is evaluated whose operands are all constants; `None` where nothing can.
pub(in crate::onnx) fn lowering_of_constants(node: &NodeProto) -> Option<Lowering> {
    find(node)?.constants
}

/// What the client does with a node.
pub(in crate::onnx) fn client(node: &NodeProto) -> Client {
    find(node).map_or(Client::Nothing, |row| row.client)
}

#[cfg(test)]
mod tests;
