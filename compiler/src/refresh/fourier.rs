//! The matrices between slots and coefficients, as products of groups of butterfly stages.
//!
//! For a polynomial of degree below `2 n`, `c_t = a_t + i a_(t + n)`, and `zeta = exp(i pi / (2 n))`, slot `j` is
//!
//! ```text
//! z_j = sum over t of c_t zeta^(5^j t)
//! ```
//!
//! With the coefficients in bit-reversed order this is a product of `log2 n` stages. Stage `l` works on blocks of `2^l` slots: for
//! `j < h = 2^(l - 1)` and `w_j = exp(2 pi i 5^j / 2^(l + 2))`
//!
//! ```text
//! z_j = x_j + w_j x_(j + h)      z_(j + h) = x_j - w_j x_(j + h)
//! ```
//!
//! so a stage has three diagonals, at 0, `h` and `-h`, that repeat with the block; the topmost one has two. `g` stages in a row make a
//! group of `2^(g + 1) - 1` diagonals at multiples of the least `h`, which repeat with the largest block.
//!
//! # References
//! - \[CHH18\] Chen, Chillotti, Song, *Improved bootstrapping for approximate homomorphic encryption*.
//!   <https://eprint.iacr.org/2018/1043>
//! - \[HHC19\] Han, Hhan, Cheon, *Improved homomorphic discrete Fourier transforms and FHE bootstrapping*.
//!   <https://ieeexplore.ieee.org/document/8701678>

use num_complex::Complex64;
use std::collections::BTreeMap;
use std::f64::consts::TAU;

/// Which way a matrix goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From bit-reversed coefficients to slots.
    ToSlots,
    /// From slots to bit-reversed coefficients.
    ToCoefficients,
}

/// The generalized diagonals of a matrix: `y_t` is the sum over `k` of `diagonal_k[t mod period] x_(t + k)`, indices modulo the slots.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagonals {
    /// log2 of the slots.
    pub log_slots: u32,
    /// After how many slots every diagonal repeats.
    pub period: usize,
    /// By rotation to the left, `0 .. slots`.
    pub by_rotation: BTreeMap<usize, Vec<Complex64>>,
}

impl Diagonals {
    /// Stages `from ..= to` of so many slots, the first one first on the way to slots, last on the way back.
    pub fn group(direction: Direction, log_slots: u32, (from, to): (u32, u32)) -> Self {
        let stage = |l| Self::stage(direction, log_slots, l);
        let mut stages: Vec<Self> = (from..=to).map(stage).collect();
        if direction == Direction::ToCoefficients {
            stages.reverse();
        }
        let one = Self::identity(log_slots);
        stages
            .iter()
            .fold(one, |product, stage| stage.after(&product))
    }

    /// For reals that repeat with `2 slots`: what takes them to complex numbers that repeat with `slots`, the reals of the second half of a
    /// period as imaginary parts of the first.
    pub fn folding(log_slots: u32) -> Self {
        let slots = 1 << log_slots;
        let (one, i) = (Complex64::ONE, Complex64::I);
        let halves = |low, high| [vec![low; slots], vec![high; slots]].concat();
        Self {
            log_slots: log_slots + 1,
            period: 2 * slots,
            by_rotation: [(0, halves(one, i)), (slots, halves(i, one))].into(),
        }
    }

    /// The way back from [`Self::folding`], but for the imaginary parts of its results, which are of no use.
    pub fn unfolding(log_slots: u32) -> Self {
        let slots = 1 << log_slots;
        let halves = [vec![Complex64::ONE; slots], vec![-Complex64::I; slots]];
        Self {
            log_slots: log_slots + 1,
            period: 2 * slots,
            by_rotation: [(0, halves.concat())].into(),
        }
    }

    fn identity(log_slots: u32) -> Self {
        Self {
            log_slots,
            period: 1,
            by_rotation: [(0, vec![Complex64::ONE])].into(),
        }
    }

