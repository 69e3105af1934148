//! Layout plans: the layout that was chosen for every tensor.

use super::depth;
use crate::tensor::{Graph, PerNode};
use peregrine_ir::Layout;
use peregrine_ir::cost::{LinearCost, Prices};
use petgraph::graph::NodeIndex;

/// The choice at a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The layout of the node's result.
    pub layout: Layout,
    /// The layouts that the operands are converted to first; empty when they are taken as they are.
    pub operands: Vec<Layout>,
    /// Whether a linear operator writes aligned replicas, which masks then skew.
    pub turned: bool,
    /// The layout of the node's result in the second ring, if the network goes on there after the node.
    pub switched: Option<Layout>,
}

impl Choice {
    pub(super) fn at(layout: Layout) -> Self {
        Self {
            layout,
            operands: Vec::new(),
            turned: false,
            switched: None,
        }
    }

    /// The layout in which users of the node find its result.
    pub(super) fn outgoing(&self) -> Layout {
        self.switched.unwrap_or(self.layout)
    }
}

/// The layout of every tensor of a graph.
#[derive(Clone, Debug)]
pub struct LayoutPlan {
    pub(super) choices: PerNode<Choice>,
    /// The layouts that each linear operator could have given its result, with predicted seconds, cheapest first.
    pub(super) considered: PerNode<Vec<(Layout, f64)>>,
    /// Multiplications before the result of each node.
    pub(super) depths: PerNode<u32>,
    pub(super) prices: Prices,
}

impl LayoutPlan {
    /// Whether another plan makes the same choices, and so leads to the same circuit.
    pub fn chooses_as(&self, other: &Self) -> bool {
        self.choices == other.choices
    }

    /// The choice at a node of the graph that was planned.
    pub fn choice(&self, index: NodeIndex) -> &Choice {
        &self.choices[index]
    }

    /// The layout of a node's tensor; `index` is a node of the graph that was planned.
    pub fn layout(&self, index: NodeIndex) -> Layout {
        self.choice(index).layout
    }

    /// The layout in which a node takes one of its operands.
    pub fn operand(&self, graph: &Graph, index: NodeIndex, position: usize) -> Option<Layout> {
        let brought = self.choice(index).operands.get(position).copied();
        let own = || {
            let operand = *graph.operands(index).get(position)?;
            Some(self.choice(operand).outgoing())
        };
        brought.or_else(own)
    }

    /// The layouts that a linear operator could have given its result from its operand's layout, with predicted
    /// seconds, cheapest first.
    pub fn considered(&self, index: NodeIndex) -> &[(Layout, f64)] {
        &self.considered[index]
    }

    /// The costs of linear operators at the level of a node's operands.
    pub fn price(&self, graph: &Graph, index: NodeIndex) -> &LinearCost {
        let depth = depth::deepest_operand(graph, &self.depths, index);
        self.prices.after(depth)
    }
}
