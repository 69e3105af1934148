//! The search over layouts: dynamic programming along the graph.
//!
//! Notation: a *live* tensor has been computed and will be used; a *state* gives every live tensor a layout.
//!
//! Nodes are visited in order. For every state and every choice at the node (a layout of the result from [`candidates`], and
//! for each operand the layout it is converted to first) the seconds add up; of the states that agree on the live tensors the
//! cheapest stays. So residual branches choose together, and what they share is paid once.
//!
//! The search is exact over its candidates while there are at most [`STATES`] states at a node; beyond, the cheapest are
//! kept. One price is estimated: that of a conversion, which takes a level and so makes everything before it dearer by
//! [`Surcharge`].

use super::candidates;
use super::cuts::Cut;
use super::depth;
use super::error::LayoutPlanError;
use super::place::Place;
use super::plan::Choice;
use super::plans::{Quoted, Quotes};
use crate::optimisation::Without;
use crate::slots::identity;
use crate::tensor::{Graph, Op, PerNode};
use peregrine_ir::cost::{LinearCost, Prices};
use peregrine_ir::linear::LinearMap;
use peregrine_ir::{Layout, Shape};
use petgraph::graph::NodeIndex;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The largest number of states that are kept at a node.
const STATES: usize = 64;

/// The largest number of phases along an axis that strides are expected to take away.
const MOST_PHASES: u32 = 64;

/// The price of a ciphertext of an input, in products with weights: a client encrypts it, and it is sent and read. Encryption alone takes
/// about as long as so many products.
const PRODUCTS_OF_INPUT: f64 = 8.0;

/// The price of the bits of a mask, as a share of the price of one more level under everything.
const LONGER: f64 = 0.4;

/// The price in seconds of one more level, by the number of multiplications that come before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Surcharge(pub Vec<f64>);

impl Surcharge {
    /// A price at which no further level is ever spent.
    pub fn prohibitive() -> Self {
        Self(Vec::new())
    }

    /// The price of a level of its own before an operator.
    fn level(&self, depth: u32) -> f64 {
        self.0.get(depth as usize).copied().unwrap_or(f64::INFINITY)
    }

    /// The price of a longer prime for an operator, which leaves less room for special primes wherever the operator is.
    fn longer(&self) -> f64 {
        self.0.last().map_or(f64::INFINITY, |whole| LONGER * whole)
    }
}

/// The cheapest choices that a search has found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The choice at each node.
    pub choices: PerNode<Choice>,
    /// Predicted seconds of each node.
    pub seconds: PerNode<f64>,
}

/// Chooses a layout for every tensor of the network.
///
/// # Errors
/// When a tensor cannot be packed or the graph is not well formed.
pub fn search(
    place: Place<'_>,
    prices: &Prices,
    surcharge: &Surcharge,
    quotes: &mut Quotes,
) -> Result<Outcome, LayoutPlanError> {
    let Place {
        graph,
        log_slots,
        cut,
        without,
    } = place;
    let mut search = LayoutSearch {
        graph,
        log_slots,
        cut,
        prices,
        surcharge,
        depths: depth::of(graph, cut),
        last_use: last_uses(graph),
        reach: reach(graph),
        agreed: Live::new(),
        quotes,
        without,
    };
    let mut states: BTreeMap<Live, State> = [(Live::new(), State::default())].into();
    for index in graph.nodes() {
        let mut next: BTreeMap<Live, State> = BTreeMap::new();
        // Every state goes on with every choice at the node; of equal states the cheapest stays.
        for (live, state) in &states {
            for (choice, seconds, extra) in search.choices(index, live)? {
                let Some((choice, seconds)) = search.switched(index, choice, seconds) else {
                    continue;
                };
                let live = search.live_after(index, live, choice.outgoing());
                let total = state.total + seconds + extra;
                if next.get(&live).is_none_or(|known| total < known.total) {
                    let trail = Trail {
                        before: state.trail.clone(),
                        choice,
                        seconds,
                    };
                    let trail = Some(Rc::new(trail));
                    next.insert(live, State { total, trail });
                }
            }
        }
        // What is infinitely dear suits no layout, and stays so.
        if !next.values().any(|state| state.total.is_finite()) {
            let node = graph.name(index);
            return Err(LayoutPlanError::NoPlan { node });
        }
        // The beam: at most `STATES` states go on, without what all of them agree on.
        states = search.agree(index, cheapest(next));
    }
    let best = states
        .into_values()
        .min_by(|a, b| a.total.total_cmp(&b.total));
    // The trail of the cheapest state has every choice. There is a state after every node, and before the first one.
    Ok(best.unwrap_or_default().outcome())
}

