//! What is said of refreshes: where they are, why, and what they cost.

use super::search::{Problem, Refreshes, Refreshing};
use crate::refresh::plan::RefreshPlan;
use petgraph::graph::NodeIndex;

/// The refreshes of a circuit.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct RefreshReport {
    /// Where values are refreshed, in order.
    pub cuts: Vec<CutReport>,
    /// Ciphertexts that are refreshed.
    pub ciphertexts: u32,
    /// Predicted seconds of all refreshes, each with a key for each of its rotations.
    pub seconds: f64,
    /// Seconds that refreshes take at least, whatever the cuts: one ciphertext for each time that the longest path through the network uses
    /// up what a refresh gives.
    pub least_seconds: f64,
    /// Bits between the result of a refresh and its argument.
    pub room_bits: f64,
    /// log2 of the probability that some coefficient of a refresh wraps further than its polynomial reaches.
    pub failure_bits: f64,
    /// The best of the other plans that were tried; none where there was no other.
    pub next: Option<NextPlan>,
}

/// A plan of refreshes that was not taken.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct NextPlan {
    /// The first nodes behind the cuts, in order.
    pub before: Vec<String>,
    /// Ciphertexts that are refreshed.
    pub ciphertexts: u32,
    /// Predicted seconds of refreshes and of the work between them, over those of the plan that was taken.
    pub ratio: f64,
}

/// Refreshes between two stretches of a network.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct CutReport {
    /// The first node behind.
    pub before: String,
    /// The nodes whose values are refreshed, each with its ciphertexts and the bound of its values.
    pub refreshed: Vec<RefreshedNode>,
}

/// A node whose values are refreshed.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct RefreshedNode {
    /// The node.
    pub node: String,
    /// The ciphertexts of its values.
    pub ciphertexts: u32,
    /// The magnitude that they stay below.
    pub bound: f64,
}

impl CutReport {
    /// Ciphertexts that are refreshed here.
    pub fn ciphertexts(&self) -> u32 {
        self.refreshed.iter().map(|node| node.ciphertexts).sum()
    }
}

impl RefreshReport {
    /// The report on cuts of a network and on the refreshes there.
    pub fn new(
        problem: &Problem<'_>,
        found: &Refreshes,
        refreshing: &Refreshing,
        plan: &RefreshPlan,
    ) -> Self {
        let graph = problem.graph;
        let name = |node: NodeIndex| {
            let source = graph.source(node);
            source.map_or_else(
                || graph.name(node).to_string(),
                |source| source.name.clone(),
            )
        };
        let cuts = found.placement.cuts.iter().zip(1..).map(|(&cut, stretch)| {
            let nodes = found.placement.refreshed_at(graph, stretch).into_iter();
            let refreshed = nodes.map(|node| RefreshedNode {
                node: name(node),
                ciphertexts: problem.ciphertexts[node],
                bound: problem.bounds[node].unwrap_or(f64::INFINITY),
            });
            CutReport {
                before: name(NodeIndex::new(cut)),
                refreshed: refreshed.collect(),
            }
        });
        let cuts: Vec<CutReport> = cuts.collect();
        Self {
            ciphertexts: cuts.iter().map(CutReport::ciphertexts).sum(),
            seconds: cuts
                .iter()
                .map(|cut| refreshing.price(cut.ciphertexts()))
                .sum(),
            least_seconds: problem.least_seconds(refreshing),
            room_bits: plan.gained_bits(),
            failure_bits: plan.failure_bits,
            next: None,
            cuts,
        }
    }

    /// The first nodes behind the cuts, in order.
    pub fn before(&self) -> Vec<String> {
        self.cuts.iter().map(|cut| cut.before.clone()).collect()
    }

    /// A sentence on all of it, then one for each cut, and one on the next best plan.
    pub fn sentences(&self) -> Vec<String> {
        const SHOWN: usize = 120;
        let shown = |name: &str| -> String {
            let name = name.chars().flat_map(char::escape_debug);
            name.take(SHOWN).collect()
        };
        let all = format!(
            "{} are refreshed in {}: {:.2} s predicted, at least {:.2} s for any places; {:.0} bits each, failing with \
             probability 2^{:.0}",
            counted(self.ciphertexts as usize, "ciphertext"),
            counted(self.cuts.len(), "place"),
            self.seconds,
            self.least_seconds,
            self.room_bits,
            self.failure_bits,
        );
        let cuts = self.cuts.iter().map(|cut| {
            let nodes = cut.refreshed.iter().map(|node| {
                let ciphertexts = counted(node.ciphertexts as usize, "ciphertext");
                let name = shown(&node.node);
                format!("`{name}` ({ciphertexts}, values below {:.3})", node.bound)
            });
            let nodes: Vec<String> = nodes.collect();
            format!(
                "before `{}` the values of {} are refreshed",
                shown(&cut.before),
                nodes.join(", ")
            )
        });
        let next = self.next.as_ref().map(|next| {
            format!(
                "the next best plan refreshes {} in {} and takes {:.1} % longer",
                counted(next.ciphertexts as usize, "ciphertext"),
                counted(next.before.len(), "place"),
                100.0 * (next.ratio - 1.0),
            )
        });
        [all].into_iter().chain(cuts).chain(next).collect()
    }
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
