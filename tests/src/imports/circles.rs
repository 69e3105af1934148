//! Circles in a graph of imports.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Which nodes use which.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// One circle for each group of nodes that use each other, a shortest through the first of the group, written out as
/// `a -> b -> a`; empty when there is an order in which each node uses only nodes before it.
pub fn circles(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for node in graph.keys() {
        if told.contains(node.as_str()) {
            continue;
        }
        if let Some(circle) = shortest(graph, node) {
            let reached = reached(graph, node);
            let mutual = |other: &&&str| self::reached(graph, other).contains(node.as_str());
            told.extend(reached.iter().filter(mutual));
            found.push(circle.join(" -> "));
        }
    }
    found
}

/// The nodes that a node uses, through others too.
fn reached<'g>(graph: &'g Graph, from: &str) -> BTreeSet<&'g str> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(node) = waiting.pop() {
        for next in graph.get(node).into_iter().flatten() {
            if reached.insert(next.as_str()) {
                waiting.push(next);
            }
        }
    }
    reached
}

/// A shortest way from a node back to itself.
fn shortest<'g>(graph: &'g Graph, start: &'g str) -> Option<Vec<&'g str>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(node) = waiting.pop_front() {
        for next in graph.get(node).into_iter().flatten() {
            if next == start {
                let mut way = vec![start, node];
                while let Some(&node) = way.last().and_then(|node| before.get(node)) {
                    way.push(node);
                }
                if node == start {
                    way.truncate(2);
                }
                way.reverse();
                return Some(way);
            }
            if !before.contains_key(next.as_str()) {
                before.insert(next, node);
                waiting.push_back(next);
            }
        }
    }
    None
}
