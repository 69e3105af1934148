//! Rounding of encoded coefficients, at random.
//!
//! Rounding to the nearest integer commutes with automorphisms: plaintexts that are rotations of each other, like the weights of a mean
//! over pixels, would have errors that are rotations of each other, and a sum over them would add these up in step with the values
//! (10 times the noise, in a ConvMixer's last layer). Rounded up or down in proportion, a coefficient is right on average whatever it is
//! and errors have nothing to do with each other; their variance is twice as large.
//!
//! Equal slots are rounded alike, so that a plaintext is the same whoever encodes it, and when.

use super::Complex64;
use crate::splitmix::{GOLDEN, SplitMix, mix};

/// The randomness by which the coefficients of one plaintext are rounded.
#[derive(Debug, Default)]
pub(super) struct Rounding {
    seed: u64,
    /// The number of slots seen.
    slots: u64,
}

impl Rounding {
    /// Takes the next slot into the seed, in which slots of 0 count as if they were missing.
    pub(super) fn slot(&mut self, slot: Complex64) {
        let place = self.slots.wrapping_mul(GOLDEN);
        for (part, turn) in [(slot.re, 0), (slot.im, 1)] {
            if part != 0.0 {
                let word = mix(part.to_bits().rotate_left(turn) ^ place);
                self.seed = self.seed.wrapping_add(word);
            }
        }
        self.slots += 1;
    }

    /// Rounds coefficients to one of the two next integers each; an integer stays what it is.
    pub(super) fn round(self, coefficients: &mut [f64]) {
        let mut random = SplitMix::new(self.seed);
        for x in coefficients {
            let below = x.floor();
            let up = *x - below > random.uniform();
            *x = below + f64::from(u8::from(up));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(slot: f64, coefficients: &[f64]) -> Vec<f64> {
        let mut rounding = Rounding::default();
        rounding.slot(slot.into());
        let mut rounded = coefficients.to_vec();
        rounding.round(&mut rounded);
        rounded
    }

    #[test]
    fn coefficients_are_right_on_average_and_integers_stay() {
        for x in [0.001, -0.25, 0.5, 2.125, -1e6 + 0.75] {
            let found = rounded(1.0, &vec![x; 1 << 16]);
            assert!(found.iter().all(|y| (y - x).abs() < 1.0), "{x}");
            let mean = found.iter().sum::<f64>() / found.len() as f64;
            assert!((mean - x).abs() < 0.01, "{x}: {mean}");
        }
        let integers = [-3.0, 0.0, 1e15];
        assert_eq!(rounded(1.0, &integers), integers);
    }

    #[test]
    fn slots_decide_how_coefficients_are_rounded() {
        let halves = vec![0.5; 1 << 12];
        assert_eq!(rounded(1.0, &halves), rounded(1.0, &halves));
        let [one, other] = [1.0, -1.0].map(|slot| rounded(slot, &halves));
        let equal = one.iter().zip(&other).filter(|(a, b)| a == b).count();
        assert!((1900..2200).contains(&equal), "{equal}");
    }
}
