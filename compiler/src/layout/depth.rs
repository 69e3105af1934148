//! How many multiplications come before each tensor, counted on the graph: what prices are looked up by.
//!
//! A linear operator is one multiplication deep, a polynomial as deep as `slots` evaluates it. Conversions between layouts,
//! which nobody knows before layouts are chosen, are left out, so this is a lower bound.

use crate::tensor::{Graph, Op, Polynomial};

/// Multiplications before the result of each node, by node.
pub(super) fn of(graph: &Graph) -> Vec<u32> {
    let mut depths: Vec<u32> = Vec::with_capacity(graph.len());
    for index in graph.nodes() {
        let operands = graph.operands(index);
        let before = operands.iter().filter_map(|i| depths.get(i.index())).max();
        let own = match &graph.node(index).op {
            Op::Linear { .. } | Op::Multiply => 1,
            Op::Polynomial(polynomial) => polynomial_depth(polynomial, graph),
            Op::Input { .. } | Op::Add | Op::Reshape => 0,
        };
        depths.push(before.copied().unwrap_or(0) + own);
    }
    depths
}

/// The multiplications on the longest path; a lower bound.
pub fn expected(graph: &Graph) -> u32 {
    of(graph).into_iter().max().unwrap_or(0)
}

/// `ceil(log2(d + 1))` for degree d, one less when the leading coefficient is 1 or -1 and d a power of two.
fn polynomial_depth(polynomial: &Polynomial, graph: &Graph) -> u32 {
    let degree = polynomial.degree();
    let leading = polynomial.coefficients().last();
    let data = leading
        .and_then(|&id| graph.tensors.get(id))
        .map_or(&[][..], |t| t.data());
    let is_one = |value: f64| data.iter().all(|&c| c == value);
    let saved = degree.is_power_of_two() && (is_one(1.0) || is_one(-1.0));
    (degree + 1).next_power_of_two().ilog2() - u32::from(saved)
}
