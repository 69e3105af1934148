//! Depth: the number of rescales before each tensor, counted on the graph. Prices are looked up by it.
//!
//! A linear operator takes one rescale, a polynomial as many as its products in `slots` are deep; the last product before linear
//! operators takes none of its own, it shares theirs. Conversions between layouts are not counted, since they are not known
//! before layouts are chosen, so this is an estimate from below.

use super::Cut;
use crate::tensor::{Graph, Op, PerNode, Polynomial};
use petgraph::graph::NodeIndex;

/// Rescales before the result of each node. The step to another ring counts as one: it takes a level, but no modulus.
pub(super) fn of(graph: &Graph, cut: Option<Cut>) -> PerNode<u32> {
    let shared = shared(graph);
    PerNode::in_order(graph, |depths, index| {
        let own = match &graph.node(index).op {
            Op::Linear { .. } => 1,
            Op::Multiply => products(1, index, &shared),
            Op::Polynomial(polynomial) => {
                products(polynomial_depth(polynomial, graph), index, &shared)
            }
            Op::Input { .. } | Op::Add | Op::Reshape => 0,
        };
        let switch = u32::from(cut == Some(Cut(index)));
        deepest_operand(graph, depths, index) + own + switch
    })
}

/// The depth of the deepest operand of a node; 0 for an input, which has none.
pub(super) fn deepest_operand(graph: &Graph, depths: &PerNode<u32>, index: NodeIndex) -> u32 {
    let operands = graph.operands(index).into_iter();
    operands.map(|i| depths[i]).max().unwrap_or(0)
}

fn products(deep: u32, index: NodeIndex, shared: &PerNode<bool>) -> u32 {
    deep.saturating_sub(u32::from(shared[index]))
}

/// For each node, whether its result is used only by linear operators, or in sums with such a result that is deeper.
fn shared(graph: &Graph) -> PerNode<bool> {
    let mut shared = PerNode::filled(graph, true);
    for output in &graph.outputs {
        shared[output.node] = false;
    }
    let is_linear = |i: &NodeIndex| matches!(graph.node(*i).op, Op::Linear { .. });
    for index in graph.nodes().rev() {
        let operands = graph.operands(index);
        let strikes = match &graph.node(index).op {
            Op::Polynomial(_) | Op::Multiply => true,
            Op::Add => !shared[index] && !operands.iter().any(is_linear),
            Op::Reshape => !shared[index],
            Op::Input { .. } | Op::Linear { .. } => false,
        };
        for operand in operands.into_iter().filter(|_| strikes) {
            shared[operand] = false;
        }
    }
    shared
}

/// Rescales on the longest path through a network; an estimate from below.
pub fn expected(graph: &Graph) -> u32 {
    of(graph, None).values().copied().max().unwrap_or(0)
}

/// Rescales before the result of the node after which a network goes on in another ring; an estimate from below.
pub fn before(graph: &Graph, Cut(index): Cut) -> u32 {
    of(graph, None)[index]
}

/// Depth of a polynomial of degree d: `ceil(log2(d + 1))`, one less when the leading coefficient is 1 or -1 and d is a power of
/// two.
pub(crate) fn polynomial_depth(polynomial: &Polynomial, graph: &Graph) -> u32 {
    let degree = polynomial.degree();
    let leading = polynomial.coefficients().last();
    let all = |value: f64| move |&id| graph.tensors[id].data().iter().all(|&c| c == value);
    let is_one = |value: f64| leading.is_some_and(all(value));
    let saved = degree.is_power_of_two() && (is_one(1.0) || is_one(-1.0));
    (degree + 1).next_power_of_two().ilog2() - u32::from(saved)
}