    fn stage(direction: Direction, log_slots: u32, l: u32) -> Self {
        let (slots, block, half) = (1usize << log_slots, 1usize << l, 1usize << (l - 1));
        let mut power = 1;
        let roots: Vec<Complex64> = (0..half)
            .map(|_| {
                let root = Complex64::cis(TAU * power as f64 / (4 * block) as f64);
                power = power * 5 % (4 * block);
                root
            })
            .collect();
        // Of the lower half of a block, and of the upper one.
        let joined = |low: &dyn Fn(Complex64) -> Complex64,
                      high: &dyn Fn(Complex64) -> Complex64| {
            let low: Vec<Complex64> = roots.iter().map(|&w| low(w)).collect();
            let high = roots.iter().map(|&w| high(w));
            low.iter().copied().chain(high).collect::<Vec<_>>()
        };
        let (one, zero, half_of_one) = (Complex64::ONE, Complex64::ZERO, Complex64::from(0.5));
        let (same, ahead, behind) = match direction {
            Direction::ToSlots => (
                joined(&|_| one, &|w| -w),
                joined(&|w| w, &|_| zero),
                joined(&|_| zero, &|_| one),
            ),
            Direction::ToCoefficients => (
                joined(&|_| half_of_one, &|w| -half_of_one * w.conj()),
                joined(&|_| half_of_one, &|_| zero),
                joined(&|_| zero, &|w| half_of_one * w.conj()),
            ),
        };
        let mut stage = Self {
            log_slots,
            period: block,
            by_rotation: BTreeMap::new(),
        };
        for (rotation, diagonal) in [(0, same), (half, ahead), (slots - half, behind)] {
            stage.add(rotation, &diagonal);
        }
        stage
    }

    /// Adds a diagonal that repeats with the period.
    fn add(&mut self, rotation: usize, diagonal: &[Complex64]) {
        let slots = 1usize << self.log_slots;
        let zero = || vec![Complex64::ZERO; diagonal.len()];
        let known = self
            .by_rotation
            .entry(rotation % slots)
            .or_insert_with(zero);
        known.iter_mut().zip(diagonal).for_each(|(x, y)| *x += y);
    }

    /// The matrix that does what `first` does, and then this: for vectors that repeat with the larger number of slots of the two.
    pub fn after(&self, first: &Self) -> Self {
        let log_slots = self.log_slots.max(first.log_slots);
        let slots = 1usize << log_slots;
        let mut product = Self {
            log_slots,
            period: self.period.max(first.period),
            by_rotation: BTreeMap::new(),
        };
        for (&i, x) in &self.by_rotation {
            for (&j, y) in &first.by_rotation {
                let entry = |t: usize| x[t % self.period] * y[(t + i) % first.period];
                let diagonal: Vec<Complex64> = (0..product.period).map(entry).collect();
                product.add((i + j) % slots, &diagonal);
            }
        }
        // Stages of different blocks meet where one of the factors is 0 only.
        let empty = |diagonal: &[Complex64]| diagonal.iter().all(|z| *z == Complex64::ZERO);
        product.by_rotation.retain(|_, diagonal| !empty(diagonal));
        product
    }