/// The layouts of the live tensors, by node.
type Live = BTreeMap<NodeIndex, Layout>;

#[derive(Clone, Debug, Default)]
struct State {
    total: f64,
    trail: Option<Rc<Trail>>,
}

/// The choices that led to a state, as a list from the last to the first.
#[derive(Debug)]
struct Trail {
    before: Option<Rc<Trail>>,
    choice: Choice,
    seconds: f64,
}

impl State {
    fn outcome(self) -> Outcome {
        let (mut choices, mut seconds) = (Vec::new(), Vec::new());
        let mut at = self.trail;
        while let Some(trail) = at {
            choices.push(trail.choice.clone());
            seconds.push(trail.seconds);
            at = trail.before.clone();
        }
        choices.reverse();
        seconds.reverse();
        Outcome {
            choices: choices.into(),
            seconds: seconds.into(),
        }
    }
}

fn cheapest(states: BTreeMap<Live, State>) -> BTreeMap<Live, State> {
    if states.len() <= STATES {
        return states;
    }
    let mut sorted: Vec<(Live, State)> = states.into_iter().collect();
    sorted.sort_by(|a, b| a.1.total.total_cmp(&b.1.total));
    sorted.truncate(STATES);
    sorted.into_iter().collect()
}

struct LayoutSearch<'a> {
    graph: &'a Graph,
    log_slots: u32,
    cut: Option<Cut>,
    prices: &'a Prices,
    surcharge: &'a Surcharge,
    depths: PerNode<u32>,
    /// The last node that uses each tensor.
    last_use: PerNode<NodeIndex>,
    reach: candidates::Reach,
    /// Live tensors whose layout is the same in every state. States do not list them: a sum with many terms has many.
    agreed: Live,
    quotes: &'a mut Quotes,
    without: &'a Without,
}

/// A choice, its seconds, and its surcharges for levels.
type Priced = (Choice, f64, f64);

