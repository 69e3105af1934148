//! How far elements have to travel: a linear map between two layouts as sets of displacements.
//!
//! For output ciphertext `o` and input ciphertext `i`, displacement `d` is there when some element at slot `t` of `o` has a
//! nonzero coefficient on the element at slot `t + d` of `i` (modulo `S`, replica 0 of both). Which rotations realise them
//! follows from the replicas, see [`super::diagonals`]. Weights that are exactly zero need nothing.
//!
//! A convolution or pooling is a product of relations along its axes, and slots are sums of a part for each axis: the sets
//! are sums of sets, found in O(weights + displacements); so are those of channels that are all joined with each other, and of a
//! matrix without zeros. Anything else is enumerated in O(nonzero coefficients).

use peregrine_ir::linear::{BoundMap, LinearKind, Window};
use peregrine_ir::{Layout, LayoutParts, Place};
use std::collections::{BTreeMap, BTreeSet};

/// Displacements by (output ciphertext, input ciphertext), ascending, in `0 .. S`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Displacements {
    /// By pair.
    pub pairs: BTreeMap<(u32, u32), Vec<u32>>,
}

impl Displacements {
    /// The displacements of `map` from replica 0 of `input` to replica 0 of `output`.
    pub fn of(map: &BoundMap<'_>, input: &Layout, output: &Layout) -> Self {
        Self::by_axes(map, input, output)
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

    /// For a matrix without zeros, which joins every element with every other: all differences of their slots.
    /// O(rows * slots / 64).
    pub(super) fn by_matrix(map: &BoundMap<'_>, input: &Layout, output: &Layout) -> Option<Self> {
        let LinearKind::Contract(contract) = &map.map().kind else {
            return None;
        };
        let around = [
            contract.outer,
            contract.groups,
            contract.rows,
            contract.inner,
        ];
        if around != [1; 4] || !map.is_full() {
            return None;
        }
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
        let mut pairs = BTreeMap::new();
        for (&o, rows) in &to {
            for (&i, columns) in &from {
                let mut sums = BitSet::new(slots);
                rows.iter().for_each(|&t| sums.insert_moved(columns, t));
                pairs.insert((o, i), sums.members());
            }
        }
        Some(Self { pairs })
    }

    /// Axis by axis; for windows over images that are packed as what they are.
    pub(super) fn by_axes(map: &BoundMap<'_>, input: &Layout, output: &Layout) -> Option<Self> {
        let (x, y) = (map.map().input.chw(), map.map().output.chw());
        if input.parts().shape != x || output.parts().shape != y {
            return None;
        }
        let window = map.map().window()?;
        let sides = (input, output);
        let [rows, columns] = [0, 1].map(|axis| {
            let taps = 0..window.kernel[axis];
            taps.map(|tap| spatial(sides, window, axis, tap))
                .collect::<Vec<_>>()
        });
        let mut sets = PairSets::new(input.slots());
        for (taps, channels) in channels(map, window, sides) {
            let mut spatial = BTreeSet::new();
            for [i, j] in taps {
                let (Some(rows), Some(columns)) = (rows.get(i as usize), columns.get(j as usize))
                else {
                    continue;
                };
                for row in rows {
                    spatial.extend(columns.iter().map(|column| row.beside(column, sides)));
                }
            }
            sets.insert_sums(&channels, &spatial);
        }
        Some(Self {
            pairs: sets.finish(),
        })
    }

    /// Number of all displacements.
    pub fn len(&self) -> usize {
        self.pairs.values().map(Vec::len).sum()
    }

    /// Whether there is none: the map is zero.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

/// A step from an output to an input: what it adds to the numbers of the ciphertexts, and to the slot, modulo 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    to: u32,
    from: u32,
    by: u32,
}

impl Step {
    /// A step along rows together with one along columns.
    fn beside(&self, column: &Self, (input, output): (&Layout, &Layout)) -> Self {
        Self {
            to: self.to * output.parts().phases[1] + column.to,
            from: self.from * input.parts().phases[1] + column.from,
            by: self.by.wrapping_add(column.by),
        }
    }
}

/// The phase of a coordinate and what it adds to the slot, along rows (0) or columns (1).
fn place(layout: &Layout, axis: usize, coordinate: u32) -> (u32, u32) {
    let LayoutParts {
        phases,
        gaps,
        pitch,
        ..
    } = *layout.parts();
    let (phase, position) = (
        coordinate % phases[axis],
        coordinate / phases[axis] * gaps[axis],
    );
    (
        phase,
        if axis == 0 {
            position * pitch
        } else {
            position
        },
    )
}

/// Steps of one tap along rows or columns.
fn spatial(
    (input, output): (&Layout, &Layout),
    window: &Window,
    axis: usize,
    tap: u32,
) -> BTreeSet<Step> {
    let extent = input.parts().shape[axis + 1];
    let step = |at: u32| {
        let source = window.input(axis, at, tap, extent)?;
        let ((to, y), (from, x)) = (place(output, axis, at), place(input, axis, source));
        let by = x.wrapping_sub(y);
        Some(Step { to, from, by })
    };
    (0..output.parts().shape[axis + 1])
        .filter_map(step)
        .collect()
}

/// Channels by their places: what the number of a channel adds to ciphertext and slot is the sum of a part for the plane it is
/// in and of one for the place between the pixels of that plane.
struct Channels {
    /// By plane.
    planes: Vec<(u32, u32)>,
    /// Within a plane.
    gaps: Vec<u32>,
}

impl Channels {
    /// All channels of a layout: of the last plane maybe only some.
    fn of(layout: &Layout) -> Vec<Self> {
        let LayoutParts { shape, gaps, .. } = *layout.parts();
        let share = gaps[0] * gaps[1];
        let part = |planes: std::ops::Range<u32>, within: u32| {
            let plane = |block: u32| channel(layout, block * share);
            let first = channel(layout, 0).1;
            Self {
                planes: planes.map(plane).collect(),
                gaps: (0..within).map(|c| channel(layout, c).1 - first).collect(),
            }
        };
        let whole = shape[0] / share;
        vec![
            part(0..whole, share),
            part(whole..whole + 1, shape[0] % share),
        ]
    }
}

/// Steps between channels that are all joined with each other.
fn all_channels((input, output): (&Layout, &Layout)) -> BTreeSet<Step> {
    let mut steps = BTreeSet::new();
    let froms = Channels::of(input);
    for (to, from) in Channels::of(output)
        .iter()
        .flat_map(|to| froms.iter().map(move |from| (to, from)))
    {
        let mut planes = PairSets::new(input.slots());
        for &(o, y) in &to.planes {
            for &(i, x) in &from.planes {
                planes.insert((o, i), x.wrapping_sub(y));
            }
        }
        let within: BTreeSet<u32> = to
            .gaps
            .iter()
            .flat_map(|y| from.gaps.iter().map(move |x| x.wrapping_sub(*y)))
            .collect();
        for ((to, from), set) in planes.finish() {
            let sums = set
                .iter()
                .flat_map(|x| within.iter().map(move |y| x.wrapping_add(*y)));
            steps.extend(sums.map(|by| Step { to, from, by }));
        }
    }
    steps
}

/// The first ciphertext of a channel and what it adds to the slot.
fn channel(layout: &Layout, c: u32) -> (u32, u32) {
    let place = layout.place([c, 0, 0]);
    (place.ciphertext, place.slot)
}

/// Steps between channels, with the taps they are for: those of equal steps together.
fn channels(
    map: &BoundMap<'_>,
    window: &Window,
    (input, output): (&Layout, &Layout),
) -> Vec<(Vec<[u32; 2]>, BTreeSet<Step>)> {
    let places = |layout: &Layout| -> Vec<(u32, u32)> {
        let channels = 0..layout.parts().shape[0];
        channels.map(|c| channel(layout, c)).collect()
    };
    let (from, to) = (places(input), places(output));
    let steps = |tap: [u32; 2]| {
        let mut steps = StepSet::default();
        map.for_each_channel_pair(tap, |m, c| {
            if let (Some(&(to, y)), Some(&(from, x))) = (to.get(m as usize), from.get(c as usize)) {
                let by = x.wrapping_sub(y);
                steps.insert(Step { to, from, by });
            }
        });
        steps.finish()
    };
    let [rows, columns] = window.kernel;
    let taps = (0..rows).flat_map(|i| (0..columns).map(move |j| [i, j]));
    if let LinearKind::Conv2d(conv) = &map.map().kind
        && conv.groups == 1
        && map.is_full()
    {
        return vec![(taps.collect(), all_channels((input, output)))];
    }
    if map.is_full() {
        return vec![(taps.collect(), steps([0, 0]))];
    }
    let mut groups: BTreeMap<BTreeSet<Step>, Vec<[u32; 2]>> = BTreeMap::new();
    for tap in taps {
        groups.entry(steps(tap)).or_default().push(tap);
    }
    groups
        .into_iter()
        .map(|(steps, taps)| (taps, steps))
        .collect()
}

/// Collects steps of which most repeat.
#[derive(Default)]
struct StepSet {
    recent: Vec<Step>,
    all: BTreeSet<Step>,
}

impl StepSet {
    const RECENT: usize = 1 << 14;

