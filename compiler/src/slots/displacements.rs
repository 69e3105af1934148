//! How far elements have to travel: a linear map between two layouts as sets of displacements.
//!
//! For output ciphertext `o` and input ciphertext `i`, displacement `d` is there when some element at slot `t` of `o` has a
//! nonzero coefficient on the element at slot `t + d` of `i` (modulo `S`, replica 0 of both). Which rotations realise them
//! follows from the replicas, see [`super::diagonals`]. Weights that are exactly zero need nothing.
//!
//! A convolution or pooling is a product of relations along its axes, and slots are sums of a part for each axis: the sets
//! are sums of sets, found in O(weights + displacements); so are those of channels of which nearly all are joined with each other,
//! and of a matrix with few zeros. Anything else is enumerated in O(nonzero coefficients).

mod axes;

use super::sets::{BitSet, ByPair, PairSets, Shared, counted};
pub(super) use axes::{Joined, by_axes};
use peregrine_ir::linear::{BoundMap, LinearKind};
use peregrine_ir::{Layout, Place};
use std::collections::BTreeMap;

/// Displacements by (output ciphertext, input ciphertext), ascending, in `0 .. S`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Displacements {
    /// By pair.
    pub pairs: ByPair,
}

impl Displacements {
    /// The displacements of `map` from replica 0 of `input` to replica 0 of `output`.
    pub fn of(map: &BoundMap<'_>, input: &Layout, output: &Layout) -> Self {
        Self::with(map, &Joined::all_of(map, Joined::FEW), input, output)
    }

    fn with(map: &BoundMap<'_>, joined: &[Joined], input: &Layout, output: &Layout) -> Self {
        by_axes(map, joined, input, output)
            .or_else(|| Self::by_matrix(map, input, output))
            .unwrap_or_else(|| Self::by_elements(map, input, output))
    }

    /// Element by element; for any map.
    pub(super) fn by_elements(map: &BoundMap<'_>, input: &Layout, output: &Layout) -> Self {
        let mut sets = PairSets::new(input.slots());
        let places: Vec<Place> = (0..input.elements()).map(|x| input.place_flat(x)).collect();
        for y in 0..output.elements() {
            let to = output.place_flat(y);
            map.for_each_tap(y, |x, weight| {
                if let Some(from) = places.get(x).filter(|_| weight != 0.0) {
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

    /// For a matrix with few zeros, which joins nearly every element with every other: all differences of their slots but those
    /// that only zeros have. O(rows * slots / 64).
    pub(super) fn by_matrix(map: &BoundMap<'_>, input: &Layout, output: &Layout) -> Option<Self> {
        let LinearKind::Contract(contract) = &map.map().kind else {
            return None;
        };
        let zeros = match contract.is_matrix() {
            true => few_zeros(map, input, output)?,
            false => return None,
        };
        let slots = input.slots();
        let (mut from, mut to) = (BTreeMap::new(), BTreeMap::new());
        for x in 0..input.elements() {
            let place = input.place_flat(x);
            let set = from.entry(place.ciphertext);
            set.or_insert_with(|| BitSet::new(slots)).insert(place.slot);
        }
        for y in 0..output.elements() {
            let place = output.place_flat(y);
            let set: &mut Vec<u32> = to.entry(place.ciphertext).or_default();
            set.push(place.slot);
        }
        let mut sums = BTreeMap::new();
        for (&o, rows) in &to {
            for (&i, columns) in &from {
                let mut differences = BitSet::new(slots);
                rows.iter()
                    .for_each(|&t| differences.insert_moved(columns, t));
                sums.insert((o, i), differences);
            }
        }
        let lost = zeros.into_iter().map(|(y, x)| {
            let by = x.slot.wrapping_sub(y.slot) & (slots - 1);
            ((y.ciphertext, x.ciphertext), by)
        });
        for (((o, i), by), lost) in counted(lost) {
            let (Some(rows), Some(columns)) = (to.get(&o), from.get(&i)) else {
                continue;
            };
            let others = rows
                .iter()
                .filter(|&y| columns.contains(y.wrapping_add(by) & (slots - 1)));
            if others.count() == lost
                && let Some(differences) = sums.get_mut(&(o, i))
            {
                differences.remove(by);
            }
        }
        let mut shared = Shared::default();
        let pairs = sums.into_iter().map(|(pair, set)| (pair, set.members()));
        let pairs = pairs.filter(|(_, set)| !set.is_empty());
        Some(Self {
            pairs: pairs.map(|(pair, set)| (pair, shared.of(set))).collect(),
        })
    }

    /// Number of all displacements.
    pub fn len(&self) -> usize {
        self.pairs.values().map(|set| set.len()).sum()
    }

    /// Whether there is none: the map is zero.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

/// Where rows and columns of the zeros of a matrix lie; none where there are many.
fn few_zeros(map: &BoundMap<'_>, input: &Layout, output: &Layout) -> Option<Vec<(Place, Place)>> {
    /// To look for others with the difference of a zero takes an operation for each row.
    const MOST: usize = 1 << 14;
    let mut zeros = Vec::new();
    map.for_each_zero_entry(|y, x| {
        if zeros.len() <= MOST {
            zeros.push((output.place_flat(y), input.place_flat(x)));
        }
    });
    (zeros.len() <= MOST).then_some(zeros)
}

/// Displacements of one map, found once for packings that differ only in how their replicas are turned.
#[derive(Debug, Default)]
pub struct Displaced {
    joined: Option<Vec<Joined>>,
    known: BTreeMap<(Layout, Layout), Displacements>,
}

impl Displaced {
    /// The displacements of `map`, the same at every call, as [`Displacements::of`] finds them.
    pub fn of(&mut self, map: &BoundMap<'_>, input: &Layout, output: &Layout) -> &Displacements {
        let joined = self
            .joined
            .get_or_insert_with(|| Joined::all_of(map, Joined::FEW));
        let known = self.known.entry((input.untwisted(), output.untwisted()));
        known.or_insert_with(|| Displacements::with(map, joined, input, output))
    }
}
