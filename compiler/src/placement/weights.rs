//! The bits that each node of a network drops, estimated on the graph.

use crate::layout::depth::polynomial_depth;
use crate::moduli::scale_bits::ScaleBits;
use crate::tensor::{Graph, Op, PerNode, Polynomial};
use peregrine_ir::linear::LinearKind;

/// About how many bits the rescales of each node drop: those of weights for a linear operator, those of values for each product.
pub fn weights(graph: &Graph, bits: &ScaleBits) -> PerNode<u32> {
    PerNode::from_fn(graph, |index| match &graph.node(index).op {
        Op::Linear { map, .. } => match &map.kind {
            LinearKind::Gather(_) => bits.mask,
            _ => bits.weights,
        },
        Op::Multiply => bits.unit,
        Op::Polynomial(polynomial) => of_polynomial(polynomial, graph, bits),
        Op::Input { .. } | Op::Add | Op::Reshape => 0,
    })
}

/// As many products as the degree has bits; what else it is deep are products with scalars.
fn of_polynomial(polynomial: &Polynomial, graph: &Graph, bits: &ScaleBits) -> u32 {
    let products = (polynomial.degree().max(1) as u32).ilog2();
    let scalars = polynomial_depth(polynomial, graph).saturating_sub(products);
    products * bits.unit + scalars * bits.numbers
}

/// Bits that the longest path through a network drops.
pub fn longest(graph: &Graph, weights: &PerNode<u32>) -> f64 {
    let depths = PerNode::in_order(graph, |depths: &PerNode<f64>, node| {
        let operands = graph.operands(node).into_iter();
        let before = operands.map(|operand| depths[operand]).fold(0.0, f64::max);
        before + f64::from(weights[node])
    });
    depths.values().copied().fold(0.0, f64::max)
}
