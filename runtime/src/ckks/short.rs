//! Slots that repeat: polynomials in a power of X, which are encoded in a smaller ring.
//!
//! Slots with a period of `p` are those of `a(X^r)` for a polynomial `a` of degree below `2 p` and `r = N / (2 p)`, whose own slots are the
//! first `p`. So the complex transform has `p` points, each prime takes a transform of degree `2 p`, and only these values are kept.
//! The other coefficients are 0, as they would be without.

use super::embedding::Embedding;
use super::{CkksError, Message, Plaintext};
use crate::ring::{Ring, RnsBasis};
use std::sync::OnceLock;

/// log2 of the smallest degree that is used; slots with a shorter period repeat in it.
const LEAST_LOG_N: u32 = 4;
/// log2 of the ratio by which degrees are smaller at least. A little shorter is little faster, and tables would be large.
pub(crate) const LEAST_LOG_RATIO: u32 = 4;

/// The smaller rings of one ring, each made when it is first needed.
#[derive(Default)]
pub(super) struct ShortRings {
    /// By log2 of the degree, from [`LEAST_LOG_N`].
    rings: [OnceLock<ShortRing>; 16],
}

/// A ring of smaller degree with the same primes.
pub(super) struct ShortRing {
    ring: Ring,
    pub(super) embedding: Embedding,
}

impl ShortRings {
    /// The smallest ring in which slots can be encoded, if they repeat soon enough.
    ///
    /// # Errors
    /// When that ring has no transforms, which its larger one has.
    pub(super) fn of<T: PartialEq>(
        &self,
        ring: &Ring,
        slots: &[T],
    ) -> Result<Option<&ShortRing>, CkksError> {
        let log_n = ring.log_n();
        if slots.len() != 1 << (log_n - 1) {
            return Ok(None);
        }
        let log_n_small = (period(slots).ilog2() + 1).max(LEAST_LOG_N);
        let place = self.rings.get((log_n_small - LEAST_LOG_N) as usize);
        let Some(place) = place.filter(|_| log_n_small + LEAST_LOG_RATIO <= log_n) else {
            return Ok(None);
        };
        if let Some(known) = place.get() {
            return Ok(Some(known));
        }
        // Not within the lock: what is made in parallel might wait for whoever waits for it.
        let made = ShortRing {
            ring: ring.of_degree(log_n_small)?,
            embedding: Embedding::new(1 << log_n_small),
        };
        Ok(Some(place.get_or_init(|| made)))
    }
}

impl ShortRing {
    /// The number of its slots.
    pub(super) fn slots(&self) -> usize {
        self.embedding.slots()
    }

    /// The plaintext of a message of this ring, modulo the primes of `basis`.
    pub(super) fn encoded(&self, message: &Message, basis: &RnsBasis) -> Plaintext {
        Plaintext::new(message.transformed(&self.ring, basis))
    }
}

/// After how many slots, a power of two, they repeat.
fn period<T: PartialEq>(slots: &[T]) -> usize {
    let mut part = slots;
    loop {
        let (low, high) = part.split_at(part.len() / 2);
        if low.is_empty() || low != high {
            return part.len();
        }
        part = low;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ckks::{Complex64, Encoder};
    use crate::testing::{Setup, toy_literal};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn slots_that_repeat_have_the_coefficients_of_all_slots(
            log_n in 4u32..12,
            log_period in 0u32..12,
            scale_bits in prop_oneof![20..50i32, 60..90i32],
            seed: u64,
            real: bool,
        ) {
            let log_period = log_period.min(log_n - 1);
            let s = Setup::new(toy_literal(log_n), &[], 0);
            let basis = s.params.row(4).unwrap();
            let (scale, period) = (f64::from(scale_bits).exp2(), 1 << log_period);
            let slots = s.slots(seed).into_iter().take(period).cycle();
            let slots: Vec<Complex64> = slots.take(1 << (log_n - 1)).map(|z| match real {
                true => Complex64::from(z.re),
                false => z,
            }).collect();
            let reals: Vec<f64> = slots.iter().map(|z| z.re).collect();
            let encoder = Encoder::new(&s.params);
            let found = match real {
                true => encoder.encode_real(&reals, scale, basis),
                false => encoder.encode(&slots, scale, basis),
            };
            let found = found.unwrap().poly(s.params.ring()).unwrap().to_coefficients(s.params.ring());
            let found = encoder.centred(&found).unwrap();
            let expected = Embedding::new(1 << log_n).coefficients(slots.into_iter(), scale);
            let largest = expected.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
            let ratio = 1usize << (log_n - 1 - log_period);
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                prop_assert!((found - expected).abs() <= 1.001 + largest * 1e-13, "{i}: {found} {expected}");
                prop_assert!(i % ratio == 0 || *found == 0.0, "{i} of {ratio}: {found}");
            }
        }
    }

    #[test]
    fn the_period_is_the_shortest_power_of_two() {
        assert_eq!(period(&[1, 2, 1, 2, 1, 2, 1, 2]), 2);
        assert_eq!(period(&[1, 2, 1, 2, 1, 2, 1, 3]), 8);
        assert_eq!(period(&[5; 16]), 1);
    }
}
