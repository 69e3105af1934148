//! Fewer and smaller rotation keys: rotations are composed of others that have keys.
//!
//! ```text
//! v1 = rotate v0, 1                      v1 = rotate v0, 1
//! v2 = rotate v0, 32               =>    v2 = rotate v0, 32
//! v3 = rotate v0, 33                     v3 = rotate v2, 1
//!
//! v6 = rotate v4, 1024                   v6 = rotate v5, 1024
//! v7 = rotate v5, 2048             =>    v7 = add v4, v6
//! v8 = add v3, v6, v7                    v8 = rotate v7, 1024
//!                                        v9 = add v3, v8
//! ```
//! 1. Rotations of one value, and rotated terms of one sum, are groups (`groups`).
//! 2. A group is a tree of rotations that have keys (`tree`).
//! 3. Keys are lowered or given up, one by one, and trees grown anew (`search`).
//! 4. The circuit is rewritten (`compose`). All other passes run after that, and share decompositions and divisions.
//!
//! Composed baby steps are as many key switches as before, with one more decomposition for each value that is rotated on;
//! composed giant steps are, too, with one more division by P for each partial sum. Only a step on the way that nobody asked for
//! is a further key switch. A composed rotation carries the noise of each of its steps.
//!
//! Assumes: rotations are whole (`rotate`) where they may be composed. Those in phases stay, and so do their keys.

mod budget;
mod compose;
mod groups;
mod knee;
mod search;
#[cfg(test)]
mod tests;
mod tree;

pub use budget::KeyBudget;

use super::{PassError, remove_dead, run_all};
use crate::manage::like::Like;
use crate::optimisation::{Optimisation, Without};
use groups::Groups;
use peregrine_ir::cost::{CostModel, LinearCost};
use peregrine_ir::stats::key_bytes;
use peregrine_ir::{Circuit, Key, Keys, Level, Remark};
use search::KeySearch;
use std::cmp::Reverse;

/// The name of this pass in messages.
const NAME: &str = "compose-rotations";

/// The largest number of instructions of a circuit that gets a table: each row takes all passes.
const LARGEST_WITH_TABLE: usize = 100_000;

/// The factor by which a run may be longer so that a circuit within another's parameters needs no new keys.
pub(crate) const NO_NEW: f64 = 2.0;

/// The keys that a budget leads to.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct KeyChoice {
    /// The bytes that all evaluation keys may take together; none for no limit.
    pub budget: Option<u64>,
    /// Whether the keys fit the budget; otherwise they are the fewest that were reached.
    pub fits: bool,
    /// The number of evaluation keys; where another circuit's keys are there, of those that it lacks.
    pub keys: usize,
    /// Bytes of all these keys in a file.
    pub bytes: u64,
    /// Predicted seconds of a run with keys in memory.
    pub seconds: f64,
    /// Predicted seconds of bringing the keys into memory.
    pub key_seconds: f64,
}

/// What keys are chosen by: prices, and the keys that are there.
#[derive(Clone, Copy, Debug)]
pub struct Having<'c> {
    /// The cost of operations and keys.
    pub cost: &'c CostModel,
    /// Optimisations that are left out.
    pub without: &'c Without,
    /// A circuit whose keys are there: they cost nothing, and only others are counted.
    pub like: Option<&'c Like>,
}

impl KeyChoice {
    fn of(circuit: &Circuit, having: Having<'_>, budget: Option<u64>) -> Self {
        let (mut keys, mut bytes) = (0, 0);
        let mut paid = Keys::default();
        let lacking = |&(&key, &level): &(&Key, &Level)| {
            let has = having.like.map(|like| like.has(&circuit.rings, key, level));
            has != Some(true)
        };
        let lacking = circuit.keys.levels.iter().filter(lacking);
        paid.levels = lacking.map(|(&key, &level)| (key, level)).collect();
        for (key, &level) in &paid.levels {
            keys += 1;
            bytes += key_bytes(&circuit.rings, *key, level);
        }
        Self {
            budget,
            fits: budget.is_none_or(|budget| bytes <= budget),
            keys,
            bytes,
            seconds: having.cost.predict(circuit).seconds,
            key_seconds: having.cost.key_seconds(&circuit.rings, &paid),
        }
    }

    /// A remark on the keys beyond one for each rotation; `None` where nothing was asked for and nothing done.
    fn remark(&self, all: &Self) -> Option<String> {
        let budget = match self.budget {
            Some(budget) => format!(" (budget {})", mebibytes(budget)),
            None => String::new(),
        };
        if (self.keys, self.bytes) == (all.keys, all.bytes) {
            let text = format!("every rotation has a key: {}{budget}", all.described());
            return self.budget.map(|_| text);
        }
        Some(format!(
            "rotations are composed of others: {}{budget}, instead of {}",
            self.described(),
            all.described()
        ))
    }

    fn described(&self) -> String {
        let Self {
            keys,
            bytes,
            seconds,
            ..
        } = self;
        let size = mebibytes(*bytes);
        format!("{keys} evaluation keys of {size} together, {seconds:.3} s predicted")
    }

    /// Predicted seconds of a run, with its share of loading the keys.
    fn shared_seconds(&self) -> f64 {
        self.seconds + self.key_seconds / LinearCost::RUNS_PER_KEY
    }
}

/// A circuit after all passes, and the choice of its keys.
#[derive(Clone, Debug)]
pub struct KeyedCircuit {
    /// The circuit.
    pub circuit: Circuit,
    /// The keys that were chosen.
    pub chosen: KeyChoice,
    /// Several budgets, the largest first, with the chosen one; for a large circuit, no limit and the chosen one only.
    pub table: Vec<KeyChoice>,
}

