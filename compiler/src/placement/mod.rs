//! Placement: between which operators of a network its values are refreshed, so that the modulus suffices for any depth.
//!
//! Notation: nodes are in topological order. A *cut* at position `j` lies before node `j`; the nodes between two cuts are a *stretch*. A
//! tensor *crosses* a cut if it is computed before it and used behind it. At the first cut that it crosses it is refreshed, and whoever
//! uses it behind that cut uses what came back. Later cuts it crosses for nothing, because a refreshed value is at the highest level.
//!
//! A stretch is *short enough* if no path through it drops more bits than a refresh gives back. [`place`] finds the cuts with the
//! least predicted time by dynamic programming over the positions of the last two cuts, which is exact for this order of the nodes;
//! of equally fast ones those with the shortest longest stretch, because the modulus is raised no further than that needs.
//!
//! # References
//! - \[CLR24\] Cheon et al., *DaCapo: automatic bootstrapping management for efficient fully homomorphic encryption*, USENIX Security 2024,
//!   searches levels and candidates likewise.

mod report;
mod search;
mod weights;

pub use report::{CutReport, NextPlan, RefreshReport, RefreshedNode};
pub use search::{PlacementError, Problem, Refreshes, Refreshing, place};
pub use weights::{longest, weights};

use crate::tensor::{Graph, PerNode};
use petgraph::graph::NodeIndex;

/// The cuts of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    /// The positions of the cuts, ascending.
    pub cuts: Vec<usize>,
    /// The magnitude that the values of a node stay below; none where nothing bounds them.
    pub bounds: PerNode<Option<f64>>,
}

impl Placement {
    /// The number of the stretch that a node is in, from 0.
    pub fn stretch(&self, node: NodeIndex) -> usize {
        self.cuts.partition_point(|&cut| cut <= node.index())
    }

    /// Whether the value that a user takes from an operand has been refreshed.
    pub fn crosses(&self, operand: NodeIndex, user: NodeIndex) -> bool {
        self.stretch(operand) < self.stretch(user)
    }

    /// The nodes that are refreshed at the beginning of a stretch, in order.
    pub fn refreshed_at(&self, graph: &Graph, stretch: usize) -> Vec<NodeIndex> {
        let crosses = |node: &NodeIndex| {
            self.stretch(*node) + 1 == stretch
                && graph
                    .users(*node)
                    .iter()
                    .any(|&user| self.crosses(*node, user))
        };
        graph.nodes().filter(crosses).collect()
    }
}
