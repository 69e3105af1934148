//! Displacements: a linear map between two layouts as sets of distances that elements travel.
//!
//! For output ciphertext `o` and input ciphertext `i`, displacement `d` is there when some element at slot `t` of `o` has a
//! nonzero coefficient on the element at slot `t + d` of `i` (modulo `S`, replica 0 of both). The rotations that realise
//! displacements follow from the replicas, see [`super::diagonals`]. Weights that are exactly zero need nothing.
//!
//! A convolution or pooling is a product of relations along its axes, and slots are sums of a part for each axis: the sets
//! are sums of sets, found in O(weights + displacements); so are those of channels of which nearly all are joined with each other,
//! of maps that move each axis by itself, and of a matrix with few zeros. Anything else is enumerated in O(nonzero coefficients).

mod axes;
mod moves;
mod pairs;

use super::sets::PairSets;
pub(super) use axes::{Joined, by_axes};
pub(super) use moves::Moves;
pub use pairs::Displacements;
use peregrine_ir::linear::{BoundMap, LinearKind};
use peregrine_ir::{Layout, Place};
use std::collections::BTreeMap;

impl Displacements {
    /// The displacements of `map` from replica 0 of `input` to replica 0 of `output`.
    pub fn of(map: &BoundMap<'_>, input: &Layout, output: &Layout) -> Self {
        Self::with(map, &Joined::all_of(map, Joined::FEW), input, output)
    }

    fn with(map: &BoundMap<'_>, joined: &[Joined], input: &Layout, output: &Layout) -> Self {
        by_axes(map, joined, input, output)
            .or_else(|| Some(Moves::of(map.map(), input, output)?.displacements()))
            .or_else(|| Self::by_matrix(map, input, output))
            .unwrap_or_else(|| Self::by_elements(map, input, output))
    }

    /// The displacements of any map, found element by element.
    pub(super) fn by_elements(map: &BoundMap<'_>, input: &Layout, output: &Layout) -> Self {
        let mut sets = PairSets::new(input.slots());
        let places: Vec<Place> = (0..input.elements()).map(|x| input.place_flat(x)).collect();
        for y in 0..output.elements() {
            let to = output.place_flat(y);
            map.for_each_tap(y, |x, weight| {
                if weight != 0.0 {
                    let from = places[x];
                    sets.insert(
                        (to.ciphertext, from.ciphertext),
                        from.slot.wrapping_sub(to.slot),
                    );
                }
            });
        }
        Self {
            pairs: sets.finish(),
        }
    }

    /// The displacements of a matrix with few zeros, which joins nearly every element with every other: all differences of their
    /// slots but those that only zeros have. `None` for other maps. O(rows * slots / 64).
    pub(super) fn by_matrix(map: &BoundMap<'_>, input: &Layout, output: &Layout) -> Option<Self> {
        let LinearKind::Contract(contract) = &map.map().kind else {
            return None;
        };
        let zeros = match contract.is_matrix() {
            true => few_zeros(map)?,
            false => return None,
        };
        let slots = input.slots();
        let (to, from) = (places(output), places(input));
        let (mut rows, mut columns) = (PairSets::new(slots), PairSets::new(slots));
        for &(o, y) in &to {
            rows.insert((o, 0), y.wrapping_neg());
        }
        for &(i, x) in &from {
            columns.insert((0, i), x);
        }
        let mut sets = PairSets::new(slots);
        sets.insert_sums(&rows, &columns, |(o, _), (_, i)| (o, i));
        sets.remove_pairs(&zeros, (&to, &from));
        Some(Self {
            pairs: sets.finish(),
        })
    }

    /// The number of displacements of all pairs.
    pub fn len(&self) -> usize {
        self.pairs.values().map(|set| set.len()).sum()
    }

    /// Whether there is no displacement: the map is zero.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

/// The zeros of a matrix, by row and column; `None` where there are many.
fn few_zeros(map: &BoundMap<'_>) -> Option<Vec<(u32, u32)>> {
    /// To look for others with the difference of a zero takes an operation for each row.
    const MOST: usize = 1 << 14;
    let mut zeros = Vec::new();
    map.for_each_zero_entry(|y, x| {
        if zeros.len() <= MOST {
            zeros.push((y as u32, x as u32));
        }
    });
    (zeros.len() <= MOST).then_some(zeros)
}

/// The ciphertext and the slot of every element.
fn places(layout: &Layout) -> Vec<(u32, u32)> {
    let places = (0..layout.elements()).map(|x| layout.place_flat(x));
    places.map(|place| (place.ciphertext, place.slot)).collect()
}

/// The displacements of one map, found once for packings that differ only in the skew of their replicas.
#[derive(Debug, Default)]
pub struct Displaced {
    joined: Option<Vec<Joined>>,
    known: BTreeMap<(Layout, Layout), Displacements>,
}

impl Displaced {
    /// The displacements of `map`, which must be the same at every call, as [`Displacements::of`] finds them.
    pub fn of(&mut self, map: &BoundMap<'_>, input: &Layout, output: &Layout) -> &Displacements {
        let joined = self
            .joined
            .get_or_insert_with(|| Joined::all_of(map, Joined::FEW));
        let known = self.known.entry((input.untwisted(), output.untwisted()));
        known.or_insert_with(|| Displacements::with(map, joined, input, output))
    }
}
