//! Several plans for a network: from those that spend levels on conversions where these pay, to the one that spends
//! none.

use super::error::LayoutPlanError;
use super::place::Place;
use super::plan::LayoutPlan;
use super::plans::Quotes;
use super::search::{Outcome, Surcharge, search};
use super::{candidates, depth};
use crate::tensor::{Op, PerNode};
use peregrine_ir::Layout;
use peregrine_ir::cost::{LinearCost, Prices};
use petgraph::graph::NodeIndex;

/// Makes plans of a network for ciphertexts of one size, which differ in the levels that they spend on conversions.
#[derive(Debug)]
pub struct Planning<'g> {
    place: Place<'g>,
    prices: Prices,
    quotes: &'g mut Quotes,
    /// The cheapest choices without conversions.
    fewest: Outcome,
    surcharge: Surcharge,
}

impl<'g> Planning<'g> {
    /// Prepares the plans of a network. New quotes are added to `quotes`, which serve further plans for the same
    /// network.
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

    /// The plan that spends a level on a conversion where that saves `reluctance` times the level's price; `None` when
    /// it is [`Self::fewest_levels`].
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
            considered: PerNode::filled(self.place.graph, Vec::new()),
            depths: depth::of(self.place.graph, self.place.cut),
            prices: self.prices.clone(),
        };
        for index in self.place.graph.nodes() {
            let considered = self.considered(&plan, index)?;
            plan.considered[index] = considered;
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
        let quoted = self.quotes.at(graph, index, map)?;
        let cost = plan.price(graph, index);
        let layouts = candidates::of(map, &from, without);
        let layouts = layouts.map_err(|source| LayoutPlanError::Layout {
            node: graph.name(index),
            source,
        })?;
        let mut all: Vec<(Layout, f64)> = layouts
            .into_iter()
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
    /// The price of running everything before a depth one level higher, for each depth.
    fn of(seconds: &PerNode<f64>, depths: &PerNode<u32>, prices: &Prices) -> Self {
        let deepest = depths.values().copied().max().unwrap_or(0);
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
        for (&seconds, &depth) in seconds.values().zip(depths.values()) {
            // Above the highest level the price is not known: it rises as it does below.
            let (here, below) = (pace(depth), pace(depth + 1));
            let share = if here > 0.0 {
                (here - below).max(0.0) / here
            } else {
                0.0
            };
            rise[depth as usize + 1] += seconds * share;
        }
        let mut sum = 0.0;
        let sums = rise.into_iter().map(|rise| {
            sum += rise;
            sum
        });
        Self(sums.collect())
    }
}
