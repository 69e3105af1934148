//! Generalized diagonals: a linear map between two layouts as sets of rotations.
//!
//! Output ciphertext `o` is the sum over input ciphertexts `i` and rotations `k` of `diagonal * rotate(x_i, k)`, summed over
//! its `fold` parts. The rotations that are needed follow from the displacements of the elements ([`Displacements`]) and the
//! replicas of both sides by one rule ([`Reach`]), by which constants are evaluated, too.
//!
//! With `r` skewed replicas and a fold by `r`, one rotation realises `r` displacements at once: a set of displacements needs
//! about one rotation for every `r`.

use super::displacements::Displacements;
use super::sets::{ByPair, NumberSet, PairSets, Shared};
use peregrine_ir::linear::BoundMap;
use peregrine_ir::{Layout, Reach};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The rotations that a linear map needs, by (output ciphertext, input ciphertext), ascending; all are below [`Reach::bound`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagonals {
    /// The rotations of each pair of ciphertexts.
    pub pairs: ByPair,
}

impl Diagonals {
    /// The diagonals of `map` from `input` to `output`, where `fold` parts of a ciphertext are summed up afterwards.
    pub fn of(map: &BoundMap<'_>, input: &Layout, output: &Layout, fold: u32) -> Self {
        if is_regular(input, output, fold) {
            return Self::from_displacements(
                &Displacements::of(map, input, output),
                input,
                output,
                fold,
            );
        }
        let reach = Reach::new(input, fold);
        let mut sets = PairSets::new(input.slots());
        for y in 0..output.elements() {
            let to = output.place_flat(y);
            map.for_each_tap(y, |x, weight| {
                if weight == 0.0 {
                    return;
                }
                let from = input.place_flat(x);
                for replica in 0..output.parts().replicas {
                    let t = output.replica(to.slot, replica);
                    sets.insert(
                        (to.ciphertext, from.ciphertext),
                        reach.rotation(from.slot, t),
                    );
                }
            });
        }
        Self {
            pairs: sets.finish(),
        }
    }

    /// The diagonals of a map with these displacements, for [regular](is_regular) layouts.
    pub fn from_displacements(
        displacements: &Displacements,
        input: &Layout,
        output: &Layout,
        fold: u32,
    ) -> Self {
        let mask = Reach::new(input, fold).bound() - 1;
        let (shown, wanted) = (turns(input, mask), turns(output, mask));
        // The least of `d + from` modulo the bound: `shown` is ascending.
        let rotation = |d: u32| {
            let around = d.wrapping_neg() & mask;
            let at = shown.partition_point(|&from| from < around);
            let nearest = shown.get(at).copied().unwrap_or(shown[0]);
            (d + nearest) & mask
        };
        // The rotations for a set of displacements: these are taken back by the output's skew, then brought to the nearest
        // replica of the input.
        let turned_back = wanted.iter().map(|turn| turn.wrapping_neg() & mask);
        let turned_back = NumberSet::of(turned_back, mask + 1);
        let rotations = |set: &[u32]| {
            let set = NumberSet::of(set.iter().map(|d| d & mask), mask + 1);
            let mut distinct = NumberSet::default();
            distinct.insert_sums(&set, &turned_back, mask + 1);
            let mut all = NumberSet::default();
            let distinct = distinct.finish();
            distinct
                .into_iter()
                .for_each(|d| all.insert(rotation(d), mask + 1));
            all.finish()
        };
        // Many pairs share one set of displacements, whose rotations are found once.
        let (mut pairs, mut shared) = (ByPair::new(), Shared::default());
        let mut known: BTreeMap<*const u32, Arc<[u32]>> = BTreeMap::new();
        for (&pair, set) in &displacements.pairs {
            let known = known.entry(set.as_ptr());
            let found = known.or_insert_with(|| shared.of(rotations(set)));
            pairs.insert(pair, Arc::clone(found));
        }
        Self { pairs }
    }

    /// The number of products with a plaintext.
    pub fn products(&self) -> usize {
        self.pairs.values().map(|set| set.len()).sum()
    }

    /// All diagonals as `(output, input, rotation)`.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32, u32)> {
        self.pairs
            .iter()
            .flat_map(|(&(o, i), set)| set.iter().map(move |&k| (o, i, k)))
    }
}

/// The distinct positions, modulo a power of two, at which the replicas of slot 0 lie.
fn turns(layout: &Layout, mask: u32) -> Vec<u32> {
    let replicas = 0..layout.parts().replicas;
    let mut turns: Vec<u32> = replicas.map(|r| layout.replica(0, r) & mask).collect();
    turns.sort_unstable();
    turns.dedup();
    turns
}

/// Whether two layouts are regular: the rotation that reaches an element depends on its displacement alone, since the skew of
/// neither side wraps around within a block at positions that the other can tell apart.
pub fn is_regular(input: &Layout, output: &Layout, fold: u32) -> bool {
    let bound = Reach::new(input, fold).bound();
    (input.is_aligned() || bound <= input.block())
        && (output.is_aligned() || bound <= output.block())
}
