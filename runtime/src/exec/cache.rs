//! Plaintexts that are kept in encoded form from one run of a circuit to the next.
//!
//! Which ones is planned: those whose encoding costs most for the memory they take, as many as there is room for. Every
//! encoding begins with one complex transform, whatever the level, so these are the ones of few primes, and those
//! encoded several times in a run. Each is encoded when it is first needed and stays until the cache is dropped.

use super::memory::Sizes;
use super::plan::{Plan, SharedPlains};
use peregrine_ir::{Circuit, Inst, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// Work of an encoding beside its limbs, in limbs of its ring: filling slots, and the complex transform.
const EMBEDDING_LIMBS: u64 = 4;

/// The plaintexts worth keeping in `room` bytes. Cost: O(u log u) for `u` uses of plaintexts.
pub(super) fn choose(circuit: &Circuit, plan: &Plan, room: u64) -> BTreeSet<Value> {
    let sizes = Sizes::new(&circuit.ring);
    if room == 0 {
        return BTreeSet::new();
    }
    let mut candidates: Vec<(Value, u64, u64)> = encodings(circuit, plan)
        .into_iter()
        .filter_map(|(value, times)| {
            let ty = circuit.type_of(value)?;
            let limbs = times * (sizes.limbs_of(ty) + EMBEDDING_LIMBS);
            let saved = limbs * sizes.limb_bytes(ty.level());
            Some((value, saved, sizes.bytes_of(ty)))
        })
        .collect();
    // Most work saved per byte first; the order of definition decides between equals.
    candidates.sort_by(|(v, saved, bytes), (w, other, others)| {
        let (mine, theirs) = (saved * others, other * bytes);
        theirs.cmp(&mine).then(v.cmp(w))
    });
    let mut room = room;
    let mut chosen = BTreeSet::new();
    for (value, _, bytes) in candidates {
        if let Some(rest) = room.checked_sub(bytes) {
            room = rest;
            chosen.insert(value);
        }
    }
    chosen
}

/// How often a run encodes each plaintext.
fn encodings(circuit: &Circuit, plan: &Plan) -> BTreeMap<Value, u64> {
    let mut times = BTreeMap::new();
    for step in plan.waves().iter().flat_map(|wave| &wave.steps) {
        let Some(definition) = circuit.values.get(*step) else {
            continue;
        };
        definition.inst.for_each_operand(|operand| {
            let known = circuit.values.get(operand);
            if known.is_some_and(|d| matches!(d.inst, Inst::Encode { .. })) {
                *times.entry(operand).or_insert(0) += 1;
            }
        });
    }
    if plan.options().plains == SharedPlains::Keep {
        times.values_mut().for_each(|count| *count = 1);
    }
    times
}

/// The plaintexts of a plan that are kept.
#[derive(Debug)]
pub struct Cache<P>(BTreeMap<Value, OnceLock<P>>);

impl<P> Cache<P> {
    /// Keeps nothing.
    pub fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// Room for what a plan keeps.
    pub fn of(plan: &Plan) -> Self {
        let cached = plan.cached().iter();
        Self(cached.map(|&value| (value, OnceLock::new())).collect())
    }

    /// A plaintext that is kept, made now if it is not there yet; `None` for one that is not kept.
    ///
    /// Two threads may both make it, and the first to finish wins: no thread waits for another, which might be running
    /// on its own stack.
    pub(super) fn get_or_make<E>(
        &self,
        value: Value,
        make: impl FnOnce() -> Result<P, E>,
    ) -> Option<Result<&P, E>> {
        let slot = self.0.get(&value)?;
        if slot.get().is_none() {
            match make() {
                Ok(plain) => drop(slot.set(plain)),
                Err(error) => return Some(Err(error)),
            }
        }
        slot.get().map(Ok)
    }
}
