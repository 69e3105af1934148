//! Nodes in topological order, whatever order the file has them in.
#![deny(clippy::indexing_slicing)]

use crate::onnx::problems::Problem;
use onnx_protobuf::{GraphProto, NodeProto};
use std::collections::{BTreeMap, BTreeSet};

/// How many nodes of a cycle are named.
const NAMED: usize = 8;

/// What messages call the node at this place of the file.
pub(in crate::onnx) fn name(place: usize, node: &NodeProto) -> String {
    if node.name.is_empty() {
        format!("{}_{}", node.op_type, place + 1)
    } else {
        node.name.clone()
    }
}

/// Sorts the nodes of a graph so that each comes after those whose results it reads, and otherwise as in the file; returns
/// the place of each in the file.
///
/// # Errors
/// When nodes read each other's results.
pub(in crate::onnx) fn sort(graph: &mut GraphProto) -> Result<Vec<usize>, Problem> {
    let order = order(&graph.node)?;
    if !order.is_sorted() {
        let mut nodes: Vec<Option<NodeProto>> = graph.node.drain(..).map(Some).collect();
        let sorted = order.iter().filter_map(|&i| nodes.get_mut(i)?.take());
        graph.node = sorted.collect();
    }
    Ok(order)
}

/// The nodes that each node waits for, by place. Of two nodes that compute the same value the first counts.
fn sources(nodes: &[NodeProto]) -> Vec<BTreeSet<usize>> {
    let mut makers: BTreeMap<&str, usize> = BTreeMap::new();
    for (i, node) in nodes.iter().enumerate() {
        for name in node.output.iter().filter(|name| !name.is_empty()) {
            makers.entry(name).or_insert(i);
        }
    }
    let maker = |name: &String| makers.get(name.as_str()).copied();
    (nodes.iter())
        .map(|node| node.input.iter().filter_map(maker).collect())
        .collect()
}

/// Always the first node of the file that waits for nothing.
fn order(nodes: &[NodeProto]) -> Result<Vec<usize>, Problem> {
    let sources = sources(nodes);
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    let mut waits: Vec<usize> = sources.iter().map(BTreeSet::len).collect();
    for (i, sources) in sources.iter().enumerate() {
        for &source in sources {
            if let Some(users) = users.get_mut(source) {
                users.push(i);
            }
        }
    }
    let at_rest = waits.iter().enumerate().filter(|(_, waits)| **waits == 0);
    let mut ready: BTreeSet<usize> = at_rest.map(|(i, _)| i).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(next) = ready.pop_first() {
        order.push(next);
        for &user in users.get(next).into_iter().flatten() {
            if let Some(waits) = waits.get_mut(user) {
                *waits -= 1;
                if *waits == 0 {
                    ready.insert(user);
                }
            }
        }
    }
    if order.len() == nodes.len() {
        Ok(order)
    } else {
        let stuck = |i: usize| waits.get(i).is_some_and(|&waits| waits > 0);
        Err(cycle(nodes, &sources, stuck))
    }
}

/// Names the nodes of one cycle: from any node that never gets ready, backwards along such nodes until one repeats.
fn cycle(
    nodes: &[NodeProto],
    sources: &[BTreeSet<usize>],
    stuck: impl Fn(usize) -> bool,
) -> Problem {
    let mut path: Vec<usize> = Vec::new();
    let mut at = (0..nodes.len()).find(|&i| stuck(i));
    while let Some(node) = at {
        if let Some(start) = path.iter().position(|&i| i == node) {
            path.drain(..start);
            break;
        }
        path.push(node);
        let waited = sources.get(node).into_iter().flatten();
        at = waited.copied().find(|&i| stuck(i));
    }
    path.reverse();
    let first = path.iter().enumerate().min_by_key(|(_, node)| **node);
    let first = first.map_or(0, |(i, _)| i);
    path.rotate_left(first);
    let name = |&i: &usize| nodes.get(i).map(|node| name(i, node));
    Problem::Cycle {
        nodes: path.iter().take(NAMED).filter_map(name).collect(),
        more: path.len().saturating_sub(NAMED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, inputs: &[&str], output: &str) -> NodeProto {
        let mut node = NodeProto::new();
        node.name = name.to_owned();
        node.input = inputs.iter().map(|&i| i.to_owned()).collect();
        node.output = vec![output.to_owned()];
        node
    }

    #[test]
    fn sorted_nodes_stay_and_others_come_as_early_as_in_the_file() {
        let sorted = [node("a", &["x"], "f"), node("b", &["f"], "g")];
        assert_eq!(order(&sorted).unwrap(), [0, 1]);
        let shuffled = [
            node("c", &["g", "f"], "y"),
            node("b", &["f"], "g"),
            node("d", &["x"], "h"),
            node("a", &["x"], "f"),
        ];
        assert_eq!(order(&shuffled).unwrap(), [2, 3, 1, 0]);
    }

    #[test]
    fn a_cycle_is_named_by_its_own_nodes_only() {
        let nodes = [
            node("before", &["x"], "a"),
            node("one", &["a", "c"], "b"),
            node("two", &["b"], "c"),
            node("after", &["c"], "y"),
        ];
        let problem = order(&nodes).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "the nodes `one`, `two` read each other's results in a cycle"
        );
        let itself = [node("self", &["y"], "y")];
        let problem = order(&itself).unwrap_err();
        assert_eq!(problem.to_string(), "the node `self` reads its own result");
    }
}