impl LayoutSearch<'_> {
    /// A choice at a node with its seconds, with the step to the second ring where the cut is; `None` where its result cannot
    /// be taken there.
    fn switched(&self, index: NodeIndex, choice: Choice, seconds: f64) -> Option<(Choice, f64)> {
        if self.cut != Some(Cut(index)) {
            return Some((choice, seconds));
        }
        let switched = Some(choice.layout.halved()?);
        // About a rotation of each ciphertext.
        let LinearCost {
            decompose, baby, ..
        } = self.cost(index).1;
        let each = decompose + baby;
        let seconds = seconds + each * f64::from(choice.layout.ciphertexts());
        Some((Choice { switched, ..choice }, seconds))
    }

    fn choices(&mut self, index: NodeIndex, live: &Live) -> Result<Vec<Priced>, LayoutPlanError> {
        let graph = self.graph;
        let node = graph.node(index);
        let operands = graph.operands(index);
        let packed = operands
            .iter()
            .map(|node| live.get(node).or(self.agreed.get(node)).copied())
            .collect::<Option<Vec<Layout>>>();
        let lacking = || LayoutPlanError::Operand {
            node: graph.name(index),
        };
        let packed = packed.ok_or_else(lacking)?;
        match (&node.op, packed.as_slice()) {
            (Op::Input { .. }, _) => self.input(index, &node.shape),
            (Op::Linear { map, .. }, [from, ..]) => self.linear(index, map, from),
            (Op::Polynomial(polynomial), [from, ..]) => {
                let multiplications =
                    f64::from(polynomial.degree().next_power_of_two().ilog2().max(1));
                let seconds = multiplications * self.cost(index).1.square;
                Ok(vec![(
                    Choice::at(*from),
                    seconds * f64::from(from.ciphertexts()),
                    0.0,
                )])
            }
            (Op::Add | Op::Multiply, [_, ..]) => self.meet(index, &packed),
            (Op::Reshape, [from, ..]) => Ok(vec![(Choice::at(*from), 0.0, 0.0)]),
            (_, []) => Err(lacking()),
        }
    }

    /// The number of multiplications before a node, and the costs there.
    fn cost(&self, index: NodeIndex) -> (u32, &LinearCost) {
        let depth = depth::deepest_operand(self.graph, &self.depths, index);
        (depth, self.prices.after(depth))
    }

    fn input(&self, index: NodeIndex, shape: &Shape) -> Result<Vec<Priced>, LayoutPlanError> {
        let layouts = candidates::of_input(shape.chw(), self.log_slots, self.reach, self.without);
        let layouts = layouts.map_err(|source| LayoutPlanError::Layout {
            node: self.graph.name(index),
            source,
        })?;
        let each = PRODUCTS_OF_INPUT * self.cost(index).1.product;
        let priced = |l: Layout| (Choice::at(l), each * f64::from(l.ciphertexts()), 0.0);
        Ok(layouts.into_iter().map(priced).collect())
    }

    fn linear(
        &mut self,
        index: NodeIndex,
        map: &LinearMap,
        from: &Layout,
    ) -> Result<Vec<Priced>, LayoutPlanError> {
        let (depth, cost) = self.cost(index);
        let cost = *cost;
        let quoted = self.quotes.at(self.graph, index, map)?;
        let mut choices = self.results(index, &quoted, (map, from), &cost)?;
        let extra = self.surcharge.level(depth);
        if !extra.is_finite() {
            return Ok(choices);
        }
        let convert = identity(&map.input);
        let conversion = self.quotes.at(self.graph, index, &convert)?;
        for through in candidates::skewed(from, self.without) {
            let turn = self.quotes.of(&conversion, (from, &through), false, &cost);
            for (choice, seconds, longer) in self.results(index, &quoted, (map, &through), &cost)? {
                let choice = Choice {
                    operands: vec![through],
                    ..choice
                };
                choices.push((choice, turn.seconds + seconds, extra + longer));
            }
        }
        Ok(choices)
    }

    /// The choices of a linear operator: what it can make of an operand.
    fn results(
        &mut self,
        index: NodeIndex,
        quoted: &Quoted<'_>,
        (map, from): (&LinearMap, &Layout),
        cost: &LinearCost,
    ) -> Result<Vec<Priced>, LayoutPlanError> {
        let mut choices = Vec::new();
        let layouts = candidates::of(map, from, self.without);
        let layouts = layouts.map_err(|source| LayoutPlanError::Layout {
            node: self.graph.name(index),
            source,
        })?;
        for layout in layouts {
            let longer = self.surcharge.longer();
            let ways = [false, true];
            for turned in ways
                .into_iter()
                .filter(|turned| !turned || longer.is_finite())
            {
                let quote = self.quotes.of(quoted, (from, &layout), turned, cost);
                let choice = Choice {
                    turned,
                    ..Choice::at(layout)
                };
                let extra = if quote.longer { longer } else { 0.0 };
                choices.push((choice, quote.seconds, extra));
            }
        }
        choices.retain(|choice| choice.1.is_finite() && choice.2.is_finite());
        Ok(choices)
    }

    /// The choices of a sum or product: its operands take the layout of one of them, and the others are converted to it, one
    /// level deep.
    fn meet(
        &mut self,
        index: NodeIndex,
        packed: &[Layout],
    ) -> Result<Vec<Priced>, LayoutPlanError> {
        let (depth, cost) = self.cost(index);
        let cost = *cost;
        let node = self.graph.node(index);
        let own = match node.op {
            Op::Multiply => cost.square,
            _ => 0.0,
        };
        // What a conversion between two layouts costs is the price of the identity.
        let map = identity(&node.shape);
        let quoted = self.quotes.at(self.graph, index, &map)?;
        // The operands meet in each layout that one of them has.
        let mut targets = packed.to_vec();
        targets.sort_unstable();
        targets.dedup();
        let mut choices = Vec::new();
        for to in targets {
            let mut seconds = own * f64::from(to.ciphertexts());
            let mut extra = 0.0;
            for from in packed.iter().filter(|from| **from != to) {
                let quote = self.quotes.of(&quoted, (from, &to), false, &cost);
                seconds += quote.seconds;
                // Layouts that differ must be joined somehow, so the last level is not out of the question.
                let levels = f64::from(quote.depth);
                extra += levels * self.surcharge.level(depth).min(self.whole());
            }
            let choice = Choice {
                operands: vec![to; packed.len()],
                ..Choice::at(to)
            };
            choices.push((choice, seconds, extra));
        }
        Ok(choices)
    }

    /// A price above that of the whole network, for choices of last resort.
    fn whole(&self) -> f64 {
        1e6 * (1.0 + self.prices.after(0).square)
    }

    /// The states without the tensors whose layout they agree on, in the same order.
    fn agree(&mut self, index: NodeIndex, states: BTreeMap<Live, State>) -> BTreeMap<Live, State> {
        let last_use = &self.last_use;
        self.agreed.retain(|&node, _| last_use[node] > index);
        let Some(mut same) = states.keys().next().cloned() else {
            return states;
        };
        for live in states.keys() {
            same.retain(|node, layout| live.get(node) == Some(layout));
        }
        if same.is_empty() {
            return states;
        }
        let without = |(mut live, state): (Live, State)| {
            live.retain(|node, _| !same.contains_key(node));
            (live, state)
        };
        let states = states.into_iter().map(without).collect();
        self.agreed.append(&mut same);
        states
    }

    fn live_after(&self, index: NodeIndex, live: &Live, layout: Layout) -> Live {
        let mut after = live.clone();
        after.insert(index, layout);
        after.retain(|&node, _| self.last_use[node] > index);
        after
    }
}

