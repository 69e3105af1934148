//! Names of graph nodes in messages.

use super::{Graph, Source};
use petgraph::graph::NodeIndex;
use std::fmt;

/// The name of a node of a tensor graph in messages: operator and name of the node of the model that it stands for, or its
/// number in the graph when it stands for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeName {
    /// The node of the model, if there is one.
    pub source: Option<Source>,
    /// The number of the node in the graph.
    pub number: usize,
}

impl Graph {
    /// The node of the model that a node stands for; `None` in a graph that was built without a model.
    pub fn source(&self, index: NodeIndex) -> Option<&Source> {
        self.sources.get(self.node(index).source.0 as usize)
    }

    /// The name of a node in messages.
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
