//! The schedule of one body: which instructions run side by side, and when values are freed.

use super::wave::{PlanOptions, SharedPlains, SharedSums, Wave};
use peregrine_ir::cost::encoded_share;
use peregrine_ir::{Body, Circuit, Entity, Inst, Value};
use std::collections::{BTreeSet, VecDeque};

/// Sums of products over the same ciphertexts that are computed together at most: the widest loops have registers for as many.
const DOTS: usize = 8;
/// The ciphertexts of such sums at least: with fewer, reading them once saves less than results that wait for their uses cost.
const LEAST_TERMS: usize = 8;
/// The number of instructions ahead among which such sums are looked for.
const DOTS_AHEAD: usize = 64;

/// The waves of a body, of at most `window` instructions each, or of [`DOTS`] where these are sums over the same ciphertexts; a
/// call is a wave by itself. Cost: O(instructions * window).
pub(super) fn schedule(circuit: &Circuit, body: Body, options: PlanOptions) -> Vec<Wave> {
    let mut liveness = Liveness::new(circuit, body, options.plains);
    let steps = circuit.definitions(body);
    let steps = steps.filter(|(_, definition)| definition.inst.is_step());
    let mut waiting: VecDeque<Value> = steps.map(|(value, _)| value).collect();
    let mut waves = Vec::new();
    while !waiting.is_empty() {
        let steps = next_wave(&liveness, &mut waiting, options);
        waves.push(liveness.step(steps));
    }
    waves
}

/// Takes the next wave out of the waiting instructions.
fn next_wave(
    liveness: &Liveness<'_>,
    waiting: &mut VecDeque<Value>,
    PlanOptions { window, sums, .. }: PlanOptions,
) -> Vec<Value> {
    let near = 2 * window;
    // A window of 1 is exactly the order of definition.
    let gathers = window > 1 && sums == SharedSums::Gather;
    let far = match gathers {
        true => near.max(DOTS_AHEAD),
        false => near,
    };
    let ahead = waiting.len().min(far);
    let mut steps = Vec::with_capacity(window);
    let mut rest = Vec::with_capacity(ahead);
    let mut alone = false;
    for (at, value) in waiting.drain(..ahead).enumerate() {
        let (ready, is_call) = match at < near {
            true => liveness.ready(value),
            false => (false, false),
        };
        // The first one is taken unconditionally, so that a schedule ends for any circuit.
        if at == 0 {
            steps.push(value);
            alone = is_call;
        } else if ready && !alone && !is_call && steps.len() < window {
            steps.push(value);
        } else {
            rest.push(value);
        }
    }
    if gathers {
        let sums = steps.iter().filter_map(|&step| liveness.summed(step));
        let sums: Vec<Summed<'_>> = sums.collect();
        rest.retain(|&value| {
            let alike = |sum: Summed<'_>| sums.contains(&sum) && liveness.ready(value).0;
            let taken = steps.len() < window.max(DOTS) && liveness.summed(value).is_some_and(alike);
            if taken {
                steps.push(value);
            }
            !taken
        });
    }
    for value in rest.into_iter().rev() {
        waiting.push_front(value);
    }
    steps
}

/// What a sum of products is over, and whether its factors are scalars: sums that agree in both are computed together.
type Summed<'c> = (&'c [Value], bool);

/// Which values of a body exist, and the number of uses that each still has.
struct Liveness<'c> {
    circuit: &'c Circuit,
    body: Body,
    /// The remaining uses, by position in the body.
    uses: Vec<u32>,
    exists: Vec<bool>,
    kept_plains: Vec<bool>,
}

impl<'c> Liveness<'c> {
    fn new(circuit: &'c Circuit, body: Body, shared: SharedPlains) -> Self {
        let count = body.values().len();
        let mut liveness = Self {
            circuit,
            body,
            uses: vec![0; count],
            exists: vec![false; count],
            kept_plains: vec![false; count],
        };
        let executed = circuit.definitions(body);
        for (_, definition) in executed.filter(|(_, d)| d.inst.is_step()) {
            for operand in distinct_operands(&definition.inst) {
                liveness.count_use(operand);
            }
        }
        for (value, definition) in circuit.definitions(body) {
            let uses = liveness.at(value).and_then(|at| liveness.uses.get(at));
            let several = uses.is_some_and(|&uses| uses > 1) && shared == SharedPlains::Keep;
            let is_encode = matches!(definition.inst, Inst::Encode { .. });
            if let Some(at) = liveness.at(value) {
                set(&mut liveness.kept_plains, at, is_encode && several);
                set(&mut liveness.exists, at, definition.inst.is_input());
            }
        }
        // What outlives the body is used once more, by whoever receives it.
        for value in circuit.results_of(body) {
            liveness.count_use(value);
        }
        liveness
    }

