//! Sets of slots for pairs of ciphertexts.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// Sets of slots by (output ciphertext, input ciphertext), ascending; equal sets are stored once.
pub type ByPair = BTreeMap<(u32, u32), Arc<[u32]>>;

/// A ciphertext and a slot of it.
type Place = (u32, u32);

/// The steps between pairs of an output and an input: their ciphertexts, and the distance of their slots, modulo the slots.
pub(super) fn steps(
    pairs: &[(u32, u32)],
    (to, from): (&[Place], &[Place]),
    slots: u32,
) -> impl Iterator<Item = ((u32, u32), u32)> {
    pairs.iter().map(move |&(m, c)| {
        let ((to, y), (from, x)) = (to[m as usize], from[c as usize]);
        ((to, from), x.wrapping_sub(y) & (slots - 1))
    })
}

/// A pool that stores equal sets once.
#[derive(Default)]
pub(super) struct Shared(BTreeSet<Arc<[u32]>>);

impl Shared {
    pub(super) fn of(&mut self, set: Vec<u32>) -> Arc<[u32]> {
        let set: Arc<[u32]> = set.into();
        match self.0.get(&set) {
            Some(known) => Arc::clone(known),
            None => {
                self.0.insert(Arc::clone(&set));
                set
            }
        }
    }
}

/// Sets of slots by pair: a displacement is found as often as it has coefficients.
///
/// Ciphertexts of many channels are joined alike, so many pairs have one set.
#[derive(PartialEq)]
pub(super) struct PairSets {
    slots: u32,
    sets: BTreeMap<(u32, u32), Rc<NumberSet>>,
}

/// A set of numbers below a bound: a list while there are few, ascending, then a bit for each number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
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

    /// The sets of a table with a row for each output ciphertext, of `columns` columns.
    pub(super) fn of_table(table: Vec<NumberSet>, columns: usize, slots: u32) -> Self {
        let sets = table.into_iter().enumerate();
        let sets = sets.filter(|(_, set)| set.len() > 0).map(|(at, set)| {
            let pair = (at / columns, at % columns);
            ((pair.0 as u32, pair.1 as u32), Rc::new(set))
        });
        Self {
            slots,
            sets: sets.collect(),
        }
    }

    /// Adds `k`, modulo the slots, to the set of a pair.
    pub(super) fn insert(&mut self, pair: (u32, u32), k: u32) {
        let set = Rc::make_mut(self.sets.entry(pair).or_default());
        set.insert(k & (self.slots - 1), self.slots);
    }

    /// Removes, from the steps between all outputs and all inputs, those that only these pairs have. O(pairs * outputs).
    pub(super) fn remove_pairs(&mut self, pairs: &[(u32, u32)], (to, from): (&[Place], &[Place])) {
        let mut counts: BTreeMap<((u32, u32), u32), usize> = BTreeMap::new();
        for step in steps(pairs, (to, from), self.slots) {
            *counts.entry(step).or_insert(0) += 1;
        }
        if counts.is_empty() {
            return;
        }
        let places: BTreeSet<Place> = from.iter().copied().collect();
        let mask = self.slots - 1;
        for (((o, i), by), count) in counts {
            let outputs = to.iter().filter(|(to, _)| *to == o);
            let all = outputs.filter(|(_, y)| places.contains(&(i, y.wrapping_add(by) & mask)));
            if all.count() == count {
                self.remove((o, i), by);
            }
        }
    }

    /// Removes a number from the set of a pair, and the set when it is then empty.
    fn remove(&mut self, pair: (u32, u32), k: u32) {
        if let Some(set) = self.sets.get_mut(&pair) {
            let set = Rc::make_mut(set);
            set.remove(k);
            if set.len() == 0 {
                self.sets.remove(&pair);
            }
        }
    }

    /// Adds the sums of each member of each set of `self` and each member of each set of another table, to the pair that their
    /// pairs lead to.
    pub(super) fn insert_sums(
        &mut self,
        one: &Self,
        other: &Self,
        pair: impl Fn((u32, u32), (u32, u32)) -> (u32, u32),
    ) {
        let others = other.alike();
        for (a, places) in one.alike() {
            for (b, beside) in &others {
                let mut sums = NumberSet::default();
                sums.insert_sums(a, b, self.slots);
                let sums = Rc::new(sums);
                for &at in &places {
                    for &beside in beside {
                        self.insert_all(pair(at, beside), &sums);
                    }
                }
            }
        }
    }

    /// Adds a set to that of a pair.
    fn insert_all(&mut self, pair: (u32, u32), set: &Rc<NumberSet>) {
        match self.sets.entry(pair) {
            Entry::Vacant(entry) => {
                entry.insert(Rc::clone(set));
            }
            Entry::Occupied(mut entry) => {
                Rc::make_mut(entry.get_mut()).insert_all(set, self.slots);
            }
        }
    }

    /// The sets, each with the pairs that have it.
    fn alike(&self) -> BTreeMap<&NumberSet, Vec<(u32, u32)>> {
        let mut alike: BTreeMap<&NumberSet, Vec<(u32, u32)>> = BTreeMap::new();
        for (&pair, set) in &self.sets {
            alike.entry(set).or_default().push(pair);
        }
        alike
    }

    /// The sets of all pairs, each ascending.
    pub(super) fn finish(self) -> ByPair {
        let mut finished = ByPair::new();
        for (set, pairs) in self.alike() {
            let set: Arc<[u32]> = set.members().into();
            finished.extend(pairs.into_iter().map(|pair| (pair, Arc::clone(&set))));
        }
        finished
    }
}

