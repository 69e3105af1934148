//! How many rescales come before each tensor, counted on the graph: what prices are looked up by.
//!
//! A linear operator takes one, a polynomial as many as its products are deep in `slots`; the last product before linear
//! operators takes none of its own, it shares theirs. Conversions between layouts, which nobody knows before layouts are chosen,
//! are left out, so this is an estimate from below.

use super::Cut;
use crate::tensor::{Graph, Op, Polynomial};
use petgraph::graph::NodeIndex;

/// Rescales before the result of each node, by node, the step to another ring included: it takes a level, but no modulus.
pub(super) fn of(graph: &Graph, cut: Option<Cut>) -> Vec<u32> {
    let shared = shared(graph);
    let mut depths: Vec<u32> = Vec::with_capacity(graph.len());
    for index in graph.nodes() {
        let operands = graph.operands(index);
        let before = operands.iter().filter_map(|i| depths.get(i.index())).max();
        let own = match &graph.node(index).op {
            Op::Linear { .. } => 1,
            Op::Multiply => products(1, index, &shared),
            Op::Polynomial(polynomial) => {
                products(polynomial_depth(polynomial, graph), index, &shared)
            }
            Op::Input { .. } | Op::Add | Op::Reshape => 0,
        };
        let switch = u32::from(cut == Some(Cut(index)));
        depths.push(before.copied().unwrap_or(0) + own + switch);
    }
    depths
}

fn products(deep: u32, index: NodeIndex, shared: &[bool]) -> u32 {
    deep.saturating_sub(u32::from(shared.get(index.index()) == Some(&true)))
}

/// Whether only linear operators take the result of a node, or sums with one, which is deeper; by node.
fn shared(graph: &Graph) -> Vec<bool> {
    let mut shared = vec![true; graph.len()];
    for output in &graph.outputs {
        strike(&mut shared, output.node);
    }
    let is_linear = |i: &NodeIndex| matches!(graph.node(*i).op, Op::Linear { .. });
    for index in graph.nodes().rev() {
        let operands = graph.operands(index);
        let strikes = match &graph.node(index).op {
            Op::Polynomial(_) | Op::Multiply => true,
            Op::Add => shared.get(index.index()) == Some(&false) && !operands.iter().any(is_linear),
            Op::Reshape => shared.get(index.index()) == Some(&false),
            Op::Input { .. } | Op::Linear { .. } => false,
        };
        for operand in operands.into_iter().filter(|_| strikes) {
            strike(&mut shared, operand);
        }
    }
    shared
}

fn strike(shared: &mut [bool], index: NodeIndex) {
    if let Some(shared) = shared.get_mut(index.index()) {
        *shared = false;
    }
}

/// The rescales on the longest path; an estimate from below.
pub fn expected(graph: &Graph) -> u32 {
    of(graph, None).into_iter().max().unwrap_or(0)
}

/// The rescales before a network goes on in another ring; an estimate from below.
pub fn before(graph: &Graph, Cut(index): Cut) -> u32 {
    of(graph, None).get(index.index()).copied().unwrap_or(0)
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
