//! When evaluation keys come and go, and which are expanded for good.

use super::keys::KeyResidence;
use super::memory::Sizes;
use super::plan::{Plan, Wave};
use peregrine_ir::{Circuit, KeyKind};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The waves that use each key, with the number of instructions that do.
pub(super) struct KeyUses(BTreeMap<KeyKind, BTreeMap<usize, u64>>);

impl KeyUses {
    pub(super) fn of(circuit: &Circuit, waves: &[Wave]) -> Self {
        let key = |value: &_| circuit.values.get(*value)?.inst.key();
        let mut uses: BTreeMap<KeyKind, BTreeMap<usize, u64>> = BTreeMap::new();
        for (at, wave) in waves.iter().enumerate() {
            for kind in wave.steps.iter().filter_map(key) {
                *uses.entry(kind).or_default().entry(at).or_default() += 1;
            }
        }
        Self(uses)
    }

    /// Notes in which waves keys come and go.
    pub(super) fn place(&self, window: usize, expanded: &BTreeSet<KeyKind>, waves: &mut [Wave]) {
        for (&kind, uses) in &self.0 {
            let stays = expanded.contains(&kind);
            let mut last: Option<usize> = None;
            for &at in uses.keys() {
                let near = last.is_some_and(|last| stays || last + 1 == at);
                if !near {
                    leave(kind, last, waves);
                    bring(kind, at, window, waves);
                }
                last = Some(at);
            }
            if !stays {
                leave(kind, last, waves);
            }
        }
    }
}

/// Has a key ready for the wave at `at`: where several instructions run side by side, it is read beside the wave before,
/// which is no wave that uses it.
fn bring(kind: KeyKind, at: usize, window: usize, waves: &mut [Wave]) {
    let before = at.checked_sub(1).filter(|_| window > 1);
    if let Some(wave) = before.and_then(|before| waves.get_mut(before)) {
        wave.ahead.push(kind);
    } else if let Some(wave) = waves.get_mut(at) {
        wave.keys.push(kind);
    }
}

fn leave(kind: KeyKind, after: Option<usize>, waves: &mut [Wave]) {
    if let Some(wave) = after.and_then(|after| waves.get_mut(after)) {
        wave.spent.push(kind);
    }
}

/// The keys that are best expanded for good in `room` bytes: those used most; none if their source decides.
pub(super) fn choose(circuit: &Circuit, plan: &Plan, room: u64) -> BTreeSet<KeyKind> {
    if room == 0 || plan.options().keys == KeyResidence::Held {
        return BTreeSet::new();
    }
    let sizes = Sizes::new(&circuit.ring);
    let uses = KeyUses::of(circuit, plan.waves());
    let count = |(kind, waves): (KeyKind, BTreeMap<usize, u64>)| (kind, waves.values().sum());
    let mut uses: Vec<(KeyKind, u64)> = uses.0.into_iter().map(count).collect();
    uses.sort_by_key(|&(kind, uses)| (Reverse(uses), kind));
    let (mut room, mut chosen) = (room, BTreeSet::new());
    for (kind, _) in uses {
        let level = circuit.keys.levels.get(&kind);
        let bytes = level.map(|&l| sizes.key_bytes(l) + sizes.key_reading_bytes(l));
        if let Some(rest) = bytes.and_then(|bytes| room.checked_sub(bytes)) {
            room = rest;
            chosen.insert(kind);
        }
    }
    chosen
}