    /// The matrix times a vector.
    pub fn times(&self, x: &[Complex64]) -> Vec<Complex64> {
        let slots = x.len();
        let at = |t: usize| {
            let terms = self.by_rotation.iter();
            let terms = terms.map(|(&k, diagonal)| diagonal[t % self.period] * x[(t + k) % slots]);
            terms.sum()
        };
        (0..slots).map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(slots: usize) -> Vec<Complex64> {
        (0..slots)
            .map(|t| Complex64::new((t as f64).sin(), (3.0 * t as f64).cos()))
            .collect()
    }

    fn largest(x: &[Complex64], y: &[Complex64]) -> f64 {
        let differences = x.iter().zip(y).map(|(x, y)| (x - y).norm());
        differences.fold(0.0, f64::max)
    }

    /// Slots of bit-reversed coefficients, from the definition.
    fn slots_of(coefficients: &[Complex64]) -> Vec<Complex64> {
        let n = coefficients.len();
        let bits = n.ilog2();
        let mut power = 1usize;
        (0..n)
            .map(|_| {
                let terms = (0..n).map(|t| {
                    let place = t.reverse_bits() >> (usize::BITS - bits);
                    let turn = (power * t) % (4 * n);
                    coefficients[place] * Complex64::cis(TAU * turn as f64 / (4 * n) as f64)
                });
                let slot = terms.sum();
                power = power * 5 % (4 * n);
                slot
            })
            .collect()
    }

    #[test]
    fn groups_together_are_the_transform_and_its_inverse() {
        for (log_slots, groups) in [
            (1, vec![1]),
            (4, vec![4]),
            (4, vec![1, 3]),
            (6, vec![2, 2, 2]),
            (7, vec![3, 3, 1]),
        ] {
            let x = vector(1 << log_slots);
            let mut at = 1;
            let ends: Vec<(u32, u32)> = groups
                .iter()
                .map(|g| {
                    let from = at;
                    at += g;
                    (from, at - 1)
                })
                .collect();
            let forward = ends.iter().fold(x.clone(), |x, &ends| {
                Diagonals::group(Direction::ToSlots, log_slots, ends).times(&x)
            });
            assert!(
                largest(&forward, &slots_of(&x)) < 1e-12,
                "{log_slots} {groups:?}"
            );
            let back = ends.iter().rev().fold(forward, |x, &ends| {
                Diagonals::group(Direction::ToCoefficients, log_slots, ends).times(&x)
            });
            assert!(largest(&back, &x) < 1e-13, "{log_slots} {groups:?}");
        }
    }

    #[test]
    fn what_folds_a_period_is_part_of_the_topmost_groups() {
        let (log_slots, slots) = (5, 32);
        let x: Vec<f64> = (0..2 * slots).map(|t| (t as f64).sin()).collect();
        let given: Vec<Complex64> = x.iter().map(|&x| x.into()).collect();
        let folded: Vec<Complex64> = (0..2 * slots)
            .map(|t| Complex64::new(x[t % slots], x[t % slots + slots]))
            .collect();
        let folding = Diagonals::folding(log_slots);
        assert_eq!(folding.times(&given), folded);
        let group = |direction, ends| Diagonals::group(direction, log_slots, ends);

        let top = group(Direction::ToSlots, (3, 5)).after(&folding);
        assert_eq!((top.by_rotation.len(), top.period), (16, 64));
        let lower = Diagonals::group(Direction::ToSlots, log_slots + 1, (1, 2));
        let found = top.times(&lower.times(&given));
        let expected = group(Direction::ToSlots, (1, 5)).times(&folded);
        assert!(largest(&found, &expected) < 1e-13);

        let top = group(Direction::ToCoefficients, (3, 5));
        let top = Diagonals::unfolding(log_slots).after(&top);
        assert_eq!((top.by_rotation.len(), top.period), (8, 64));
        let lower = Diagonals::group(Direction::ToCoefficients, log_slots + 1, (1, 2));
        let found = lower.times(&top.times(&expected));
        let reals = found.iter().zip(&x).map(|(y, x)| (y.re - x).abs());
        assert!(reals.fold(0.0, f64::max) < 1e-13);
    }

    #[test]
    fn a_group_has_few_diagonals_that_repeat() {
        for direction in [Direction::ToSlots, Direction::ToCoefficients] {
            let middle = Diagonals::group(direction, 9, (3, 5));
            assert_eq!((middle.by_rotation.len(), middle.period), (15, 32));
            assert!(middle.by_rotation.keys().all(|k| k % 4 == 0));
            let top = Diagonals::group(direction, 9, (7, 9));
            assert_eq!((top.by_rotation.len(), top.period), (8, 512));
        }
    }
}
