//! Baby-step giant-step: `sum_k d_k * rot_k(x) = sum_g rot_g( sum_b rot_-g(d_{g+b}) * rot_b(x) )`.
//!
//! Baby rotations act on the inputs and share one decomposition per input ciphertext; giant rotations act on partial sums,
//! one key switch each, whose divisions by P one output ciphertext shares. A split is a size `n` and a shift `c`: `b = (k + c) mod n - c`, `g = k - b`. Neighbouring pixels
//! make natural baby steps and channel shifts natural giant steps, so the candidates contain the pitches and planes of
//! both layouts beside the powers of two; `c = n/2` keeps taps on both sides of a pixel in one group. The cheapest
//! split by [`LinearCost`] wins; ties go to the smaller size, so the choice is deterministic.

use super::diagonals::Diagonals;
use crate::cost::LinearCost;
use peregrine_ir::Layout;
use std::collections::BTreeSet;

/// A choice of baby and giant steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    /// Rotations repeat with this period (the input's block).
    pub period: u32,
    /// Baby steps lie in a window of this size.
    pub size: u32,
    /// How far the window reaches below zero.
    pub shift: u32,
    /// Predicted seconds.
    pub cost: f64,
}

impl Split {
    /// The cheapest split of `diagonals` from `input` to `output`.
    pub fn choose(
        diagonals: &Diagonals,
        input: &Layout,
        output: &Layout,
        cost: &LinearCost,
    ) -> Self {
        let period = if input.parts().skew == 0 {
            input.block()
        } else {
            input.slots()
        };
        let mut best: Option<Self> = None;
        for (size, shift) in candidates(period, input, output) {
            let mut split = Self {
                period,
                size,
                shift,
                cost: 0.0,
            };
            split.cost = split.price(diagonals, cost);
            if best.is_none_or(|b| split.cost < b.cost) {
                best = Some(split);
            }
        }
        best.unwrap_or(Self {
            period,
            size: period,
            shift: 0,
            cost: 0.0,
        })
    }

    /// Baby and giant step of rotation `k`, both in `0 .. period`.
    pub fn steps(&self, k: u32) -> (u32, u32) {
        let (period, size, shift) = (
            u64::from(self.period),
            u64::from(self.size),
            u64::from(self.shift),
        );
        let baby = ((u64::from(k) + shift) % size + period - shift % period) % period;
        let giant = (u64::from(k) + period - baby) % period;
        (baby as u32, giant as u32)
    }

    fn price(&self, diagonals: &Diagonals, cost: &LinearCost) -> f64 {
        let (mut babies, mut hoisted) = (BTreeSet::new(), BTreeSet::new());
        let (mut giants, mut summed) = (BTreeSet::new(), BTreeSet::new());
        for (o, i, k) in diagonals.iter() {
            let (baby, giant) = self.steps(k);
            if baby != 0 {
                babies.insert((i, baby));
                hoisted.insert(i);
            }
            if giant != 0 {
                giants.insert((o, giant));
                summed.insert(o);
            }
        }
        let steps = babies.iter().chain(&giants);
        let distinct: BTreeSet<u32> = steps.map(|&(_, rotation)| rotation).collect();
        cost.decompose * hoisted.len() as f64
            + cost.baby * babies.len() as f64
            + cost.giant * giants.len() as f64
            + cost.mod_down * summed.len() as f64
            + cost.key * distinct.len() as f64
            + cost.product * diagonals.products() as f64
    }
}

/// `(size, shift)` in ascending order of size.
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
            let split = Split { period, size, shift: if half { size / 2 } else { 0 }, cost: 0.0 };
            let (baby, giant) = split.steps(k % period);
            prop_assert!(baby < period && giant < period);
            prop_assert_eq!((baby + giant) % period, k % period);
        }
    }
}
