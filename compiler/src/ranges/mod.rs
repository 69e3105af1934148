//! Ranges: which values the nodes of a rewritten tensor graph take. There are those that samples reach, those that the model
//! states, and those that no input within its interval leaves.
//!
//! A circuit represents values below `2^(headroom_bits - 1)` in magnitude. Samples show what usually happens and are no
//! promise; a margin of [`MARGIN_BITS`] is kept above them. Interval arithmetic is a promise, and a loose one: it takes every
//! operand to be as bad as it can be at once, so what it gives grows with depth and, after squares, soon beyond any number.
//!
//! A model may state the extremes of some of its values that its training has seen, as peregrine-finetune does. From these,
//! interval arithmetic derives the values of other nodes: as far as samples show where a node is stated, further where it is
//! not.
//!
//! The ranges cover the values of all nodes and everything that the lowering computes inside a polynomial (`steps`). They do
//! not cover partial sums of a linear operator, which need no room: these may wrap around the modulus and back before the sum
//! is rescaled. Nor do they cover noise, which is small beside the margin.

mod activation;
mod calibrate;
mod interval;
mod linear;
mod planes;
mod polynomial;
mod proof;
mod stated;
mod steps;

pub use calibrate::Calibration;
pub use interval::Interval;
pub use stated::StatedPlanes;

use crate::manage::parameters::MAX_BASE_BITS;
use crate::tensor::{Graph, Op, Source};
use activation::Activation;
use peregrine_ir::linear::LinearError;
use petgraph::graph::NodeIndex;
use planes::Planes;
use std::collections::BTreeMap;
use std::fmt;

/// Bits by which values may become larger than in the samples.
pub const MARGIN_BITS: u32 = 2;
/// Bits by which values may become larger than in samples that were drawn because there are none.
pub const DRAWN_MARGIN_BITS: u32 = 4;

/// More headroom bits than any parameters have.
const MOST_BITS: u32 = MAX_BASE_BITS + 1;

/// The ranges of all nodes of a graph.
#[derive(Clone, Debug, Default)]
pub struct Ranges {
    /// The ranges of each node, in node order.
    pub nodes: Vec<NodeRange>,
    /// Bits by which values may become larger than what samples reach or the model states.
    pub margin_bits: u32,
}

/// The ranges of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeRange {
    /// The node of the model it stands for.
    pub source: Source,
    /// The operator, in a word.
    pub operator: String,
    /// The values that samples reach.
    pub calibrated: Option<Reach>,
    /// The index, from 0, of the sample in which the node's values are largest.
    pub sample: Option<usize>,
    /// The values that no input within its interval leaves.
    pub proven: Option<Reach>,
    /// The values that follow from what the model states.
    pub stated: Option<Reach>,
    /// Whether the model states the range of this very node.
    pub is_stated: bool,
}

/// The values that a node reaches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reach {
    /// The interval of the result; [`Interval::ALL`] when some values are not finite, or not bounded.
    pub values: Interval,
    /// The interval of what is computed between operand and result; for polynomials only.
    pub inside: Option<Interval>,
}

impl Reach {
    /// The largest magnitude, of the result or on the way to it.
    pub fn largest(&self) -> f64 {
        let inside = self.inside.map_or(0.0, Interval::largest);
        self.values.largest().max(inside)
    }

    /// Bits between the largest magnitude and what `headroom_bits` can represent; negative when it is not representable,
    /// minus infinity when nothing bounds it.
    pub fn bits_left(&self, headroom_bits: u32) -> f64 {
        f64::from(headroom_bits) - 1.0 - self.largest().log2()
    }
}

/// The interval of the values that are encrypted, for values of an input in `given`.
fn prepared(graph: &Graph, name: &str, given: Interval) -> Interval {
    let Some(prepare) = graph.prepare.get(name) else {
        return given;
    };
    let made = prepare.range([given.min(), given.max()]);
    made.map_or(Interval::ALL, |[min, max]| Interval::new(min, max))
}

impl Ranges {
    /// The ranges of a graph: what a calibration has seen, and what follows from intervals of the inputs, by name. An input
    /// without an interval is taken to stay within what the samples have, plane by plane. Without samples and intervals
    /// nothing is proven.
    ///
    /// # Errors
    /// When a sample is outside the interval of its input, or the graph is not well formed.
    pub fn new(
        graph: &Graph,
        calibration: Option<&Calibration>,
        inputs: &BTreeMap<String, Interval>,
    ) -> Result<Self, RangeError> {
        Self::with_stated(graph, calibration, inputs, None)
    }

