//! Places in a network where it can go on in a ring of half the degree: after tensors that alone are needed from there on.

use crate::tensor::{Graph, Op};
use petgraph::graph::NodeIndex;

/// A cut: the node after which a network goes on with half the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut(pub NodeIndex);

/// The cuts of a network, in order: tensors that alone are needed after they are computed. Of those between two linear
/// operators only the last counts, and none after the last linear operator.
pub fn cuts(graph: &Graph) -> Vec<Cut> {
    let outputs = graph.outputs.iter().map(|output| output.node);
    let Some(first_output) = outputs.min() else {
        return Vec::new();
    };
    let mut cuts: Vec<(usize, Cut)> = Vec::new();
    let (mut needed_until, mut linears) = (NodeIndex::new(0), 0);
    let last_input = graph.inputs().map(|(node, _)| node).max();
    for index in graph.nodes() {
        let before = needed_until;
        let last_use = graph.users(index).last().copied();
        needed_until = needed_until.max(last_use.unwrap_or(index));
        linears += usize::from(matches!(graph.node(index).op, Op::Linear { .. }));
        // What was computed before is used for the last time here.
        if before > index || index >= first_output || Some(index) < last_input {
            continue;
        }
        match cuts.last_mut() {
            Some(last) if last.0 == linears => last.1 = Cut(index),
            _ => cuts.push((linears, Cut(index))),
        }
    }
    let inside = |(before, _): &(usize, Cut)| (1..linears).contains(before);
    let cuts = cuts.into_iter().filter(inside);
    cuts.map(|(_, cut)| cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Node, Output, SourceId};
    use peregrine_ir::linear::{ElementScale, LinearKind, LinearMap};
    use peregrine_ir::{Finish, Shape, Tensor};

    /// Adds a node of four elements.
    fn add(graph: &mut Graph, op: Op, operands: &[NodeIndex]) -> NodeIndex {
        let node = Node {
            op,
            shape: Shape::new([4]).unwrap(),
            source: SourceId(0),
        };
        graph.add(node, operands)
    }

    fn linear(graph: &mut Graph, x: NodeIndex) -> NodeIndex {
        let shape = Shape::new([4]).unwrap();
        let weight = Tensor::new("w".to_owned(), shape.clone(), vec![1.0; 4]).unwrap();
        let weight = graph.tensors.push(weight);
        let map = LinearMap {
            kind: LinearKind::Scale(ElementScale { weight }),
            input: shape.clone(),
            output: shape,
        };
        add(graph, Op::Linear { map, bias: None }, &[x])
    }

    #[test]
    fn blocks_are_cut_between_and_not_inside() {
        let mut graph = Graph::default();
        let input = Op::Input {
            name: "x".to_owned(),
        };
        let x = add(&mut graph, input, &[]);
        let first = linear(&mut graph, x);
        let a = add(&mut graph, Op::Multiply, &[first, first]);
        let inner = linear(&mut graph, a);
        let inner = add(&mut graph, Op::Multiply, &[inner, inner]);
        let inner = linear(&mut graph, inner);
        let sum = add(&mut graph, Op::Add, &[a, inner]);
        let b = add(&mut graph, Op::Multiply, &[sum, sum]);
        let last = linear(&mut graph, b);
        let square = add(&mut graph, Op::Multiply, &[last, last]);
        graph.outputs = vec![Output {
            name: "y".to_owned(),
            node: square,
            finish: Finish::default(),
        }];
        assert_eq!(cuts(&graph), [Cut(a), Cut(b)]);
        // Who is asked for what is inside needs all of it to stay in one ring.
        graph.outputs[0].node = inner;
        assert_eq!(cuts(&graph), [Cut(a)]);
    }
}
