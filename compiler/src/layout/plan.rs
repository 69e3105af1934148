//! The layout that was chosen for every tensor.

use super::depth;
use crate::tensor::{Graph, PerNode};
use peregrine_ir::Layout;
use peregrine_ir::cost::{LinearCost, Prices};
use petgraph::graph::NodeIndex;

/// What was chosen at a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The layout of its result.
    pub layout: Layout,
    /// The layouts its operands are brought to first; none when they are taken as they are.
    pub operands: Vec<Layout>,
    /// Whether a linear operator writes exact copies and turns them by masks.
    pub turned: bool,
    /// The layout of its result in the small ring, if it is where a network goes on there.
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

    /// The layout in which others find its result.
    pub(super) fn outgoing(&self) -> Layout {
        self.switched.unwrap_or(self.layout)
    }
}

/// The layout of every tensor.
#[derive(Clone, Debug)]
pub struct LayoutPlan {
    pub(super) choices: PerNode<Choice>,
    /// What each linear operator could have made instead of its result, with predicted seconds, cheapest first.
    pub(super) considered: PerNode<Vec<(Layout, f64)>>,
    /// Multiplications before the result of each node.
    pub(super) depths: PerNode<u32>,
    pub(super) prices: Prices,
}

impl LayoutPlan {
    /// Whether another plan has the same choices, and so leads to the same circuit.
    pub fn chooses_as(&self, other: &Self) -> bool {
        self.choices == other.choices
    }

    /// What was chosen at a node of the graph that was planned.
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

    /// What a linear operator could have made of its operand, with predicted seconds, cheapest first.
    pub fn considered(&self, index: NodeIndex) -> &[(Layout, f64)] {
        &self.considered[index]
    }

    /// The price of linear operators on the operands of a node.
    pub fn price(&self, graph: &Graph, index: NodeIndex) -> &LinearCost {
        let depth = depth::deepest_operand(graph, &self.depths, index);
        self.prices.after(depth)
    }
}