    /// The ranges of a graph, like [`Ranges::new`], with the ranges that the model states of its nodes.
    ///
    /// # Errors
    /// When [`Ranges::new`] has an error.
    pub fn with_stated(
        graph: &Graph,
        calibration: Option<&Calibration>,
        inputs: &BTreeMap<String, Interval>,
        stated: Option<&StatedPlanes>,
    ) -> Result<Self, RangeError> {
        // The domain of each input: its interval, which must hold the samples, or else what the samples have.
        let mut domains = BTreeMap::new();
        for (index, name) in graph.inputs() {
            let seen = calibration.and_then(|c| c.reached.as_ref());
            let seen = seen.map(|reached| &reached[index].planes);
            let shape = &graph.node(index).shape;
            let stated = inputs
                .get(name)
                .map(|&stated| prepared(graph, name, stated));
            match (stated, seen) {
                (Some(stated), Some(seen)) if !stated.contains(seen.hull()) => {
                    return Err(RangeError::Stated {
                        name: name.to_owned(),
                        stated,
                        seen: seen.hull(),
                    });
                }
                (Some(stated), _) => domains.insert(name, Planes::new(shape, |_| stated)),
                (None, Some(seen)) => domains.insert(name, seen.clone()),
                (None, None) => None,
            };
        }
        // What follows from the domains, and apart from that what follows from stated ranges.
        let proven = match domains.is_empty() {
            true => None,
            false => Some(proof::prove(graph, &domains, None)?),
        };
        let following = match stated {
            Some(_) => Some(proof::prove(graph, &BTreeMap::new(), stated)?),
            None => None,
        };
        // A row for each node, from samples and from both.
        let node = |index: NodeIndex| {
            let node = graph.node(index);
            let source = graph.source(index).cloned();
            let seen = calibration.and_then(|c| c.reached.as_ref());
            let planes = |i| seen.map(|reached| &reached[i].planes);
            NodeRange {
                source: source.unwrap_or_else(|| Source {
                    name: format!("{}", index.index()),
                    op: String::new(),
                }),
                operator: operator(&node.op),
                calibrated: reach(graph, index, planes),
                sample: seen.map(|reached| reached[index].worst),
                proven: reach(graph, index, |i| Some(&proven.as_ref()?[i])),
                stated: reach(graph, index, |i| Some(&following.as_ref()?[i])),
                is_stated: stated.is_some_and(|s| s.nodes.contains_key(&index)),
            }
        };
        Ok(Self {
            nodes: graph.nodes().map(node).collect(),
            margin_bits: MARGIN_BITS,
        })
    }

    /// The ranges with another margin.
    #[must_use]
    pub fn with_margin(self, margin_bits: u32) -> Self {
        Self {
            margin_bits,
            ..self
        }
    }

    /// The headroom bits, margin and sign included, for what samples reach or else what is stated; `MOST_BITS` when no
    /// parameters have enough.
    pub fn headroom_bits(&self) -> u32 {
        let needed = self.nodes.iter();
        let needed = needed.filter_map(|node| node.headroom_bits(self.margin_bits));
        needed.max().unwrap_or(0)
    }

    /// The headroom bits within which every value is proven to stay; `None` without a proof.
    pub fn proven_headroom_bits(&self) -> Option<u32> {
        let bits = |node: &NodeRange| Some(headroom_bits(node.proven.as_ref()?.largest(), 0));
        let bits: Option<Vec<u32>> = self.nodes.iter().map(bits).collect();
        bits?.into_iter().max()
    }

    /// Checks that samples, or ranges that are stated, leave enough room.
    ///
    /// # Errors
    /// Names the first node that takes more headroom bits than there are.
    pub fn check(&self, limit: Limit) -> Result<(), RangeError> {
        for node in &self.nodes {
            if let (Some(reach), Some(needed)) =
                (node.expected(), node.headroom_bits(self.margin_bits))
                && needed > limit.bits()
            {
                return Err(RangeError::Leaves {
                    node: node.source.name.clone(),
                    op: node.source.op.clone(),
                    reached: reach.largest(),
                    sample: node.sample,
                    margin: self.margin_bits,
                    needed,
                    limit,
                });
            }
        }
        Ok(())
    }

    /// Whether it is proven that no value exceeds the headroom; `None` without a proof.
    pub fn is_proven(&self, headroom_bits: u32) -> Option<bool> {
        let proofs = self.nodes.iter().map(|node| node.proven.as_ref());
        let proofs: Option<Vec<&Reach>> = proofs.collect();
        let stays = |reach: &&Reach| reach.bits_left(headroom_bits) > 0.0;
        proofs.map(|proofs| proofs.iter().all(stays))
    }
}

impl NodeRange {
    /// What samples reach, or else what is stated.
    fn expected(&self) -> Option<&Reach> {
        self.calibrated.as_ref().or(self.stated.as_ref())
    }

