//! Fewer and smaller rotation keys: rotations are composed of others that have keys.
//!
//! ```text
//! v1 = rotate v0, 1                      v1 = rotate v0, 1
//! v2 = rotate v0, 32               =>    v2 = rotate v0, 32
//! v3 = rotate v0, 33                     v3 = rotate v2, 1
//!
//! v3 = rotate v1, 1024                   v3 = rotate v2, 1024
//! v4 = rotate v2, 2048             =>    v4 = add v1, v3
//! v5 = add v0, v3, v4                    v5 = rotate v4, 1024
//!                                        v6 = add v0, v5
//! ```
//! Baby steps that are composed are key switches as before, and one more decomposition for each value that is rotated on; giant steps
//! that are composed are key switches as before, and one more division by P for each partial sum. Only where a step
//! on the way is nobody's target does it cost a key switch.
//!
//! A key at a high level is large, and what uses it there is often used below as well: keys are lowered, not only dropped.
//! [`search`] decides; [`tree`] finds what a group of rotations is composed of. Runs before all other passes, which share
//! decompositions and divisions of what it leaves. A composed rotation carries the noise of each of its key switches.

mod compose;
mod groups;
mod search;
mod tree;

use super::{PassError, run_all};
use crate::cost::{CostModel, LinearCost};
use groups::Groups;
use peregrine_ir::stats::KeyStats;
use peregrine_ir::{Circuit, Level, Ring};
use search::Search;
use std::cmp::Reverse;

/// What messages call this pass.
const NAME: &str = "compose-rotations";

/// Circuits with more instructions than this get no table: every row takes all passes.
const LARGEST_WITH_TABLE: usize = 100_000;

/// What a budget for keys leads to.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct KeyChoice {
    /// Most bytes that all evaluation keys may take together; none for no limit.
    pub budget: Option<u64>,
    /// Whether that was reached; otherwise the rest is as near as one gets.
    pub fits: bool,
    /// Evaluation keys.
    pub keys: usize,
    /// Bytes of all of them in a file.
    pub bytes: u64,
    /// Predicted seconds of a run with keys in memory.
    pub seconds: f64,
    /// Predicted seconds of bringing the keys there.
    pub key_seconds: f64,
}

impl KeyChoice {
    fn of(circuit: &Circuit, cost: &CostModel, budget: Option<u64>) -> Self {
        let keys = KeyStats::all(&circuit.ring, &circuit.keys);
        let bytes = keys.iter().map(|key| key.bytes).sum();
        let predicted = cost.predict(circuit);
        Self {
            budget,
            fits: budget.is_none_or(|budget| bytes <= budget),
            keys: keys.len(),
            bytes,
            seconds: predicted.seconds,
            key_seconds: predicted.key_seconds,
        }
    }

    /// Seconds with the share of one run in loading the keys.
    fn shared_seconds(&self) -> f64 {
        self.seconds + self.key_seconds / LinearCost::RUNS_PER_KEY
    }
}

/// A circuit after all passes, and what its keys were chosen from.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The circuit.
    pub circuit: Circuit,
    /// With one key for each rotation.
    pub all: KeyChoice,
    /// What was chosen.
    pub chosen: KeyChoice,
    /// Several budgets, the largest first, the chosen one among them; of large circuits, no limit and the chosen one.
    pub table: Vec<KeyChoice>,
}

/// Composes rotations so that all evaluation keys fit the budget, and runs all passes. Without a budget only keys that are not
/// worth their loading are given up.
///
/// # Errors
/// When the budget is out of reach; or a pass is defective.
pub fn settle(
    circuit: Circuit,
    cost: &CostModel,
    budget: Option<u64>,
) -> Result<Settled, KeyError> {
    let plain = run_all(circuit.clone(), cost)?;
    let all = KeyChoice::of(&plain, cost, None);
    let mut budgets: Vec<Option<u64>> = vec![None, budget];
    if circuit.values.len() <= LARGEST_WITH_TABLE {
        budgets.extend([2, 4, 8].map(|part| Some(all.bytes / part)));
    }
    // The search only ever gives up more.
    budgets.sort_by_key(|budget| Reverse(budget.unwrap_or(u64::MAX)));
    budgets.dedup();
    let mut chooser = Chooser::new(&circuit, cost);
    let (mut table, mut chosen) = (Vec::new(), None);
    for each in budgets {
        let (circuit, choice) = chooser.choose(each)?;
        let plain_fits = each.is_none_or(|budget| all.bytes <= budget);
        let (circuit, choice) = match plain_fits && all.shared_seconds() <= choice.shared_seconds()
        {
            true => (
                plain.clone(),
                KeyChoice {
                    budget: each,
                    ..all.clone()
                },
            ),
            false => (circuit, choice),
        };
        table.push(choice.clone());
        if each == budget {
            chosen = Some((circuit, choice));
        }
    }
    let (circuit, chosen) = chosen.unwrap_or((plain, all.clone()));
    match chosen {
        KeyChoice {
            fits: false,
            budget: Some(budget),
            bytes: least,
            ..
        } => Err(KeyError::Budget { budget, least }),
        _ => Ok(Settled {
            circuit,
            all,
            chosen,
            table,
        }),
    }
}

/// Chooses keys for budgets that get smaller.
struct Chooser<'c> {
    circuit: &'c Circuit,
    cost: &'c CostModel,
    groups: Groups,
    search: Search,
}

impl<'c> Chooser<'c> {
    fn new(circuit: &'c Circuit, cost: &'c CostModel) -> Self {
        let groups = match nested(&circuit.ring) {
            true => Groups::of(circuit),
            false => Groups::default(),
        };
        Self {
            circuit,
            cost,
            search: Search::new(circuit, &groups, cost),
            groups,
        }
    }

    fn choose(&mut self, budget: Option<u64>) -> Result<(Circuit, KeyChoice), PassError> {
        self.search.reduce(budget);
        let trees = self.search.trees(&self.groups);
        let composed = compose::compose(self.circuit.clone(), &self.groups, &trees);
        let composed = composed.map_err(|source| PassError { pass: NAME, source })?;
        let circuit = run_all(composed, self.cost)?;
        let choice = KeyChoice::of(&circuit, self.cost, budget);
        Ok((circuit, choice))
    }
}

/// Whether a key for a level serves all lower ones. Where it does not, every rotation keeps its key.
fn nested(ring: &Ring) -> bool {
    let above = (1..).map(Level).take(ring.levels.len().saturating_sub(1));
    above
        .into_iter()
        .all(|level| ring.contains(level, Level(level.0 - 1)))
}

/// Why keys are not chosen.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum KeyError {
    /// The budget is out of reach.
    #[error(
        "the evaluation keys take {:.1} MiB at least, which exceeds the budget of {:.1} MiB: allow more, or make the network \
         shallower",
        mebibytes(*.least), mebibytes(*.budget)
    )]
    Budget {
        /// Bytes that were allowed.
        budget: u64,
        /// Bytes that were reached.
        least: u64,
    },
    /// A pass emitted something that does not type.
    #[error(transparent)]
    Pass(#[from] PassError),
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