/// The last node that uses each node; an output is used after all nodes.
fn last_uses(graph: &Graph) -> PerNode<NodeIndex> {
    let mut last = PerNode::filled(graph, NodeIndex::new(0));
    for index in graph.nodes() {
        for operand in graph.operands(index) {
            last[operand] = index;
        }
    }
    // The layout of an output decides nothing any more.
    last
}

/// What the network asks of the layouts of its inputs.
fn reach(graph: &Graph) -> candidates::Reach {
    let channels = graph.nodes().map(|index| graph.node(index).shape.chw()[0]);
    candidates::Reach {
        pixels: pixels(graph),
        channels: channels.max().unwrap_or(1),
        stride: stride(graph),
    }
}

/// The largest product of the strides of windows that follow each other, along either axis.
fn stride(graph: &Graph) -> u32 {
    let mut strides = PerNode::filled(graph, [1u32; 2]);
    for index in graph.nodes() {
        let own = match &graph.node(index).op {
            Op::Linear { map, .. } => map.window().map_or([1; 2], |window| window.strides),
            _ => [1; 2],
        };
        for operand in graph.operands(index) {
            for axis in [0, 1] {
                let product = strides[operand][axis].saturating_mul(own[axis]);
                strides[index][axis] = strides[index][axis].max(product);
            }
        }
    }
    let largest = graph.nodes().flat_map(|index| strides[index]).max();
    largest.unwrap_or(1).min(MOST_PHASES)
}

/// The largest number of pixels by which a window reaches beyond the border of an image.
fn pixels(graph: &Graph) -> u32 {
    let reach = |index: NodeIndex| match &graph.node(index).op {
        Op::Linear { map, .. } => {
            let window = map.window()?;
            let one = |axis: usize| {
                let span = (window.kernel[axis] - 1) * window.dilations[axis];
                window.pads[axis].max(span.saturating_sub(window.pads[axis]))
            };
            Some(one(0).max(one(1)))
        }
        Op::Input { .. } | Op::Polynomial(_) | Op::Add | Op::Multiply | Op::Reshape => None,
    };
    graph.nodes().filter_map(reach).max().unwrap_or(0)
}