    /// The headroom bits for these values, margin and sign included.
    fn headroom_bits(&self, margin: u32) -> Option<u32> {
        Some(headroom_bits(self.expected()?.largest(), margin))
    }
}

/// The headroom bits for a magnitude, margin and sign included.
fn headroom_bits(largest: f64, margin: u32) -> u32 {
    let bits = (largest.log2() + f64::from(margin) + 1.0).ceil();
    bits.clamp(2.0, f64::from(MOST_BITS)) as u32
}

/// The values that a node reaches, from those of its operands and of itself.
fn reach<'p>(
    graph: &Graph,
    index: NodeIndex,
    planes: impl Fn(NodeIndex) -> Option<&'p Planes>,
) -> Option<Reach> {
    let values = planes(index)?.hull();
    let node = graph.node(index);
    let operand = graph.operands(index).first().copied();
    let operand = operand.and_then(planes);
    let inside = match (&node.op, operand) {
        (Op::Polynomial(p), Some(x)) => match Activation::new(p, &node.shape, &graph.tensors) {
            Some(activation) => activation.steps(x),
            None => Some(Interval::ALL),
        },
        _ => None,
    };
    Some(Reach { values, inside })
}

fn operator(op: &Op) -> String {
    match op {
        Op::Input { .. } => "input".to_owned(),
        Op::Linear { map, .. } => map.keyword().to_owned(),
        Op::Polynomial(p) => format!("polynomial {}", p.degree()),
        Op::Add => "sum".to_owned(),
        Op::Multiply => "product".to_owned(),
        Op::Reshape => "reshape".to_owned(),
    }
}

/// The number of headroom bits, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Asked for by whoever compiles the model.
    Asked(u32),
    /// The most that the parameters at a ring degree have room for.
    Parameters {
        /// log2 of the degree.
        log_n: u32,
        /// The number of headroom bits that fit.
        bits: u32,
    },
}

impl Limit {
    fn bits(self) -> u32 {
        match self {
            Self::Asked(bits) | Self::Parameters { bits, .. } => bits,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked(bits) => write!(f, "{bits} are asked for"),
            Self::Parameters { log_n, bits } => write!(
                f,
                "{bits} fit beside the asked precision at ring degree 2^{log_n}"
            ),
        }
    }
}

/// Why a circuit cannot represent the values of a model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RangeError {
    /// Samples, or the ranges that the model states, take a node out of the representable range.
    #[error("`{node}` ({op}) {} {}: {}, {limit}", reaches(*.reached), place(*.sample), takes(*.reached, *.margin, *.needed))]
    Leaves {
        /// The node of the model.
        node: String,
        /// Its operator, as ONNX spells it.
        op: String,
        /// The largest magnitude, of the result or inside a polynomial.
        reached: f64,
        /// The index, from 0, of the sample; none when the magnitude follows from what the model states.
        sample: Option<usize>,
        /// Bits of margin.
        margin: u32,
        /// The headroom bits that the magnitude needs, margin and sign included.
        needed: u32,
        /// The headroom bits that there are.
        limit: Limit,
    },
    /// A sample is outside the interval that was stated for its input.
    #[error(
        "input `{name}` is stated to be within {} and {}, samples reach {} and {}",
        stated.min(), stated.max(), seen.min(), seen.max()
    )]
    Stated {
        /// The input.
        name: String,
        /// The interval that was stated.
        stated: Interval,
        /// The interval that samples reach.
        seen: Interval,
    },
    /// A linear map is not well formed.
    #[error(transparent)]
    Linear(#[from] LinearError),
}

fn reaches(largest: f64) -> String {
    match largest.is_finite() {
        true => format!("reaches {}", magnitude(largest)),
        false => "is not finite".to_owned(),
    }
}

fn place(sample: Option<usize>) -> String {
    match sample {
        Some(sample) => format!("in sample {sample}"),
        None => "by the ranges that the model states".to_owned(),
    }
}

fn takes(largest: f64, margin: u32, needed: u32) -> String {
    match largest.is_finite() {
        true => {
            let bits = if needed < MOST_BITS {
                needed.to_string()
            } else {
                format!("more than {}", needed - 1)
            };
            format!(
                "with {margin} bits of margin and one for the sign that takes {bits} headroom bits"
            )
        }
        false => "no headroom is enough".to_owned(),
    }
}

/// A magnitude for messages: large ones as a power of two.
fn magnitude(x: f64) -> String {
    match x < 1e6 {
        true => format!("{x:.4}"),
        false => format!("2^{:.0}", x.log2()),
    }
}

#[cfg(test)]
mod tests;
