//! Records of a simulation about the values that nodes hand on, to each other or to the client.
//!
//! Only these values are judged. Partial sums inside a node may wrap around the modulus and back before the sum is
//! complete, and may be small beside their noise, without harm to the sum.

use super::headroom::Headroom;
use super::slots::Slots;
use peregrine_ir::provenance::handed_on;
use peregrine_ir::{Circuit, Node, Value};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Records headroom and noise of the values that nodes hand on.
#[derive(Debug)]
pub(super) struct Watch {
    /// The node that hands each value on; none for a value that no node hands on.
    nodes: BTreeMap<Value, Option<Node>>,
    seen: Mutex<Seen>,
}

/// What a simulation has recorded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The first value without headroom.
    pub(crate) overflow: Option<Headroom>,
    /// Magnitudes and noise of the values of each node.
    pub(crate) tensors: BTreeMap<Node, Loudness>,
}

/// The magnitude of the values that a node hands on, and of their noise.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Loudness {
    /// The largest magnitude of a slot, without noise.
    pub(crate) magnitude: f64,
    /// The largest error of a slot.
    pub(crate) noise: f64,
}

impl Loudness {
    /// The larger of both, for magnitude and noise each.
    fn join(&mut self, other: Self) {
        self.magnitude = self.magnitude.max(other.magnitude);
        self.noise = self.noise.max(other.noise);
    }
}

impl Seen {
    /// The records of both simulations.
    pub(crate) fn join(&mut self, other: Self) {
        self.overflow = first(self.overflow, other.overflow);
        for (node, loudness) in other.tensors {
            self.tensors.entry(node).or_default().join(loudness);
        }
    }
}

/// The headroom of the value that comes first in the program; of one value the smaller.
pub(crate) fn first(a: Option<Headroom>, b: Option<Headroom>) -> Option<Headroom> {
    let order = |x: &Headroom, y: &Headroom| x.value.cmp(&y.value).then(x.bits.total_cmp(&y.bits));
    a.into_iter().chain(b).min_by(order)
}

impl Watch {
    pub(super) fn new(circuit: &Circuit) -> Self {
        let values = handed_on(circuit).into_iter();
        let node = |value| circuit.values.get(value).and_then(|d| d.node);
        Self {
            nodes: values.map(|value| (value, node(value))).collect(),
            seen: Mutex::default(),
        }
    }

    pub(super) fn into_seen(self) -> Seen {
        self.seen
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the headroom of a value.
    pub(super) fn room(&self, found: Headroom) {
        if found.bits < 0.0 && self.nodes.contains_key(&found.value) {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.overflow = first(seen.overflow, Some(found));
        }
    }

    /// Compares the first images of a value, its twins without noise, with their noisy copies right behind them.
    pub(super) fn twins(&self, value: Value, slots: &Slots, (width, twins): (usize, usize)) {
        let Some(Some(node)) = self.nodes.get(&value).filter(|_| twins > 0) else {
            return;
        };
        let length = width * twins;
        // Values are real; what imaginary parts carry beside them is judged by itself.
        let noisy = slots.re.iter().skip(length);
        let mut found = Loudness::default();
        for (exact, noisy) in slots.re.iter().take(length).zip(noisy) {
            found.join(Loudness {
                magnitude: exact.abs(),
                noise: (noisy - exact).abs(),
            });
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.tensors.entry(*node).or_default().join(found);
    }
}
