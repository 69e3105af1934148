//! Baby-step giant-step: `sum_k d_k * rot_k(x) = sum_g rot_g( sum_b rot_-g(d_{g+b}) * rot_b(x) )`.
//!
//! Baby rotations act on the inputs and share one decomposition per input ciphertext; giant rotations act on partial sums,
//! one key switch each, whose divisions by P one output ciphertext shares. A split is a size `n` and a shift `c`: `b = (k + c) mod n - c`, `g = k - b`. Neighbouring pixels
//! make natural baby steps and channel shifts natural giant steps, so the candidates contain the pitches and planes of
//! both layouts beside the powers of two; `c = n/2` keeps taps on both sides of a pixel in one group. The cheapest
//! split by [`LinearCost`] wins; ties go to the smaller size, so the choice is deterministic.

use super::diagonals::Diagonals;
use super::sets::NumberSet;
use peregrine_ir::Layout;
use peregrine_ir::cost::LinearCost;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A choice of baby steps and giant steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    /// The number of slots after which rotations repeat: the input's block where its replicas are aligned.
    pub period: u32,
    /// The size of the window that baby steps lie in.
    pub size: u32,
    /// How far that window reaches below zero.
    pub shift: u32,
}

impl Default for Split {
    /// The split of a single rotation, by zero slots.
    fn default() -> Self {
        Self {
            period: 1,
            size: 1,
            shift: 0,
        }
    }
}

/// The number of steps that a split needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// Inputs that have a baby step.
    pub hoisted: u32,
    /// Baby steps of all inputs.
    pub babies: u32,
    /// Outputs that have a giant step.
    pub summed: u32,
    /// Giant steps of all outputs.
    pub giants: u32,
    /// Distinct rotations, each of which needs a key.
    pub keys: u32,
}

impl Steps {
    /// Whether each number is at most that of `other`, so that no prices make it dearer.
    fn is_within(&self, other: &Self) -> bool {
        let counts = |steps: &Self| {
            let Self {
                hoisted,
                babies,
                summed,
                giants,
                keys,
            } = *steps;
            [hoisted, babies, summed, giants, keys]
        };
        counts(self).iter().zip(counts(other)).all(|(a, b)| *a <= b)
    }

    /// Predicted seconds of the steps.
    pub fn price(&self, cost: &LinearCost) -> f64 {
        cost.decompose * f64::from(self.hoisted)
            + cost.baby * f64::from(self.babies)
            + cost.giant * f64::from(self.giants)
            + cost.mod_down * f64::from(self.summed)
            + cost.key * f64::from(self.keys)
    }
}

impl Split {
    /// The splits of `diagonals` from `input` to `output`, with their steps, the smallest size first: all that may be the
    /// cheapest at some prices, at least one.
    pub fn all(diagonals: &Diagonals, input: &Layout, output: &Layout) -> Vec<(Self, Steps)> {
        let period = if input.is_aligned() {
            input.block()
        } else {
            input.slots()
        };
        let needs = Needs::of(diagonals);
        let tried: Vec<(u32, u32)> = candidates(period, input, output).into_iter().collect();
        let counted = tried.into_par_iter().map(|(size, shift)| {
            let split = Self {
                period,
                size,
                shift,
            };
            (split, split.count(&needs))
        });
        let counted: Vec<(Self, Steps)> = counted.collect();
        let mut all: Vec<(Self, Steps)> = Vec::new();
        for (split, steps) in counted {
            if !all.iter().any(|(_, known)| known.is_within(&steps)) {
                all.push((split, steps));
            }
        }
        all
    }

    /// The baby step and the giant step of rotation `k`, both in `0 .. period`.
    pub fn steps(&self, k: u32) -> (u32, u32) {
        let (window, place) = self.place(k);
        (
            (place + self.period - self.shift % self.period) % self.period,
            self.giant(window),
        )
    }

    /// The window that `k` lies in, and its position there.
    fn place(&self, k: u32) -> (u32, u32) {
        // Slots are at most 2^16, so this cannot overflow.
        let at = k + self.shift;
        (at / self.size, at % self.size)
    }

    fn giant(&self, window: u32) -> u32 {
        (u64::from(window) * u64::from(self.size) % u64::from(self.period)) as u32
    }

