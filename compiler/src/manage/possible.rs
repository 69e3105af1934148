//! Lower bounds: whether a ring can hold a network at all, before layouts are known.
//!
//! Whatever the layouts, a product of ciphertexts drops the working scale, a sum of several terms at least the shorter of the
//! scales of scalars and masks; the lowest level and the special primes come on top. What is refused by this bound needs no
//! search; what passes may still turn out to be too deep.

use crate::moduli::scale_bits::ScaleBits;
use crate::tensor::{Graph, Op, PerNode, Polynomial};
use peregrine_ir::TensorId;
use peregrine_ir::linear::{LinearKind, LinearMap};

/// The bits that the longest path through a network needs, whatever its layouts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Bits that the path's rescales drop together, at least.
    pub bits: u32,
    /// Products of ciphertexts on the path.
    pub products: u32,
    /// Linear operators on the path that sum several terms.
    pub linear: u32,
}

impl Path {
    /// The path through a network on which rescales drop most bits.
    pub fn longest(graph: &Graph, scales: &ScaleBits) -> Self {
        let factor = scales.numbers.min(scales.mask);
        let paths = PerNode::in_order(graph, |paths: &PerNode<Self>, index| {
            let operands = graph.operands(index).into_iter();
            let before = operands.map(|i| paths[i]);
            let before = before.max_by_key(|path| path.bits);
            // Inputs have no operands: paths begin there.
            let mut path = before.unwrap_or_default();
            match &graph.node(index).op {
                Op::Linear { map, .. } if sums(map, graph) => {
                    path.bits += factor;
                    path.linear += 1;
                }
                Op::Multiply => path.multiply(1, scales),
                Op::Polynomial(polynomial) => {
                    let degree = degree(polynomial, graph).max(1);
                    path.multiply(degree.next_power_of_two().ilog2(), scales);
                }
                Op::Linear { .. } | Op::Input { .. } | Op::Add | Op::Reshape => {}
            }
            path
        });
        let longest = paths.values().max_by_key(|path| path.bits);
        longest.copied().unwrap_or_default()
    }

    fn multiply(&mut self, products: u32, scales: &ScaleBits) {
        self.bits += products * scales.unit;
        self.products += products;
    }
}

/// The highest power in a polynomial whose coefficients are not all zero.
fn degree(polynomial: &Polynomial, graph: &Graph) -> usize {
    let powers = polynomial.coefficients().iter().enumerate().rev();
    let occurs =
        |&(_, &id): &(usize, &TensorId)| graph.tensors[id].data().iter().any(|&x| x != 0.0);
    powers.clone().find(occurs).map_or(0, |(power, _)| power)
}

/// Whether a linear operator sums terms with different weights, as far as one of its outputs shows. A sum with equal weights may
/// take rotations alone, with its factor moved elsewhere.
fn sums(map: &LinearMap, graph: &Graph) -> bool {
    if matches!(map.kind, LinearKind::Gather(_) | LinearKind::Scale(_)) {
        return false;
    }
    let (mut first, mut differ) = (None, false);
    if let Ok(bound) = map.bind(&graph.tensors) {
        bound.for_each_tap(map.output.elements() / 2, |_, weight| {
            if weight != 0.0 {
                differ |= *first.get_or_insert(weight) != weight;
            }
        });
    }
    differ
}

/// The number of terms of one output of a linear operator.
fn terms(map: &LinearMap, graph: &Graph) -> u64 {
    let mut terms = 0;
    if let Ok(bound) = map.bind(&graph.tensors) {
        bound.for_each_tap(map.output.elements() / 2, |_, weight| {
            terms += u64::from(weight != 0.0);
        });
    }
    terms
}

/// About how many multiply-accumulates an evaluation of a network in the clear takes.
pub fn macs(graph: &Graph) -> u64 {
    let macs = |index| match &graph.node(index).op {
        Op::Linear { map, .. } => map.output.elements() as u64 * terms(map, graph),
        _ => 0,
    };
    graph.nodes().map(macs).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manage::parameters::{ParameterError, Planner};
    use crate::optimisation::Without;
    use crate::tensor::{Node, SourceId};
    use peregrine_ir::cost::CostModel;
    use peregrine_ir::{Security, Shape};

    /// A chain of squares.
    fn squares(count: usize) -> Graph {
        let mut graph = Graph::default();
        let shape = Shape::new([4]).unwrap();
        let node = |op| Node {
            op,
            shape: shape.clone(),
            source: SourceId(0),
        };
        let mut last = graph.add(node(Op::Input { name: "x".into() }), &[]);
        for _ in 0..count {
            last = graph.add(node(Op::Multiply), &[last, last]);
        }
        graph
    }

    #[test]
    fn a_chain_of_squares_is_refused_where_its_bits_exceed_the_line() {
        let (without, cost) = (Without::new(), CostModel::default());
        let planner = Planner {
            security: Security::Classical128,
            precision_bits: 12,
            refresh_bits: 0,
            headroom_bits: 10,
            cost: &cost,
            without: &without,
            modulus_bits: None,
            like: None,
        };
        let graph = squares(20);
        let Err(ParameterError::Depth {
            path, bits, limit, ..
        }) = planner.possible(&graph, 13)
        else {
            panic!("possible");
        };
        // The working scale at this degree is 12 + 4 + 13 - 2 bits.
        assert_eq!((path.products, path.linear, path.bits), (20, 0, 20 * 27));
        assert!(bits > limit && limit == 218.0);
        assert_eq!(planner.possible(&graph, 15), Ok(()));
        let insecure = Planner {
            security: Security::None,
            ..planner
        };
        assert_eq!(insecure.possible(&graph, 13), Ok(()));
    }
}
