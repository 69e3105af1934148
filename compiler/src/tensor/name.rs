//! How messages name a node of a tensor graph.

use super::{Graph, Source};
use petgraph::graph::NodeIndex;
use std::fmt;

/// What a node of a tensor graph is called: operator and name of the node of the model that it stands for, or its number in
/// the graph when that is of no model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeName {
    /// The node of the model.
    pub source: Option<Source>,
    /// The number in the graph.
    pub number: usize,
}

impl Graph {
    /// The node of the model that a node stands for; none in a graph that was built without a model.
    pub fn source(&self, index: NodeIndex) -> Option<&Source> {
        self.sources.get(self.node(index).source.0 as usize)
    }

    /// What a node is called in messages.
    pub fn name(&self, index: NodeIndex) -> NodeName {
        NodeName {
            source: self.source(index).cloned(),
            number: index.index(),
        }
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(Source { name, op }) => write!(f, "{op} `{name}`"),
            None => write!(f, "node {} of the tensor graph", self.number),
        }
    }
}