/// Composes rotations so that all evaluation keys fit the budget, and runs all passes. Without a limit, keys are given up that
/// are not worth their loading; without [`Optimisation::KeySelection`] none is given up, whatever the budget.
///
/// # Errors
/// When the budget is out of reach; or a pass is defective.
pub fn choose_keys(
    circuit: Circuit,
    having: Having<'_>,
    budget: KeyBudget,
) -> Result<KeyedCircuit, KeyError> {
    // What nothing needs would have its say.
    let dropped = (remove_dead::PASS.run)(circuit, having.cost);
    let circuit = dropped.map_err(|source| PassError {
        pass: remove_dead::PASS.name,
        defect: source.into(),
    })?;
    let mut chooser = Chooser::new(&circuit, having)?;
    let Found { choice, table } = match budget {
        KeyBudget::Unlimited => chooser.table(None)?,
        KeyBudget::AtMost(bytes) => chooser.table(Some(bytes))?,
        KeyBudget::Knee { slower, most } => chooser.knee(slower, most)?,
    };
    let (mut circuit, chosen) = choice;
    if let (Some(budget), false) = (chosen.budget, chosen.fits) {
        let least = chosen.bytes;
        return Err(KeyError::Budget { budget, least });
    }
    if let Some(text) = chosen.remark(&chooser.all) {
        circuit.remarks.push(Remark { node: None, text });
    }
    Ok(KeyedCircuit {
        circuit,
        chosen,
        table,
    })
}

/// The circuit that was found for a budget, and the other budgets that were looked at.
struct Found {
    choice: (Circuit, KeyChoice),
    /// The keys of each budget, the largest first, with the chosen one.
    table: Vec<KeyChoice>,
}

impl KeyedCircuit {
    /// Predicted seconds of a run, with its share of loading the keys.
    pub fn shared_seconds(&self) -> f64 {
        self.chosen.shared_seconds()
    }
}

/// Chooses keys for budgets that become smaller.
struct Chooser<'c> {
    circuit: &'c Circuit,
    having: Having<'c>,
    groups: Groups,
    search: KeySearch,
    /// The circuit with a key for each rotation, after all passes.
    plain: Circuit,
    all: KeyChoice,
}

impl<'c> Chooser<'c> {
    fn new(circuit: &'c Circuit, having: Having<'c>) -> Result<Self, PassError> {
        let plain = run_all(circuit.clone(), having.cost, having.without)?;
        let groups = Groups::of(circuit);
        Ok(Self {
            circuit,
            having,
            search: KeySearch::new(circuit, &groups, having),
            groups,
            all: KeyChoice::of(&plain, having, None),
            plain,
        })
    }

    /// Chooses keys for one budget, among others that are looked at for the table.
    fn table(&mut self, wanted: Option<u64>) -> Result<Found, PassError> {
        let (mut table, mut chosen) = (Vec::new(), None);
        for each in self.budgets(wanted) {
            let (circuit, choice) = self.choose(each)?;
            table.push(choice.clone());
            if each == wanted {
                chosen = Some((circuit, choice));
            }
        }
        let choice = chosen.unwrap_or_else(|| (self.plain.clone(), self.all.clone()));
        Ok(Found { choice, table })
    }

    /// The budgets to look at, the largest first.
    fn budgets(&self, wanted: Option<u64>) -> Vec<Option<u64>> {
        let mut budgets = vec![None, wanted];
        if self.has_table() {
            budgets.extend([2, 4, 8].map(|part| Some(self.all.bytes / part)));
        }
        budgets.sort_by_key(|budget| Reverse(budget.unwrap_or(u64::MAX)));
        budgets.dedup();
        budgets
    }

    /// Whether the circuit is small enough for budgets that nobody has asked for.
    fn has_table(&self) -> bool {
        self.circuit.values.len() <= LARGEST_WITH_TABLE
    }

    /// Chooses keys for a budget that is not larger than the ones before: the search only gives up more keys.
    fn choose(&mut self, budget: Option<u64>) -> Result<(Circuit, KeyChoice), PassError> {
        if self.having.without.contains(&Optimisation::KeySelection) {
            let choice = KeyChoice::of(&self.plain, self.having, budget);
            return Ok((self.plain.clone(), choice));
        }
        self.search.reduce(budget);
        let trees = self.search.trees(&self.groups);
        let composed = compose::compose(self.circuit.clone(), &self.groups, &trees);
        let composed = composed.map_err(|source| PassError {
            pass: NAME,
            defect: source.into(),
        })?;
        let circuit = run_all(composed, self.having.cost, self.having.without)?;
        let choice = KeyChoice::of(&circuit, self.having, budget);
        let all = KeyChoice {
            budget,
            ..self.all.clone()
        };
        let fits = budget.is_none_or(|budget| all.bytes <= budget);
        match fits && all.shared_seconds() <= choice.shared_seconds() {
            true => Ok((self.plain.clone(), all)),
            false => Ok((circuit, choice)),
        }
    }
}

/// Why keys cannot be chosen.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum KeyError {
    /// The budget is out of reach.
    #[error(
        "the evaluation keys take at least {}, the budget is {}: allow more, ask for fewer bits of precision, or make the network \
         shallower",
        mebibytes(*.least),
        mebibytes(*.budget)
    )]
    Budget {
        /// Bytes that the budget allows.
        budget: u64,
        /// The fewest bytes that were reached.
        least: u64,
    },
    /// A pass has a defect.
    #[error(transparent)]
    Pass(#[from] PassError),
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
