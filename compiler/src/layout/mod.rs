//! Choosing a layout for every tensor of the graph.
//!
//! [`candidates`] proposes packings, `plans` prices each linear operator between two of them, `search` finds the cheapest
//! choice for the whole graph. Prices are predicted seconds at the level at which an operator will run, the number of
//! multiplications before it counted on the graph ([`depth`]).
//!
//! A tensor may be brought to another packing before an operator that then needs fewer products: mostly to copies that are
//! rotated against each other. That takes a level, whose price is that of running everything before it one level higher.

pub mod candidates;
mod cuts;
pub mod depth;
mod plans;
mod search;
pub mod words;

pub use cuts::{Cut, cuts};

use crate::optimisation::Without;
use crate::tensor::{Graph, Op};
use peregrine_ir::cost::{LinearCost, Prices};
use peregrine_ir::linear::LinearError;
use peregrine_ir::{Layout, LayoutError};
use petgraph::graph::NodeIndex;
pub use plans::Quotes;
use search::{Outcome, Surcharge, search};

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
    fn at(layout: Layout) -> Self {
        Self {
            layout,
            operands: Vec::new(),
            turned: false,
            switched: None,
        }
    }

    /// The layout in which others find its result.
    fn outgoing(&self) -> Layout {
        self.switched.unwrap_or(self.layout)
    }
}

/// The layout of every tensor.
#[derive(Clone, Debug)]
pub struct LayoutPlan {
    choices: Vec<Choice>,
    /// What each linear operator could have made instead of its result, with predicted seconds, cheapest first.
    considered: Vec<Vec<(Layout, f64)>>,
    /// Multiplications before the result of each node.
    depths: Vec<u32>,
    prices: Prices,
}

/// Plans for ciphertexts of one size, from those that spend levels where they pay to those that spend none.
#[derive(Debug)]
pub struct Planning<'g> {
    place: Place<'g>,
    prices: Prices,
    quotes: &'g mut Quotes,
    /// Without conversions.
    fewest: Outcome,
    surcharge: Surcharge,
}

/// What is planned, and where.
#[derive(Clone, Copy, Debug)]
pub struct Place<'g> {
    /// The network.
    pub graph: &'g Graph,
    /// log2 of the slots of ciphertexts.
    pub log_slots: u32,
    /// After which node there are half as many.
    pub cut: Option<Cut>,
    /// What is left out: packings that are part of it are not considered.
    pub without: &'g Without,
}

impl<'g> Planning<'g> {
    /// Prepares plans; `quotes` grow, and serve further plans for the same network.
    ///
    /// # Errors
    /// When a tensor cannot be packed or the graph is not well formed.
    pub fn new(
        place: Place<'g>,
        prices: Prices,
        quotes: &'g mut Quotes,
    ) -> Result<Self, LayoutPlanError> {
        let none = Surcharge::prohibitive();
        let fewest = search(place, &prices, &none, quotes)?;
        let depths = depth::of(place.graph, place.cut);
        let surcharge = Surcharge::of(&fewest.seconds, &depths, &prices);
        Ok(Self {
            place,
            prices,
            quotes,
            fewest,
            surcharge,
        })
    }

    /// The plan that spends no level on conversions, where that is possible.
    ///
    /// # Errors
    /// When the graph is not well formed.
    pub fn fewest_levels(&mut self) -> Result<LayoutPlan, LayoutPlanError> {
        let outcome = self.fewest.clone();
        self.plan(outcome)
    }

    /// The plan that spends a level where that pays `reluctance` times its price; `None` when it is the one above.
    ///
    /// # Errors
    /// When the graph is not well formed.
    pub fn worthwhile_levels(
        &mut self,
        reluctance: f64,
    ) -> Result<Option<LayoutPlan>, LayoutPlanError> {
        let surcharge = Surcharge(self.surcharge.0.iter().map(|s| s * reluctance).collect());
        let outcome = search(self.place, &self.prices, &surcharge, self.quotes)?;
        if outcome.choices == self.fewest.choices {
            return Ok(None);
        }
        self.plan(outcome).map(Some)
    }

    fn plan(&mut self, outcome: Outcome) -> Result<LayoutPlan, LayoutPlanError> {
        let mut plan = LayoutPlan {
            choices: outcome.choices,
            considered: Vec::new(),
            depths: depth::of(self.place.graph, self.place.cut),
            prices: self.prices.clone(),
        };
        for index in self.place.graph.nodes() {
            let considered = self.considered(&plan, index)?;
            plan.considered.push(considered);
        }
        Ok(plan)
    }

    fn considered(
        &mut self,
        plan: &LayoutPlan,
        index: NodeIndex,
    ) -> Result<Vec<(Layout, f64)>, LayoutPlanError> {
        let Place { graph, without, .. } = self.place;
        let (Op::Linear { map, .. }, Some(from)) =
            (&graph.node(index).op, plan.operand(graph, index, 0))
        else {
            return Ok(Vec::new());
        };
        let quoted = self.quotes.map(map, &graph.tensors)?;
        let cost = plan.price(graph, index);
        let layouts = candidates::of(map, &from, without)?.into_iter();
        let mut all: Vec<(Layout, f64)> = layouts
            .map(|to| {
                (
                    to,
                    self.quotes.of(&quoted, (&from, &to), false, cost).seconds,
                )
            })
            .collect();
        all.sort_by(|a, b| a.1.total_cmp(&b.1));
        Ok(all)
    }
}

impl Surcharge {
    /// What it costs to run everything before a depth one level higher.
    fn of(seconds: &[f64], depths: &[u32], prices: &Prices) -> Self {
        let deepest = depths.iter().copied().max().unwrap_or(0);
        let pace = |depth: u32| {
            let LinearCost {
                baby,
                product,
                square,
                ..
            } = prices.after(depth);
            baby + product + square
        };
        let mut rise = vec![0.0; deepest as usize + 2];
        for (&seconds, &depth) in seconds.iter().zip(depths) {
            // Above the highest level the price is not known: it rises as it does below.
            let (here, below) = (pace(depth), pace(depth + 1));
            let share = if here > 0.0 {
                (here - below).max(0.0) / here
            } else {
                0.0
            };
            if let Some(rise) = rise.get_mut(depth as usize + 1) {
                *rise += seconds * share;
            }
        }
        let mut sum = 0.0;
        let sums = rise.into_iter().map(|rise| {
            sum += rise;
            sum
        });
        Self(sums.collect())
    }
}

impl LayoutPlan {
    /// Whether another plan has the same choices, and so leads to the same circuit.
    pub fn chooses_as(&self, other: &Self) -> bool {
        self.choices == other.choices
    }

    /// What was chosen at a node of the graph that was planned.
    pub fn choice(&self, index: NodeIndex) -> &Choice {
        &self.choices[index.index()]
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
        self.considered
            .get(index.index())
            .map_or(&[], Vec::as_slice)
    }

    /// The price of linear operators on the operands of a node.
    pub fn price(&self, graph: &Graph, index: NodeIndex) -> &LinearCost {
        self.prices.after(self.depth_before(graph, index))
    }

    fn depth_before(&self, graph: &Graph, index: NodeIndex) -> u32 {
        let operands = graph.operands(index);
        let depths = operands.iter().filter_map(|i| self.depths.get(i.index()));
        depths.max().copied().unwrap_or(0)
    }
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
    /// No choice is possible; a defect of the candidates.
    #[error("internal error: no layouts suit the graph")]
    NoPlan,
    /// A packing is not well formed; a defect of the candidates.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A linear map is not well formed.
    #[error(transparent)]
    Linear(#[from] LinearError),
}
