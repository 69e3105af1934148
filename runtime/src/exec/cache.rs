//! The cache of plaintexts that stay encoded from one run of a circuit to the next.
//!
//! The plan says which plaintexts are kept: those whose encoding costs most for the memory they take, as many as there is room
//! for. Every encoding begins with one complex transform, whatever the level, so these are the plaintexts of few primes, and
//! those encoded several times in a run. A plaintext is encoded when it is first needed, and stays until nobody keeps it: neither
//! the cache of a plan, nor [`Weights`] that several plans share. All calls of a function share the plaintexts of its body.

use super::plan::Plan;
use peregrine_ir::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// The plaintexts that a plan keeps encoded from one run to the next.
#[derive(Debug)]
pub struct Cache<P>(BTreeMap<Value, Arc<OnceLock<Arc<P>>>>);

impl<P> Cache<P> {
    /// A cache that keeps nothing.
    pub fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// The cache for a plan, shared with no other plan.
    pub fn of(plan: &Plan) -> Self {
        let cached = plan.cached().iter();
        Self(cached.map(|&value| (value, Arc::default())).collect())
    }

    /// A plaintext that is kept, which `make` encodes if it is not there yet; `None` for a plaintext that is not kept.
    ///
    /// Two threads may both encode it, and the first to finish wins: no thread waits for another, which might be running on its
    /// own stack.
    pub(super) fn get_or_make<E>(
        &self,
        value: Value,
        make: impl FnOnce() -> Result<Arc<P>, E>,
    ) -> Option<Result<&Arc<P>, E>> {
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

/// The encoded constants of one circuit in one back end, shared by several plans: each is encoded once, for whichever plan needs
/// it first.
#[derive(Debug)]
pub struct Weights<P>(BTreeMap<Value, Kept<P>>);

/// A plaintext that is kept, encoded or not yet.
#[derive(Debug)]
struct Kept<P> {
    bytes: u64,
    slot: Arc<OnceLock<Arc<P>>>,
}

impl<P> Default for Weights<P> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<P> Weights<P> {
    /// The cache of a plan. The plaintexts that it keeps are kept here, too, so that the next plan finds them; `bytes` gives the
    /// size of each.
    pub fn cache(&mut self, plan: &Plan, bytes: impl Fn(Value) -> u64) -> Cache<P> {
        let slot = |&value: &Value| {
            let kept = self.0.entry(value).or_insert_with(|| Kept {
                bytes: bytes(value),
                slot: Arc::default(),
            });
            (value, kept.slot.clone())
        };
        Cache(plan.cached().iter().map(slot).collect())
    }

    /// Drops the plaintexts that no cache uses.
    pub fn sweep(&mut self) {
        self.0.retain(|_, kept| Arc::strong_count(&kept.slot) > 1);
    }

    /// The plaintexts that are kept, encoded or not yet.
    pub fn values(&self) -> BTreeSet<Value> {
        self.0.keys().copied().collect()
    }

    /// The number of plaintexts that are encoded now.
    pub fn encoded(&self) -> usize {
        let slots = self.0.values().map(|kept| kept.slot.get());
        slots.flatten().count()
    }

    /// Bytes of all plaintexts that are kept, once they are encoded.
    pub fn bytes(&self) -> u64 {
        self.0.values().map(|kept| kept.bytes).sum()
    }
}