    fn insert(&mut self, step: Step) {
        self.recent.push(step);
        if self.recent.len() == Self::RECENT {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.recent.sort_unstable();
        self.recent.dedup();
        self.all.extend(self.recent.drain(..));
    }

    fn finish(mut self) -> BTreeSet<Step> {
        self.settle();
        self.all
    }
}

/// Sets by pair: a displacement is found as often as it has coefficients.
pub(super) struct PairSets {
    slots: u32,
    sets: BTreeMap<(u32, u32), NumberSet>,
}

/// A set of numbers below a bound: a list while there are few, then bits.
pub(super) enum NumberSet {
    Few(Vec<u32>),
    Many(Vec<u64>),
}

impl PairSets {
    pub(super) fn new(slots: u32) -> Self {
        Self {
            slots,
            sets: BTreeMap::new(),
        }
    }

    /// Adds `k` modulo the slots.
    pub(super) fn insert(&mut self, pair: (u32, u32), k: u32) {
        let set = self.sets.entry(pair);
        set.or_default().insert(k & (self.slots - 1), self.slots);
    }

    /// Adds every step of one set together with every step of another.
    fn insert_sums(&mut self, one: &BTreeSet<Step>, other: &BTreeSet<Step>) {
        let (one, other): (Vec<&Step>, Vec<&Step>) = (one.iter().collect(), other.iter().collect());
        let same_pair = |a: &&Step, b: &&Step| (a.to, a.from) == (b.to, b.from);
        let bound = self.slots;
        for first in one.chunk_by(same_pair) {
            for second in other.chunk_by(same_pair) {
                let (Some(a), Some(b)) = (first.first(), second.first()) else {
                    continue;
                };
                let set = self.sets.entry((a.to + b.to, a.from + b.from));
                let set = set.or_default();
                for a in first {
                    for b in second {
                        set.insert(a.by.wrapping_add(b.by) & (bound - 1), bound);
                    }
                }
            }
        }
    }

