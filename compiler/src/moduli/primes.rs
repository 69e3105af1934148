//! Primes for the number-theoretic transforms of a ring.

use peregrine_ir::RingTable;
use std::collections::BTreeSet;

/// log2 below which primes stay: the fast transforms need primes below 2^50.
pub(crate) const MAX_PRIME_BITS: f64 = 49.95;
/// Bits by which primes may be shorter than asked for.
pub(crate) const TOLERANCE_BITS: f64 = 0.1;

const SMALL_PRIMES: [u64; 14] = [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47];

/// The `count` largest primes of at most `bits` bits for transforms of degree `2^log_n`, descending; `None` when there are
/// fewer.
pub fn largest_primes(log_n: u32, bits: f64, count: usize) -> Option<Vec<u64>> {
    let mut primes = PrimeSource::new(log_n);
    (0..count).map(|_| primes.below(bits)).collect()
}

/// Hands out distinct primes that are 1 modulo `step`.
pub(crate) struct PrimeSource {
    step: u64,
    used: BTreeSet<u64>,
}

impl PrimeSource {
    /// A source of primes for rings of degree `2^log_n`.
    pub(crate) fn new(log_n: u32) -> Self {
        Self {
            step: 2u64 << log_n,
            used: BTreeSet::new(),
        }
    }

    /// The largest unused prime of at most `bits` bits.
    pub(crate) fn below(&mut self, bits: f64) -> Option<u64> {
        let top = bits.exp2() as u64;
        let mut candidate = top.checked_sub(2)? / self.step * self.step + 1;
        while candidate > self.step {
            if self.take(candidate) {
                return Some(candidate);
            }
            candidate -= self.step;
        }
        None
    }

    /// The unused prime nearest to `2^bits`, of those that are shorter by less than [`TOLERANCE_BITS`].
    pub(crate) fn near(&mut self, bits: f64) -> Option<u64> {
        if bits > MAX_PRIME_BITS - TOLERANCE_BITS {
            return self.below(MAX_PRIME_BITS);
        }
        let center = bits.exp2() as u64 / self.step * self.step + 1;
        let shortest = (bits - TOLERANCE_BITS).exp2() as u64;
        for distance in (0..RingTable::MAX_PRIME).step_by(usize::try_from(self.step).ok()?) {
            // Above first, then below.
            let above = center + distance;
            if above >= RingTable::MAX_PRIME {
                return None;
            }
            if self.take(above) {
                return Some(above);
            }
            let below = center.saturating_sub(distance + self.step);
            if below >= shortest && self.take(below) {
                return Some(below);
            }
        }
        None
    }

    /// Marks a prime as used.
    pub(crate) fn reserve(&mut self, prime: u64) {
        self.used.insert(prime);
    }

    fn take(&mut self, candidate: u64) -> bool {
        // Small factors are found sooner than the test finds that there are some.
        let divided = |&small: &u64| candidate.is_multiple_of(small) && candidate > small;
        candidate % self.step == 1
            && !SMALL_PRIMES.iter().any(divided)
            && !self.used.contains(&candidate)
            && primal_check::miller_rabin(candidate)
            && self.used.insert(candidate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_primes_come_first() {
        let primes = largest_primes(13, 50.0, 4).unwrap();
        let order = 1 << 14;
        let is_suitable = |&p: &u64| p % order == 1 && primal_check::miller_rabin(p);
        let all = (RingTable::MAX_PRIME - 200 * order..RingTable::MAX_PRIME).filter(is_suitable);
        assert_eq!(primes, all.rev().take(4).collect::<Vec<_>>());
        assert_eq!(largest_primes(13, 14.0, 1), None);
    }
}
