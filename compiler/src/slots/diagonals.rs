//! A linear map between two layouts as sets of generalized diagonals.
//!
//! For output ciphertext `o` and input ciphertext `i`, rotation `k` is needed when some element at slot `t` of `o` has a
//! nonzero coefficient on an element that slot `t + k` of `i` holds. Where the input has replicas the smallest such `k`
//! is the one (as `peregrine_ir::constants` fills it). Weights that are exactly zero need nothing.
//!
//! Cost: O(nonzero coefficients times output replicas).

use peregrine_ir::Layout;
use peregrine_ir::linear::BoundMap;
use std::collections::{BTreeMap, BTreeSet};

/// Needed rotations by (output ciphertext, input ciphertext); rotations are in `0 .. block` of an input with aligned
/// replicas, in `0 .. S` otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagonals {
    /// Ascending rotations by pair.
    pub pairs: BTreeMap<(u32, u32), BTreeSet<u32>>,
}

impl Diagonals {
    /// The diagonals of `map` from `input` to `output`.
    pub fn of(map: &BoundMap<'_>, input: &Layout, output: &Layout) -> Self {
        let mut sets = PairSets::new(input.slots());
        let aligned = input.parts().skew == 0;
        for y in 0..output.elements() {
            let to = output.place_flat(y);
            map.for_each_tap(y, |x, weight| {
                if weight == 0.0 {
                    return;
                }
                let from = input.place_flat(x);
                for replica in 0..output.parts().replicas {
                    let t = output.replica(to.slot, replica);
                    let k = if aligned {
                        reach_aligned(input, from.slot, t)
                    } else {
                        reach(input, from.slot, t)
                    };
                    sets.insert((to.ciphertext, from.ciphertext), k);
                }
            });
        }
        Self {
            pairs: sets.finish(),
        }
    }

    /// Number of products with a plaintext.
    pub fn products(&self) -> usize {
        self.pairs.values().map(BTreeSet::len).sum()
    }

    /// All `(output, input, rotation)`.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32, u32)> {
        self.pairs
            .iter()
            .flat_map(|(&(o, i), set)| set.iter().map(move |&k| (o, i, k)))
    }
}

/// The smallest left rotation that brings the element at `slot` of replica 0, or a replica of it, to slot `t`.
fn reach(layout: &Layout, slot: u32, t: u32) -> u32 {
    let slots = layout.slots();
    (0..layout.parts().replicas)
        .map(|replica| (layout.replica(slot, replica) + slots - t) & (slots - 1))
        .min()
        .unwrap_or(0)
}

/// [`reach`] where every replica is a copy: displacements repeat with the block.
fn reach_aligned(layout: &Layout, slot: u32, t: u32) -> u32 {
    (slot + layout.slots() - t) & (layout.block() - 1)
}

/// Bit sets by pair: a diagonal is found as often as it has coefficients.
struct PairSets {
    slots: u32,
    sets: BTreeMap<(u32, u32), Vec<u64>>,
}

impl PairSets {
    fn new(slots: u32) -> Self {
        Self {
            slots,
            sets: BTreeMap::new(),
        }
    }

    fn insert(&mut self, pair: (u32, u32), k: u32) {
        let words = self.slots.div_ceil(64) as usize;
        let set = self.sets.entry(pair).or_insert_with(|| vec![0; words]);
        if let Some(word) = set.get_mut(k as usize / 64) {
            *word |= 1 << (k % 64);
        }
    }

    fn finish(self) -> BTreeMap<(u32, u32), BTreeSet<u32>> {
        let members = |set: &[u64]| {
            let bits = |(i, word): (usize, &u64)| {
                let (i, word) = (i as u32 * 64, *word);
                (0..64)
                    .filter(move |b| word >> b & 1 == 1)
                    .map(move |b| i + b)
            };
            set.iter().enumerate().flat_map(bits).collect()
        };
        self.sets
            .into_iter()
            .map(|(pair, set)| (pair, members(&set)))
            .collect()
    }
}