    /// Counts the steps of all diagonals.
    fn count(&self, needs: &Needs) -> Steps {
        let mut steps = Steps::default();
        let mut keys = Marks::new(self.period);
        let mut places = Marks::new(self.size);
        for (set, inputs) in &needs.by_input {
            places.clear();
            for &k in set {
                let (_, place) = self.place(k);
                if place != self.shift && places.mark(place) {
                    keys.mark(self.steps(k).0);
                }
            }
            steps.babies += places.count * inputs;
            steps.hoisted += u32::from(places.count > 0) * inputs;
        }
        let mut windows = Marks::new(self.period / self.size + 2);
        for (set, outputs) in &needs.by_output {
            windows.clear();
            let mut giants = 0;
            for &k in set {
                let (window, _) = self.place(k);
                if windows.mark(window) && self.giant(window) != 0 {
                    giants += 1;
                    keys.mark(self.giant(window));
                }
            }
            steps.giants += giants * outputs;
            steps.summed += u32::from(giants > 0) * outputs;
        }
        steps.keys = keys.count;
        steps
    }
}

/// The rotations that each side needs: sets, each with the number of ciphertexts that have it.
struct Needs {
    by_input: BTreeMap<Vec<u32>, u32>,
    by_output: BTreeMap<Vec<u32>, u32>,
}

impl Needs {
    fn of(diagonals: &Diagonals) -> Self {
        Self {
            by_input: unions(diagonals, |(_, input)| input),
            by_output: unions(diagonals, |(output, _)| output),
        }
    }
}

/// The union of the sets of each ciphertext on one side, with the number of ciphertexts that have it.
fn unions(diagonals: &Diagonals, side: fn((u32, u32)) -> u32) -> BTreeMap<Vec<u32>, u32> {
    // Sets that are equal are one: their places tell them apart.
    let mut groups: BTreeMap<u32, BTreeMap<*const u32, &[u32]>> = BTreeMap::new();
    for (&pair, set) in &diagonals.pairs {
        let group = groups.entry(side(pair)).or_default();
        group.insert(set.as_ptr(), set);
    }
    let mut alike: BTreeMap<Vec<*const u32>, (Vec<&[u32]>, u32)> = BTreeMap::new();
    for group in groups.into_values() {
        let (places, sets) = group.into_iter().unzip();
        alike.entry(places).or_insert((sets, 0)).1 += 1;
    }
    let mut unions: BTreeMap<Vec<u32>, u32> = BTreeMap::new();
    for (sets, count) in alike.into_values() {
        let mut union = NumberSet::default();
        let all = || sets.iter().copied().flatten();
        let bound = all().max().map_or(1, |largest| largest + 1);
        all().for_each(|&k| union.insert(k, bound));
        *unions.entry(union.finish()).or_insert(0) += count;
    }
    unions
}

/// A set of numbers below a bound, which is cleared in constant time.
struct Marks {
    epoch: u32,
    seen: Vec<u32>,
    count: u32,
}

impl Marks {
    fn new(bound: u32) -> Self {
        Self {
            epoch: 1,
            seen: vec![0; bound as usize],
            count: 0,
        }
    }

    fn clear(&mut self) {
        self.epoch += 1;
        self.count = 0;
    }

    /// Marks a number, and returns whether it was not marked before.
    fn mark(&mut self, k: u32) -> bool {
        let seen = &mut self.seen[k as usize];
        let is_new = *seen != self.epoch;
        *seen = self.epoch;
        self.count += u32::from(is_new);
        is_new
    }
}

/// The candidates `(size, shift)`, in ascending order of size.
fn candidates(period: u32, input: &Layout, output: &Layout) -> BTreeSet<(u32, u32)> {
    let powers = (0..=period.ilog2()).map(|j| 1 << j);
    let natural = [input, output].into_iter().flat_map(|layout| {
        let parts = *layout.parts();
        [1, 2, 4, 8]
            .into_iter()
            .flat_map(move |m| [parts.pitch.saturating_mul(m), parts.plane.saturating_mul(m)])
    });
    powers
        .chain(natural.filter(|&n| n <= period))
        .flat_map(|size| [(size, 0), (size, size / 2)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn baby_and_giant_add_up(log in 0..12u32, size in 1..4096u32, half in any::<bool>(), k in 0..4096u32) {
            let period = 1 << log;
            let size = size.min(period);
            let split = Split { period, size, shift: if half { size / 2 } else { 0 } };
            let (baby, giant) = split.steps(k % period);
            prop_assert!(baby < period && giant < period);
            prop_assert_eq!((baby + giant) % period, k % period);
        }
    }
}
