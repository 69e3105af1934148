//! Random verified circuits for property tests, here and in other crates (feature `testing`).
//!
//! A circuit is drawn from a list of numbers, each answering one question of the generator, so that shrinking the
//! list shrinks the circuit. Rings are toys (degree 8 to 64) with real primes; rows of levels are nested or not; all
//! operations, functions and calls, all kinds of operators, several ports, steps after decryption, expectations and odd names occur.

mod expectation;
mod finish;
mod inline;
mod program;
mod ring;
mod tables;

pub use inline::inlined;

use crate::circuit::Circuit;
use crate::ring::Security;
use crate::verify::{Verified, VerifyErrors, verify};
use proptest::prelude::*;

/// A strategy for random verified circuits. `steps` is the number of steps of the longest ones.
pub fn circuits(steps: usize) -> impl Strategy<Value = Verified> {
    choices(steps).prop_filter_map("the generator made a circuit that does not verify", |c| {
        circuit(&c).ok()
    })
}

/// A strategy for lists of numbers from which [`circuit`] draws circuits.
pub fn choices(steps: usize) -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(any::<u32>(), 0..=8 * steps + 40)
}

/// The circuit drawn from a list of numbers; zero answers every question after the last number.
///
/// # Errors
/// When the generator has a defect: its circuits should verify.
pub fn circuit(choices: &[u32]) -> Result<Verified, VerifyErrors> {
    let mut draw = Draw::new(choices);
    let ring = ring::ring(&mut draw);
    let name = *draw.pick(&["toy", "_", "Net_2", "resnet20"]);
    let mut circuit = Circuit::new(name, Security::None, ring);
    tables::fill(&mut draw, &mut circuit);
    verify(program::build(&mut draw, circuit))
}

/// Answers the questions of a generator from a list of numbers.
#[derive(Debug)]
pub struct Draw<'a> {
    rest: std::slice::Iter<'a, u32>,
}

impl<'a> Draw<'a> {
    /// Answers that are read from the front of a list of numbers.
    pub fn new(choices: &'a [u32]) -> Self {
        Self {
            rest: choices.iter(),
        }
    }

    /// Whether all numbers have been used.
    pub fn is_empty(&self) -> bool {
        self.rest.len() == 0
    }

    /// A number in `0 .. bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        let number = self.rest.next().copied().unwrap_or(0);
        number.checked_rem(bound).unwrap_or(0)
    }

    /// A number in `low ..= high`.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// `true` once in `in_how_many` times; `false` when all numbers have been used.
    pub fn sometimes(&mut self, in_how_many: u32) -> bool {
        !self.is_empty() && self.below(in_how_many) == in_how_many - 1
    }

    /// One of the items, which must not be empty.
    pub fn pick<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        let at = self.below(items.len() as u32) as usize;
        &items[at]
    }

    /// One of the items; `None` if there are none.
    pub fn pick_from<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        let at = self.below(items.len() as u32) as usize;
        items.get(at).cloned()
    }
}
