//! The beginning of a network: what a deep one computes up to some node, as a network of its own.

use peregrine_compiler::tensor::{Graph, Output};
use peregrine_ir::Finish;
use petgraph::graph::NodeIndex;
use std::collections::{BTreeMap, BTreeSet};

/// The part of `graph` that computes the node of this name in the model, which becomes the only output; `None` when no
/// node has the name. Where several operators stand for one node of the model, its result is the last of them.
pub fn up_to(graph: &Graph, name: &str) -> Option<Graph> {
    let named = |index: &NodeIndex| {
        let source = graph.sources.get(graph.node(*index).source.0 as usize);
        source.is_some_and(|source| source.name == name)
    };
    let last = graph.nodes().rfind(named)?;
    let mut needed = BTreeSet::from([last]);
    for index in graph.nodes().rev() {
        if needed.contains(&index) {
            needed.extend(graph.operands(index));
        }
    }
    let mut part = Graph::default();
    part.tensors.clone_from(&graph.tensors);
    part.sources.clone_from(&graph.sources);
    let mut moved = BTreeMap::new();
    for index in needed {
        let operands = graph.operands(index).into_iter();
        let operands: Option<Vec<_>> = operands.map(|o| moved.get(&o).copied()).collect();
        moved.insert(index, part.add(graph.node(index).clone(), &operands?));
    }
    part.outputs.push(Output {
        name: name.to_owned(),
        node: *moved.get(&last)?,
        finish: Finish::default(),
    });
    Some(part)
}
