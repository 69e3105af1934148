//! The use of memory that a plan leaves: for keys that are expanded for good, and plaintexts kept from run to run.

use super::footprint::{Footprint, Pools};
use super::key_plan::KeyUses;
use super::plan::Plan;
use super::wave::{KeyForm, KeyResidence, SharedPlains};
use peregrine_ir::{Circuit, Inst, Key, Value};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The plaintexts most worth keeping in `room` bytes, beside those that are `kept` anyway and take no room. Cost: O(u log u) for
/// `u` uses of plaintexts.
pub(super) fn plains<F: Footprint>(
    circuit: &Circuit,
    footprint: &F,
    plan: &Plan,
    (room, kept): (u64, &BTreeSet<Value>),
) -> BTreeSet<Value> {
    if room == 0 && kept.is_empty() {
        return BTreeSet::new();
    }
    let (mut chosen, mut candidates) = (BTreeSet::new(), Vec::new());
    for (value, times) in encodings(circuit, plan) {
        if kept.contains(&value) {
            chosen.insert(value);
        } else {
            let saved = times.saturating_mul(footprint.encoding(value));
            candidates.push((value, saved, footprint.value(value).total()));
        }
    }
    // Most work saved per byte first; the order of definition decides between equals.
    candidates.sort_by(|(v, saved, bytes), (w, other, others)| {
        let wide = |saved: u64, bytes: u64| u128::from(saved) * u128::from(bytes);
        let (mine, theirs) = (wide(*saved, *others), wide(*other, *bytes));
        theirs.cmp(&mine).then(v.cmp(w))
    });
    let mut room = room;
    for (value, _, bytes) in candidates {
        if let Some(rest) = room.checked_sub(bytes) {
            room = rest;
            chosen.insert(value);
        }
    }
    chosen
}

/// The number of times that a run encodes each plaintext.
fn encodings(circuit: &Circuit, plan: &Plan) -> BTreeMap<Value, u64> {
    let mut times: BTreeMap<Value, u64> = BTreeMap::new();
    for (waves, runs) in plan.all(circuit) {
        for step in waves.iter().flat_map(|wave| &wave.steps) {
            let Some(definition) = circuit.values.get(*step) else {
                continue;
            };
            definition.inst.for_each_operand(|operand| {
                let known = circuit.values.get(operand);
                if known.is_some_and(|d| matches!(d.inst, Inst::Encode { .. })) {
                    let count = times.entry(operand).or_insert(0);
                    *count = match plan.options().plains {
                        SharedPlains::Keep => runs,
                        SharedPlains::Reencode => count.saturating_add(runs),
                    };
                }
            });
        }
    }
    times
}

/// The keys most worth expanding for good in `room` bytes, which are those used most; none if their source decides.
pub(super) fn keys<F: Footprint>(
    circuit: &Circuit,
    footprint: &F,
    plan: &Plan,
    room: u64,
) -> BTreeSet<Key> {
    if room == 0 || plan.options().keys == KeyResidence::Held {
        return BTreeSet::new();
    }
    let mut counts: BTreeMap<Key, u64> = BTreeMap::new();
    for (waves, runs) in plan.all(circuit) {
        for (key, uses) in KeyUses::of(circuit, waves).counts() {
            let count = counts.entry(key).or_insert(0);
            *count = count.saturating_add(uses.saturating_mul(runs));
        }
    }
    let mut uses: Vec<(Key, u64)> = counts.into_iter().collect();
    uses.sort_by_key(|&(key, uses)| (Reverse(uses), key));
    let (mut room, mut chosen) = (room, BTreeSet::new());
    let declared = uses
        .into_iter()
        .filter(|(key, _)| circuit.keys.levels.contains_key(key));
    for (key, _) in declared {
        let form = KeyForm::Expanded;
        let bytes = footprint.key(key, form) + footprint.reading(key, form).total();
        if let Some(rest) = room.checked_sub(bytes) {
            room = rest;
            chosen.insert(key);
        }
    }
    chosen
}
