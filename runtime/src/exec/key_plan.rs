//! The plan of evaluation keys: in which waves they are loaded, prefetched and released.

use super::wave::Wave;
use peregrine_ir::{Circuit, Entity, Inst, Key};
use std::collections::{BTreeMap, BTreeSet};

/// The waves that use each key, with the number of instructions that do.
pub(super) struct KeyUses(BTreeMap<Key, BTreeMap<usize, u64>>);

impl KeyUses {
    pub(super) fn of(circuit: &Circuit, waves: &[Wave]) -> Self {
        let mut uses: BTreeMap<Key, BTreeMap<usize, u64>> = BTreeMap::new();
        for (at, wave) in waves.iter().enumerate() {
            for key in wave.steps.iter().filter_map(|&v| circuit.key_of(v)) {
                *uses.entry(key).or_default().entry(at).or_default() += 1;
            }
        }
        Self(uses)
    }

    /// Each key with the number of instructions that use it.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Key, u64)> {
        let count = |(&key, waves): (&Key, &BTreeMap<usize, u64>)| (key, waves.values().sum());
        self.0.iter().map(count)
    }

    /// Removes keys that another body loads.
    pub(super) fn forget(&mut self, keys: &BTreeSet<Key>) {
        self.0.retain(|key, _| !keys.contains(key));
    }

    /// Counts a call as a use of those of `keys` that the function uses.
    pub(super) fn add_calls(&mut self, circuit: &Circuit, waves: &[Wave], keys: &BTreeSet<Key>) {
        let used = keys_of_functions(circuit);
        for (at, wave) in waves.iter().enumerate() {
            let called = wave.call.and_then(|function| used.get(function.index()));
            for &key in called
                .into_iter()
                .flatten()
                .filter(|key| keys.contains(key))
            {
                *self.0.entry(key).or_default().entry(at).or_default() += 1;
            }
        }
    }

    /// Enters into the waves where keys are loaded, prefetched and released.
    pub(super) fn place(&self, window: usize, expanded: &BTreeSet<Key>, waves: &mut [Wave]) {
        for (&key, uses) in &self.0 {
            let stays = expanded.contains(&key);
            let mut last: Option<usize> = None;
            for &at in uses.keys() {
                let near = last.is_some_and(|last| stays || last + 1 == at);
                if !near {
                    leave(key, last, waves);
                    bring(key, at, window, waves);
                }
                last = Some(at);
            }
            if !stays {
                leave(key, last, waves);
            }
        }
    }
}

/// The keys that each function uses, those of functions that it calls included.
fn keys_of_functions(circuit: &Circuit) -> Vec<BTreeSet<Key>> {
    let mut all: Vec<BTreeSet<Key>> = Vec::with_capacity(circuit.functions.len());
    for body in circuit.bodies().filter(|body| body.function.is_some()) {
        let mut keys = BTreeSet::new();
        for (_, definition) in circuit.definitions(body) {
            keys.extend(circuit.key(definition).map(|(key, _)| key));
            if let Inst::Call { function, .. } = definition.inst {
                keys.extend(all.get(function.index()).into_iter().flatten());
            }
        }
        all.push(keys);
    }
    all
}

/// Has a key ready for the wave at `at`. Where several instructions run side by side, it is prefetched during the wave
/// before, which does not use it. Nothing is prefetched during a call, whose waves load keys of their own.
fn bring(key: Key, at: usize, window: usize, waves: &mut [Wave]) {
    let before = at.checked_sub(1).filter(|_| window > 1);
    let before = before.and_then(|before| waves.get_mut(before));
    if let Some(wave) = before.filter(|wave| wave.call.is_none()) {
        wave.prefetch.push(key);
    } else if let Some(wave) = waves.get_mut(at) {
        wave.keys.push(key);
    }
}

fn leave(key: Key, after: Option<usize>, waves: &mut [Wave]) {
    if let Some(wave) = after.and_then(|after| waves.get_mut(after)) {
        wave.released.push(key);
    }
}
