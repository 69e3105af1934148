//! Interval arithmetic from the inputs to every node: the values that no input within its interval leaves.

use super::activation::Activation;
use super::interval::Interval;
use super::planes::Planes;
use super::stated::StatedPlanes;
use super::{RangeError, linear};
use crate::tensor::{Graph, Op, PerNode};
use petgraph::graph::NodeIndex;
use std::collections::BTreeMap;

/// The values of every node, in node order. An input without an interval can be anything. A range that is stated of a node
/// is taken to hold.
pub(super) fn prove(
    graph: &Graph,
    inputs: &BTreeMap<&str, Planes>,
    stated: Option<&StatedPlanes>,
) -> Result<PerNode<Planes>, RangeError> {
    PerNode::try_in_order(graph, |proven: &PerNode<Planes>, index| {
        let operands = graph.operands(index);
        let operands: Vec<&Planes> = operands.iter().map(|&i| &proven[i]).collect();
        let mut found = node(graph, index, &operands, inputs)?;
        if let Some(stated) = stated.and_then(|stated| stated.nodes.get(&index)) {
            found.replace(stated);
        }
        Ok(found)
    })
}

fn node(
    graph: &Graph,
    index: NodeIndex,
    operands: &[&Planes],
    inputs: &BTreeMap<&str, Planes>,
) -> Result<Planes, RangeError> {
    let node = graph.node(index);
    let shape = &node.shape;
    let unknown = Planes::new(shape, |_| Interval::ALL);
    let by_plane = |of: &dyn Fn(&[Interval]) -> Interval| {
        let all: Vec<Planes> = operands.iter().map(|x| x.reshaped(shape)).collect();
        Planes::new(shape, |plane| {
            let terms = all.iter().map(|x| x.intervals()[plane]);
            of(&terms.collect::<Vec<_>>())
        })
    };
    let same = graph.operands(index).windows(2).all(|pair| match pair {
        [a, b] => a == b,
        _ => false,
    });
    Ok(match (&node.op, operands) {
        (Op::Input { name }, _) => inputs.get(name.as_str()).cloned().unwrap_or(unknown),
        (Op::Linear { map, bias }, [x]) => {
            let y = linear::results(&map.bind(&graph.tensors)?, x).reshaped(shape);
            match bias.map(|id| &graph.tensors[id]) {
                Some(bias) => linear::with_bias(&y, bias, &map.output).reshaped(shape),
                None => y,
            }
        }
        (Op::Polynomial(p), [x]) => {
            let activation = Activation::new(p, shape, &graph.tensors);
            activation.map_or(unknown, |activation| activation.results(x))
        }
        (Op::Add, _) => by_plane(&|terms| linear::sum(terms.iter().copied())),
        (Op::Multiply, _) => by_plane(&|terms| match terms {
            [a, _] if same => a.square(),
            [a, b] => a.product(*b),
            _ => Interval::ALL,
        }),
        (Op::Reshape, [x]) => x.reshaped(shape),
        _ => unknown,
    })
}
