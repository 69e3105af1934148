//! Plans: when each instruction runs and when each value is freed.
//!
//! A plan is a list of *waves* for each body; the instructions of a wave do not depend on each other and run in parallel.
//!
//! 1. Among the next `2 * window` instructions not yet run, in definition order, those whose operands exist form a wave, at most
//!    `window` of them. The first one always qualifies. A window of 1 is exactly the definition order, for which the compiler
//!    minimised memory; a larger one may hold that many more values.
//!    Sums of products over the same ciphertexts are computed together, up to eight of them, because the ciphertexts are read once
//!    then. Where one is in a wave, others of the next 64 instructions join it if [`SharedSums::Gather`](super::SharedSums::Gather)
//!    says so and the window is not 1.
//! 2. A value dies after the wave of its last use; a value that outlives its body does not.
//! 3. An [`Inst::Encode`] is a recipe, not a step: the instruction that uses it encodes it and drops it. A plaintext with
//!    several users is encoded before its first one and kept until its last, if [`SharedPlains::Keep`](super::SharedPlains::Keep)
//!    says so. Waves leave out the plaintexts in [`Plan::cached`], which are kept from one run to the next.
//! 4. A key is prefetched during the wave before that of its use (loaded before that wave itself if the window is 1), and
//!    released after it unless the next wave uses it, too; keys in [`Plan::expanded`] stay. Keys that their source holds in memory
//!    are neither loaded nor released.
//! 5. A call is a wave by itself: it runs the waves of the function. Keys are loaded and released within the body that uses
//!    them; those that stay are loaded before the first call that uses them.
//!
//! Cost: O(instructions * window). The plan depends on nothing but the circuit and its options.
//!
//! [`Inst::Encode`]: peregrine_ir::Inst::Encode

use super::key_plan::KeyUses;
use super::schedule::schedule;
use super::wave::{KeyForm, KeyResidence, PlanOptions, Wave};
use peregrine_ir::{Body, Circuit, Entity, FunctionId, Key, Value};
use std::collections::BTreeSet;

/// A plan: the order in which the instructions of one circuit run, in waves.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The waves of each function, and of the main program last.
    bodies: Vec<Vec<Wave>>,
    options: PlanOptions,
    cached: BTreeSet<Value>,
    expanded: BTreeSet<Key>,
}

impl Plan {
    /// The plan of a circuit, without plaintexts kept from run to run.
    pub fn new(circuit: &Circuit, options: PlanOptions) -> Self {
        let options = PlanOptions {
            window: options.window.max(1),
            ..options
        };
        let mut plan = Self {
            bodies: circuit
                .bodies()
                .map(|body| schedule(circuit, body, options))
                .collect(),
            options,
            cached: BTreeSet::new(),
            expanded: BTreeSet::new(),
        };
        plan.expand(circuit, BTreeSet::new());
        plan
    }

    /// The waves of the main program, in order.
    pub fn waves(&self) -> &[Wave] {
        self.bodies.last().map_or(&[], Vec::as_slice)
    }

    /// The waves of a function, in order.
    pub fn waves_of(&self, function: FunctionId) -> &[Wave] {
        let functions = self
            .bodies
            .split_last()
            .map_or(&[][..], |(_, functions)| functions);
        functions.get(function.index()).map_or(&[], Vec::as_slice)
    }

    /// The waves of each function in order, and of the main program last, each with the number of times that a run runs them.
    pub(super) fn all(&self, circuit: &Circuit) -> impl Iterator<Item = (&[Wave], u64)> {
        let runs = circuit.runs_of_functions().into_iter().chain([1]);
        self.bodies.iter().map(Vec::as_slice).zip(runs)
    }

    /// The plaintexts that stay encoded from one run to the next.
    pub fn cached(&self) -> &BTreeSet<Value> {
        &self.cached
    }

    /// Removes plaintexts from the waves, for a cache to keep.
    pub(super) fn cache(&mut self, cached: BTreeSet<Value>) {
        for wave in self.bodies.iter_mut().flatten() {
            wave.plains.retain(|v| !cached.contains(v));
            wave.dead.retain(|v| !cached.contains(v));
        }
        self.cached = cached;
    }

    /// The keys that are expanded once and stay in memory.
    pub fn expanded(&self) -> &BTreeSet<Key> {
        &self.expanded
    }

    /// Has these keys expanded for good, and the others streamed; nothing changes for keys that their source holds.
    pub(super) fn expand(&mut self, circuit: &Circuit, expanded: BTreeSet<Key>) {
        if self.options.keys == KeyResidence::Held {
            return;
        }
        let bodies: Vec<Body> = circuit.bodies().collect();
        for (waves, body) in self.bodies.iter_mut().zip(bodies) {
            for wave in waves.iter_mut() {
                wave.keys.clear();
                wave.prefetch.clear();
                wave.released.clear();
            }
            let mut uses = KeyUses::of(circuit, waves);
            match body.function {
                Some(_) => uses.forget(&expanded),
                None => uses.add_calls(circuit, waves, &expanded),
            }
            uses.place(self.options.window, &expanded, waves);
        }
        self.expanded = expanded;
    }

    /// The form in which a key is in memory.
    pub fn form(&self, key: Key) -> KeyForm {
        match self.options.keys == KeyResidence::Held || self.expanded.contains(&key) {
            true => KeyForm::Expanded,
            false => KeyForm::Streamed,
        }
    }

    /// The options that the plan was made with.
    pub fn options(&self) -> PlanOptions {
        self.options
    }
}