    /// Ascending.
    pub(super) fn finish(self) -> BTreeMap<(u32, u32), Vec<u32>> {
        let sets = self.sets.into_iter();
        sets.map(|(pair, set)| (pair, set.finish())).collect()
    }
}

impl Default for NumberSet {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl NumberSet {
    const FEW: usize = 32;

    /// Adds a number that is below `bound`, which is the same every time.
    pub(super) fn insert(&mut self, k: u32, bound: u32) {
        match self {
            Self::Few(list) if list.contains(&k) => {}
            Self::Few(list) if list.len() < Self::FEW => list.push(k),
            Self::Few(list) => {
                let mut bits = vec![0u64; bound.div_ceil(64) as usize];
                list.iter().chain([&k]).for_each(|&k| mark(&mut bits, k));
                *self = Self::Many(bits);
            }
            Self::Many(bits) => mark(bits, k),
        }
    }

    /// Ascending.
    pub(super) fn finish(self) -> Vec<u32> {
        match self {
            Self::Few(mut list) => {
                list.sort_unstable();
                list
            }
            Self::Many(bits) => members(&bits),
        }
    }
}

/// The numbers whose bits are set, ascending.
fn members(bits: &[u64]) -> Vec<u32> {
    let mut members = Vec::new();
    for (word, first) in bits.iter().zip((0u32..).step_by(64)) {
        let mut rest = *word;
        while rest != 0 {
            members.push(first + rest.trailing_zeros());
            rest &= rest - 1;
        }
    }
    members
}

fn mark(bits: &mut [u64], k: u32) {
    if let Some(word) = bits.get_mut(k as usize / 64) {
        *word |= 1 << (k % 64);
    }
}

/// A set of slots, a bit for each.
struct BitSet {
    words: Vec<u64>,
    /// How many slots there are, a power of two.
    slots: u32,
}

impl BitSet {
    fn new(slots: u32) -> Self {
        Self {
            words: vec![0; slots.div_ceil(64) as usize],
            slots,
        }
    }

    fn insert(&mut self, slot: u32) {
        mark(&mut self.words, slot);
    }

    /// Adds every member of another set less `t`, modulo the slots.
    fn insert_moved(&mut self, other: &Self, t: u32) {
        let t = t & (self.slots - 1);
        if self.slots < 64 {
            let word = other.words.first().copied().unwrap_or(0);
            let wrapped = word << ((self.slots - t) % 64);
            let moved = if t == 0 { word } else { word >> t | wrapped };
            let mask = (1u64 << self.slots) - 1;
            self.words.iter_mut().for_each(|w| *w |= moved & mask);
            return;
        }
        let (words, bits) = ((t / 64) as usize, t % 64);
        let (before, after) = other.words.split_at(words.min(other.words.len()));
        let turned = || after.iter().chain(before).copied();
        let next = turned().skip(1).chain(turned().take(1));
        for ((own, low), high) in self.words.iter_mut().zip(turned()).zip(next) {
            *own |= match bits {
                0 => low,
                _ => low >> bits | high << (64 - bits),
            };
        }
    }

    /// Ascending.
    fn members(&self) -> Vec<u32> {
        members(&self.words)
    }
}
