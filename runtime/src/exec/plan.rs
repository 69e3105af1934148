//! When each instruction runs and when each value is freed.
//!
//! A plan is a list of *waves*; the instructions of a wave do not depend on each other and run in parallel.
//!
//! 1. Among the next `2 * window` instructions not yet run, in definition order, those whose operands exist form a wave,
//!    at most `window` of them. The first one always qualifies. A window of 1 is exactly the definition order, for
//!    which the compiler minimised memory; a larger one may hold that many more values.
//! 2. A value dies after the wave of its last use; outputs do not.
//! 3. An [`Inst::Encode`] is a recipe, not a step: its consumer encodes it and drops it. Only one with several consumers
//!    is encoded before its first one and kept until its last, if [`SharedPlains::Keep`] says so.
//!    Those in [`Plan::cached`], kept from one run to the next, are no business of the waves.
//! 4. A key is brought into memory beside the wave before that of its use (before that wave itself if the window is 1), and
//!    leaves it unless the next wave uses it too; those in [`Plan::expanded`] stay. Keys that their source holds in memory
//!    neither come nor go.
//!
//! Cost: O(instructions * window). The plan depends on nothing but the circuit and its options.

use super::key_plan::KeyUses;
use super::wave::{KeyForm, KeyResidence, PlanOptions, SharedPlains, Wave};
use peregrine_ir::{Arena, Circuit, Definition, Entity, Inst, Key, Value};
use std::collections::{BTreeSet, VecDeque};

/// The order of execution of one circuit.
#[derive(Clone, Debug)]
pub struct Plan {
    waves: Vec<Wave>,
    options: PlanOptions,
    cached: BTreeSet<Value>,
    expanded: BTreeSet<Key>,
}

impl Plan {
    /// Plans a circuit.
    pub fn new(circuit: &Circuit, options: PlanOptions) -> Self {
        let window = options.window.max(1);
        let mut liveness = Liveness::new(circuit, options.plains);
        let mut waiting: VecDeque<Value> = circuit
            .values
            .iter()
            .filter(|(_, d)| !matches!(d.inst, Inst::Input { .. } | Inst::Encode { .. }))
            .map(|(value, _)| value)
            .collect();
        let mut waves = Vec::new();
        while !waiting.is_empty() {
            let steps = next_wave(&circuit.values, &liveness, &mut waiting, window);
            waves.push(liveness.step(steps));
        }
        let mut plan = Self {
            waves,
            options,
            cached: BTreeSet::new(),
            expanded: BTreeSet::new(),
        };
        plan.expand(circuit, BTreeSet::new());
        plan
    }

    /// The waves in order.
    pub fn waves(&self) -> &[Wave] {
        &self.waves
    }

    /// The plaintexts that stay encoded from one run to the next.
    pub fn cached(&self) -> &BTreeSet<Value> {
        &self.cached
    }

    /// Leaves these plaintexts to a cache.
    pub(super) fn cache(&mut self, cached: BTreeSet<Value>) {
        for wave in &mut self.waves {
            wave.plains.retain(|v| !cached.contains(v));
            wave.dead.retain(|v| !cached.contains(v));
        }
        self.cached = cached;
    }

    /// The keys that are expanded once and stay.
    pub fn expanded(&self) -> &BTreeSet<Key> {
        &self.expanded
    }

    /// Has these keys expanded, and the others streamed; nothing changes for keys that their source holds.
    pub(super) fn expand(&mut self, circuit: &Circuit, expanded: BTreeSet<Key>) {
        if self.options.keys == KeyResidence::Held {
            return;
        }
        for wave in &mut self.waves {
            wave.keys.clear();
            wave.ahead.clear();
            wave.spent.clear();
        }
        let uses = KeyUses::of(circuit, &self.waves);
        uses.place(self.options.window, &expanded, &mut self.waves);
        self.expanded = expanded;
    }

    /// How a key is in memory while it is.
    pub fn form(&self, key: Key) -> KeyForm {
        match self.options.keys == KeyResidence::Held || self.expanded.contains(&key) {
            true => KeyForm::Expanded,
            false => KeyForm::Streamed,
        }
    }

    /// What it was made with.
    pub fn options(&self) -> PlanOptions {
        self.options
    }
}

