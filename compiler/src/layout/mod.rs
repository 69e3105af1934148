//! Choosing a layout for every tensor of the graph.
//!
//! Walks the graph once, operands first. An input is packed by the client, who can repeat it for free, so it fills the
//! ciphertext with replicas; a map larger than the slots is split into phases. A linear operator considers a few packings
//! of its result ([`candidates`]) and takes the one whose cheapest plan costs least; element-wise operators and renamings
//! keep the packing of their (first) operand.
//!
//! Prices are predicted seconds at the level at which an operator will run, the number of multiplications before it counted on
//! the graph ([`depth`]).
//!
//! Exact: the price of each candidate. Heuristic: the choice is greedy, one operator at a time, and looks at few
//! packings.

pub mod candidates;
pub mod depth;

use crate::cost::{LinearCost, Prices};
use crate::slots::LinearPlan;
use crate::tensor::{Graph, Op};
use peregrine_ir::linear::{LinearError, LinearMap};
use peregrine_ir::{Layout, LayoutError, Shape};
use petgraph::graph::NodeIndex;

/// The layout of every tensor, and the plan of every linear operator between them.
#[derive(Clone, Debug)]
pub struct LayoutPlan {
    layouts: Vec<Layout>,
    linear: Vec<Option<LinearPlan>>,
    /// Multiplications before the result of each node.
    depths: Vec<u32>,
    prices: Prices,
}

impl LayoutPlan {
    /// Chooses layouts for ciphertexts of `2^log_slots` slots.
    ///
    /// # Errors
    /// When a tensor cannot be packed or the graph is not well formed.
    pub fn choose(graph: &Graph, log_slots: u32, prices: Prices) -> Result<Self, LayoutPlanError> {
        let mut plan = Self {
            layouts: Vec::new(),
            linear: Vec::new(),
            depths: depth::of(graph),
            prices,
        };
        for index in graph.nodes() {
            let (layout, linear) = plan.node(graph, index, log_slots)?;
            plan.layouts.push(layout);
            plan.linear.push(linear);
        }
        Ok(plan)
    }

    /// The layout of a node's tensor; `index` is a node of the graph that was planned.
    pub fn layout(&self, index: NodeIndex) -> Layout {
        self.layouts[index.index()]
    }

    /// The plan of a linear node.
    pub fn linear(&self, index: NodeIndex) -> Option<&LinearPlan> {
        self.linear.get(index.index())?.as_ref()
    }

    /// The price of linear operators on the operands of a node.
    pub fn price(&self, graph: &Graph, index: NodeIndex) -> &LinearCost {
        let operands = graph.operands(index);
        let depths = operands.iter().filter_map(|i| self.depths.get(i.index()));
        self.prices.after(depths.max().copied().unwrap_or(0))
    }

    fn node(
        &self,
        graph: &Graph,
        index: NodeIndex,
        log_slots: u32,
    ) -> Result<(Layout, Option<LinearPlan>), LayoutPlanError> {
        let node = graph.node(index);
        let operand = graph
            .operands(index)
            .first()
            .and_then(|i| self.layouts.get(i.index()).copied());
        match (&node.op, operand) {
            (Op::Input { .. }, _) => Ok((input(&node.shape, log_slots)?, None)),
            (Op::Linear { map, .. }, Some(from)) => self.linear_node(graph, (index, map), &from),
            (Op::Polynomial(_) | Op::Add | Op::Multiply | Op::Reshape, Some(from)) => {
                Ok((from, None))
            }
            (_, None) => Err(LayoutPlanError::Operand {
                node: index.index(),
            }),
        }
    }

    fn linear_node(
        &self,
        graph: &Graph,
        (index, map): (NodeIndex, &LinearMap),
        from: &Layout,
    ) -> Result<(Layout, Option<LinearPlan>), LayoutPlanError> {
        let bound = map.bind(&graph.tensors)?;
        let cost = self.price(graph, index);
        let mut best: Option<(f64, Layout, LinearPlan)> = None;
        for to in candidates::of(map, from)? {
            let plan = LinearPlan::new(&bound, from, &to, cost);
            // Ciphertexts cost in every later operator, too.
            let price = plan.split.cost * (1.0 + 0.5 * f64::from(to.ciphertexts() - 1));
            if best.as_ref().is_none_or(|(least, ..)| price < *least) {
                best = Some((price, to, plan));
            }
        }
        let (_, layout, plan) = best.ok_or(LayoutPlanError::NoCandidate {
            shape: map.output.clone(),
        })?;
        Ok((layout, Some(plan)))
    }
}

/// How the client packs an input: as few phases as fit, then as many replicas as fit.
fn input(shape: &Shape, log_slots: u32) -> Result<Layout, LayoutError> {
    candidates::dense(shape.chw(), log_slots, 1)
}

/// Why no layout was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutPlanError {
    /// A node lacks an operand; a defect of an earlier stage.
    #[error("node {node} of the tensor graph lacks an operand")]
    Operand {
        /// Its number.
        node: usize,
    },
    /// No packing of a shape is possible.
    #[error("no packing of shape {shape} fits the slots")]
    NoCandidate {
        /// The shape.
        shape: Shape,
    },
    /// A packing is not well formed; a defect of the candidates.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A linear map is not well formed.
    #[error(transparent)]
    Linear(#[from] LinearError),
}