impl Default for NumberSet {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl NumberSet {
    const FEW: usize = 32;

    /// The set of some numbers below a bound.
    pub(super) fn of(numbers: impl IntoIterator<Item = u32>, bound: u32) -> Self {
        let mut set = Self::default();
        numbers.into_iter().for_each(|k| set.insert(k, bound));
        set
    }

    /// Adds a number below `bound`, which must be equal at every call.
    pub(super) fn insert(&mut self, k: u32, bound: u32) {
        match self {
            Self::Few(list) => {
                let Err(at) = list.binary_search(&k) else {
                    return;
                };
                list.insert(at, k);
                if list.len() > Self::FEW {
                    *self = Self::Many(self.bits(bound));
                }
            }
            Self::Many(bits) => mark(bits, k),
        }
    }

    fn remove(&mut self, k: u32) {
        match self {
            Self::Few(list) => list.retain(|&member| member != k),
            Self::Many(bits) => unmark(bits, k),
        }
    }

    /// Adds every member of another set.
    fn insert_all(&mut self, other: &Self, bound: u32) {
        match (&mut *self, other) {
            (Self::Many(bits), Self::Many(others)) => {
                bits.iter_mut().zip(others).for_each(|(a, b)| *a |= b);
            }
            _ => {
                let all = other.members().into_iter();
                all.for_each(|k| self.insert(k, bound));
            }
        }
    }

    /// Adds every sum, modulo a power of two, of a member of one set and a member of another.
    pub(super) fn insert_sums(&mut self, one: &Self, other: &Self, bound: u32) {
        let (few, many) = match one.len() <= other.len() {
            true => (one, other),
            false => (other, one),
        };
        // Moving all bits takes an operation for every word of them.
        if many.len() < bound as usize / 64 {
            let many = many.members();
            for a in few.members() {
                many.iter()
                    .for_each(|b| self.insert((a + b) & (bound - 1), bound));
            }
            return;
        }
        let many = many.bits(bound);
        let mut sums = BitSet {
            words: self.bits(bound),
            slots: bound,
        };
        let many = BitSet {
            words: many,
            slots: bound,
        };
        for a in few.members() {
            sums.insert_moved(&many, a.wrapping_neg());
        }
        *self = Self::Many(sums.words);
    }

    fn len(&self) -> usize {
        match self {
            Self::Few(list) => list.len(),
            Self::Many(bits) => bits.iter().map(|word| word.count_ones() as usize).sum(),
        }
    }

    /// The set as a bit for each number below `bound`.
    fn bits(&self, bound: u32) -> Vec<u64> {
        match self {
            Self::Few(list) => {
                let mut bits = vec![0u64; bound.div_ceil(64) as usize];
                list.iter().for_each(|&k| mark(&mut bits, k));
                bits
            }
            Self::Many(bits) => bits.clone(),
        }
    }

    fn members(&self) -> Vec<u32> {
        match self {
            Self::Few(list) => list.clone(),
            Self::Many(bits) => members(bits),
        }
    }

    /// The members, ascending.
    pub(super) fn finish(self) -> Vec<u32> {
        match self {
            Self::Few(list) => list,
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
    bits[k as usize / 64] |= 1 << (k % 64);
}

fn unmark(bits: &mut [u64], k: u32) {
    bits[k as usize / 64] &= !(1 << (k % 64));
}

/// A set of slots, a bit for each.
struct BitSet {
    words: Vec<u64>,
    /// The number of slots, a power of two.
    slots: u32,
}

impl BitSet {
    /// Adds every member of another set less `t`, modulo the slots.
    fn insert_moved(&mut self, other: &Self, t: u32) {
        let t = t & (self.slots - 1);
        if self.slots < 64 {
            let word = other.words[0];
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
}