/// Takes the next wave out of the waiting instructions.
fn next_wave(
    values: &Arena<Value, Definition>,
    liveness: &Liveness<'_>,
    waiting: &mut VecDeque<Value>,
    window: usize,
) -> Vec<Value> {
    let ahead = waiting.len().min(2 * window);
    let mut steps = Vec::with_capacity(window);
    let mut rest = Vec::with_capacity(ahead);
    for (at, value) in waiting.drain(..ahead).enumerate() {
        let ready = values.get(value).is_none_or(|d| liveness.ready(&d.inst));
        // The first one is taken unconditionally, so that a plan ends for any circuit.
        if at == 0 || (ready && steps.len() < window) {
            steps.push(value);
        } else {
            rest.push(value);
        }
    }
    for value in rest.into_iter().rev() {
        waiting.push_front(value);
    }
    steps
}

/// Which values exist and how many uses each still has.
struct Liveness<'c> {
    circuit: &'c Circuit,
    uses: Vec<u32>,
    exists: Vec<bool>,
    kept_plains: Vec<bool>,
}

impl<'c> Liveness<'c> {
    fn new(circuit: &'c Circuit, shared: SharedPlains) -> Self {
        let count = circuit.values.len();
        let mut uses = vec![0u32; count];
        for definition in circuit.values.values() {
            for operand in distinct_operands(&definition.inst) {
                count_use(&mut uses, operand);
            }
        }
        let is_encode = |d: &Definition| matches!(d.inst, Inst::Encode { .. });
        let kept_plains = circuit
            .values
            .values()
            .zip(&uses)
            .map(|(d, &uses)| is_encode(d) && uses > 1 && shared == SharedPlains::Keep)
            .collect();
        // Outputs are used once more, by whoever receives them.
        for output in circuit.outputs.iter().flat_map(|port| &port.values) {
            count_use(&mut uses, *output);
        }
        let exists = circuit
            .values
            .values()
            .map(|d| matches!(d.inst, Inst::Input { .. }))
            .collect();
        Self {
            circuit,
            uses,
            exists,
            kept_plains,
        }
    }

    fn exists(&self, value: Value) -> bool {
        self.exists.get(value.index()).copied().unwrap_or(false)
    }

    fn is_recipe(&self, value: Value) -> bool {
        matches!(
            self.circuit.values.get(value).map(|d| &d.inst),
            Some(Inst::Encode { .. })
        )
    }

    fn ready(&self, inst: &Inst) -> bool {
        let mut ready = true;
        inst.for_each_operand(|v| ready &= self.exists(v) || self.is_recipe(v));
        ready
    }

    /// Runs `steps`: what they need encoded, and what dies with them.
    fn step(&mut self, steps: Vec<Value>) -> Wave {
        let mut plains = BTreeSet::new();
        let mut dead = Vec::new();
        for &value in &steps {
            let Some(definition) = self.circuit.values.get(value) else {
                continue;
            };
            for operand in distinct_operands(&definition.inst) {
                if self.kept_plains.get(operand.index()) == Some(&true) && !self.exists(operand) {
                    plains.insert(operand);
                    self.mark(operand);
                }
                let is_held = self.exists(operand);
                if let Some(uses) = self.uses.get_mut(operand.index()) {
                    *uses = uses.saturating_sub(1);
                    if *uses == 0 && is_held {
                        dead.push(operand);
                    }
                }
            }
        }
        for &value in &steps {
            self.mark(value);
            if self.uses.get(value.index()) == Some(&0) {
                dead.push(value);
            }
        }
        Wave {
            plains: plains.into_iter().collect(),
            steps,
            dead,
            ..Wave::default()
        }
    }

    fn mark(&mut self, value: Value) {
        if let Some(exists) = self.exists.get_mut(value.index()) {
            *exists = true;
        }
    }
}

fn count_use(uses: &mut [u32], value: Value) {
    if let Some(uses) = uses.get_mut(value.index()) {
        *uses = uses.saturating_add(1);
    }
}

/// Operands without repetition, ascending.
fn distinct_operands(inst: &Inst) -> BTreeSet<Value> {
    let mut operands = BTreeSet::new();
    inst.for_each_operand(|v| {
        operands.insert(v);
    });
    operands
}
