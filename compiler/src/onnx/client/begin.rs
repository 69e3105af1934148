//! What a model begins with that the client does before it encrypts: bytes turned into numbers, axes put in another order,
//! pieces cut out, values bounded.
//!
//! From each input a chain of nodes is followed, each the only user of the value before. It ends with the last node that is
//! worth leaving to the client: a movement, a function that is no polynomial, a conversion from integers. What follows, a
//! factor or an offset, stays with the server: the first linear operator takes it in, at no cost and with no depth.
#![deny(clippy::indexing_slicing)]

use crate::onnx::build::functions;
use crate::onnx::model::constants;
use crate::onnx::operators::{Client, client};
use crate::onnx::problems::{Reason, unsupported};
use onnx_protobuf::{GraphProto, NodeProto};
use std::collections::{BTreeMap, BTreeSet};

/// What the client computes from inputs.
#[derive(Debug, Default)]
pub(in crate::onnx) struct Opening<'m> {
    /// The nodes, by position.
    pub(in crate::onnx) nodes: BTreeSet<usize>,
    /// The inputs that are not encrypted as they are.
    pub(in crate::onnx) inputs: BTreeSet<&'m str>,
}

impl<'m> Opening<'m> {
    /// `of_integers` tells which inputs are not of real numbers.
    pub(in crate::onnx) fn new(
        graph: &'m GraphProto,
        needed: &BTreeSet<&str>,
        of_integers: impl Fn(&str) -> bool,
    ) -> Self {
        let known = constants(graph);
        let users = users(graph, needed);
        let inputs = graph.input.iter().map(|input| input.name.as_str());
        let mut opening = Self::default();
        for input in inputs.filter(|name| !known.contains(name)) {
            let chain = chain(graph, input, &known, &users);
            let worth = |&(_, node): &(usize, &NodeProto)| is_worth(node, of_integers(input));
            let Some(last) = chain.iter().rposition(worth) else {
                continue;
            };
            opening.inputs.insert(input);
            let nodes = chain.iter().take(last + 1);
            opening.nodes.extend(nodes.map(|(index, _)| *index));
        }
        opening
    }
}

/// Which needed nodes read a value's elements; an output of the model is no node and told as a position behind all.
fn users<'m>(graph: &'m GraphProto, needed: &BTreeSet<&str>) -> BTreeMap<&'m str, Vec<usize>> {
    let mut users: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, node) in graph.node.iter().enumerate() {
        let shape_only = matches!(node.op_type.as_str(), "Shape" | "Size");
        if shape_only || !node.output.iter().any(|o| needed.contains(o.as_str())) {
            continue;
        }
        for input in &node.input {
            users.entry(input).or_default().push(index);
        }
    }
    for output in &graph.output {
        users
            .entry(&output.name)
            .or_default()
            .push(graph.node.len());
    }
    users
}

/// The nodes behind a value that the client could compute, in order.
fn chain<'m>(
    graph: &'m GraphProto,
    input: &'m str,
    known: &BTreeSet<&str>,
    users: &BTreeMap<&str, Vec<usize>>,
) -> Vec<(usize, &'m NodeProto)> {
    let mut chain = Vec::new();
    let mut value = input;
    while let Some(&[index]) = users.get(value).map(Vec::as_slice)
        && let Some(node) = graph.node.get(index)
        && can_be_followed(node)
        && node
            .input
            .iter()
            .all(|i| i == value || known.contains(i.as_str()))
        && let [result] = node.output.as_slice()
    {
        chain.push((index, node));
        value = result;
    }
    chain
}

fn can_be_followed(node: &NodeProto) -> bool {
    match client(node) {
        Client::Moves => node.op_type != "Split",
        Client::Keeps | Client::Calculates => true,
        Client::Applies(_) => is_function(node),
        Client::Nothing => false,
    }
}

/// Functions that are no activations: those belong to the network.
fn is_function(node: &NodeProto) -> bool {
    let op = node.op_type.as_str();
    op == "Clip" || functions::is_function(op) && unsupported::reason(op) != Reason::Activation
}

fn is_worth(node: &NodeProto, of_integers: bool) -> bool {
    match client(node) {
        Client::Moves => true,
        Client::Applies(_) => is_function(node),
        Client::Keeps => of_integers && matches!(node.op_type.as_str(), "Cast" | "CastLike"),
        Client::Calculates | Client::Nothing => false,
    }
}
