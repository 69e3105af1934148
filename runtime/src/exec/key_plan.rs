//! When evaluation keys come and go, and which are expanded for good.

use super::keys::KeyResidence;
use super::memory::Sizes;
use super::plan::{Plan, Wave};
use peregrine_ir::{Circuit, Key};
use std::cmp::Reverse;
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

    /// Notes in which waves keys come and go.
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

/// Has a key ready for the wave at `at`: where several instructions run side by side, it is read beside the wave before,
/// which is no wave that uses it.
fn bring(key: Key, at: usize, window: usize, waves: &mut [Wave]) {
    let before = at.checked_sub(1).filter(|_| window > 1);
    if let Some(wave) = before.and_then(|before| waves.get_mut(before)) {
        wave.ahead.push(key);
    } else if let Some(wave) = waves.get_mut(at) {
        wave.keys.push(key);
    }
}

fn leave(key: Key, after: Option<usize>, waves: &mut [Wave]) {
    if let Some(wave) = after.and_then(|after| waves.get_mut(after)) {
        wave.spent.push(key);
    }
}

/// The keys that are best expanded for good in `room` bytes: those used most; none if their source decides.
pub(super) fn choose(circuit: &Circuit, plan: &Plan, room: u64) -> BTreeSet<Key> {
    if room == 0 || plan.options().keys == KeyResidence::Held {
        return BTreeSet::new();
    }
    let sizes = Sizes::new(&circuit.ring);
    let uses = KeyUses::of(circuit, plan.waves());
    let count = |(key, waves): (Key, BTreeMap<usize, u64>)| (key, waves.values().sum());
    let mut uses: Vec<(Key, u64)> = uses.0.into_iter().map(count).collect();
    uses.sort_by_key(|&(key, uses)| (Reverse(uses), key));
    let (mut room, mut chosen) = (room, BTreeSet::new());
    for (key, _) in uses {
        let level = circuit.keys.levels.get(&key);
        let bytes = |&l| sizes.key_bytes(key, l) + sizes.key_reading_bytes(key, l);
        let bytes = level.map(bytes);
        if let Some(rest) = bytes.and_then(|bytes| room.checked_sub(bytes)) {
            room = rest;
            chosen.insert(key);
        }
    }
    chosen
}
