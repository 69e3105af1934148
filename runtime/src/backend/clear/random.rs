//! Reproducible normal numbers for simulated noise, which are of no use to cryptography.
//!
//! A normal number is a sum of eight uniform ones, of which two words hold four each. Such a sum ends at 4.9 standard deviations,
//! which is of no account where errors are sums of many.

use crate::splitmix::{GOLDEN, SplitMix, mix};

/// A reproducible stream of normal numbers.
#[derive(Clone, Debug)]
pub(super) struct Normal {
    uniform: SplitMix,
}

/// The number of uniform parts of a normal number, of 16 bits each.
const PARTS: f64 = 8.0;
/// The largest value of a part.
const LARGEST: f64 = 65535.0;
/// A mask for every other part of a word.
const EVEN: u64 = 0x0000_ffff_0000_ffff;

impl Normal {
    /// The stream number `stream` of a seed, for one of several images.
    pub(super) fn new(seed: u64, image: u64, stream: u64) -> Self {
        let state = mix(seed ^ mix(image)) ^ mix(stream.wrapping_add(GOLDEN));
        Self {
            uniform: SplitMix::new(state),
        }
    }

    /// The next normal number, of standard deviation 1.
    pub(super) fn next(&mut self) -> f64 {
        let pairs = |word: u64| (word & EVEN) + (word >> 16 & EVEN);
        let fours = pairs(self.word()) + pairs(self.word());
        let sum = (fours & 0xffff_ffff) + (fours >> 32);
        // A part takes LARGEST + 1 values, all as likely.
        let deviation = (PARTS * (LARGEST * (LARGEST + 2.0)) / 12.0).sqrt();
        (sum as f64 - PARTS * LARGEST / 2.0) / deviation
    }

    /// The sum of `terms` independent uniform numbers on `[-1/2, 1/2]`; of many a normal number.
    pub(super) fn uniform_sum(&mut self, terms: u32) -> f64 {
        const FEW: u32 = 256;
        if terms > FEW {
            return self.next() * (f64::from(terms) / 12.0).sqrt();
        }
        (0..terms).map(|_| self.uniform.uniform() - 0.5).sum()
    }

    /// 64 uniform bits.
    pub(super) fn word(&mut self) -> u64 {
        self.uniform.word()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_deviation_are_those_of_a_normal_number() {
        let mut normal = Normal::new(7, 0, 3);
        let draws: Vec<f64> = (0..100_000).map(|_| normal.next()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.02, "{mean}");
        assert!((variance - 1.0).abs() < 0.02, "{variance}");
        let beyond = |x: f64| draws.iter().filter(|y| y.abs() > x).count();
        // Of a normal number 4.55 % and 0.27 %; a sum of eight has fewer of the largest.
        assert!((4300..4800).contains(&beyond(2.0)), "{}", beyond(2.0));
        assert!((130..300).contains(&beyond(3.0)), "{}", beyond(3.0));
    }
}