    /// The position of a value in the body.
    fn at(&self, value: Value) -> Option<usize> {
        let at = value.index().checked_sub(self.body.first.index())?;
        (at < self.uses.len()).then_some(at)
    }

    fn count_use(&mut self, value: Value) {
        if let Some(uses) = self.at(value).and_then(|at| self.uses.get_mut(at)) {
            *uses = uses.saturating_add(1);
        }
    }

    fn exists(&self, value: Value) -> bool {
        let at = self.at(value).and_then(|at| self.exists.get(at));
        at.copied().unwrap_or(false)
    }

    fn is_recipe(&self, value: Value) -> bool {
        let definition = self.circuit.values.get(value);
        definition.is_some_and(|d| matches!(d.inst, Inst::Encode { .. }))
    }

    /// Whether the operands of an instruction exist, and whether it is a call.
    fn ready(&self, value: Value) -> (bool, bool) {
        let Some(definition) = self.circuit.values.get(value) else {
            return (true, false);
        };
        let mut ready = true;
        let each = |v| ready &= self.exists(v) || self.is_recipe(v);
        definition.inst.for_each_operand(each);
        (ready, matches!(definition.inst, Inst::Call { .. }))
    }

    /// What an instruction sums up, if it is a sum of many products with factors that repeat or are numbers. Others are hardly faster
    /// together.
    fn summed(&self, value: Value) -> Option<Summed<'c>> {
        let repeats = |plain: &Value| {
            let plain = self.circuit.values.get(*plain);
            plain.is_some_and(|plain| encoded_share(self.circuit, &plain.inst) < 1.0)
        };
        let summed: Summed<'c> = match &self.circuit.values.get(value)?.inst {
            Inst::Dot { ciphers, plains } if plains.iter().all(repeats) => (ciphers, false),
            Inst::DotScalar { ciphers, .. } => (ciphers, true),
            _ => return None,
        };
        (summed.0.len() >= LEAST_TERMS).then_some(summed)
    }

    /// The sums over the same ciphertexts among some instructions.
    fn dots(&self, steps: &[Value]) -> Vec<Vec<Value>> {
        let mut groups: Vec<(Summed<'_>, Vec<Value>)> = Vec::new();
        for &step in steps {
            let Some(sum) = self.summed(step) else {
                continue;
            };
            let mut open = groups.iter_mut();
            match open.find(|(other, group)| *other == sum && group.len() < DOTS) {
                Some((_, group)) => group.push(step),
                None => groups.push((sum, vec![step])),
            }
        }
        let groups = groups.into_iter().map(|(_, group)| group);
        groups.filter(|group| group.len() > 1).collect()
    }

    /// Runs `steps` as a wave: finds the plaintexts to encode before it, and the values that die after it.
    fn step(&mut self, steps: Vec<Value>) -> Wave {
        let mut plains = BTreeSet::new();
        let mut dead = Vec::new();
        for &value in &steps {
            let Some(definition) = self.circuit.values.get(value) else {
                continue;
            };
            // A kept plaintext is encoded before the first wave that uses it.
            for operand in distinct_operands(&definition.inst) {
                let Some(at) = self.at(operand) else {
                    continue;
                };
                if self.kept_plains.get(at) == Some(&true) && !self.exists(operand) {
                    plains.insert(operand);
                    set(&mut self.exists, at, true);
                }
                // An operand dies with its last use, unless it is encoded anew for each.
                let is_held = self.exists(operand);
                if let Some(uses) = self.uses.get_mut(at) {
                    *uses = uses.saturating_sub(1);
                    if *uses == 0 && is_held {
                        dead.push(operand);
                    }
                }
            }
        }
        // Results exist after the wave; those that nobody uses die at once.
        for &step in &steps {
            let further = self.circuit.further_results(step);
            for value in further.map(|(value, _)| value).chain([step]) {
                if let Some(at) = self.at(value) {
                    set(&mut self.exists, at, true);
                    if self.uses.get(at) == Some(&0) {
                        dead.push(value);
                    }
                }
            }
        }
        let first = steps
            .first()
            .and_then(|&value| self.circuit.values.get(value));
        let call = first.and_then(|definition| match definition.inst {
            Inst::Call { function, .. } => Some(function),
            _ => None,
        });
        Wave {
            plains: plains.into_iter().collect(),
            dots: self.dots(&steps),
            steps,
            call,
            dead,
            ..Wave::default()
        }
    }
}

fn set(flags: &mut [bool], at: usize, value: bool) {
    if let Some(flag) = flags.get_mut(at) {
        *flag = value;
    }
}

/// The operands of an instruction without repetition, ascending.
fn distinct_operands(inst: &Inst) -> BTreeSet<Value> {
    let mut operands = BTreeSet::new();
    inst.for_each_operand(|v| {
        operands.insert(v);
    });
    operands
}
