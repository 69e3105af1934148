//! Reproducible normal numbers for simulated noise; of no use to cryptography.
//!
//! SplitMix64 for uniform bits, Box and Muller's transform for pairs of normal numbers.
//!
//! # References
//! - \[SLF14\] Steele, Lea, Flood, *Fast Splittable Pseudorandom Number Generators*, OOPSLA 2014.

use std::f64::consts::TAU;

/// A stream of normal numbers.
#[derive(Clone, Debug)]
pub(super) struct Normal {
    state: u64,
    spare: Option<f64>,
}

impl Normal {
    /// Stream `stream` of a seed, for one of several images.
    pub(super) fn new(seed: u64, image: u64, stream: u64) -> Self {
        Self {
            state: mix(seed ^ mix(image)) ^ mix(stream.wrapping_add(GOLDEN)),
            spare: None,
        }
    }

    /// The next number, of standard deviation 1.
    pub(super) fn next(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * self.unit().ln()).sqrt();
        let (sin, cos) = (TAU * self.unit()).sin_cos();
        self.spare = Some(radius * sin);
        radius * cos
    }

    /// Uniform in (0, 1].
    fn unit(&mut self) -> f64 {
        self.state = self.state.wrapping_add(GOLDEN);
        ((mix(self.state) >> 11) + 1) as f64 / (1u64 << 53) as f64
    }
}

/// 2^64 over the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
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
    }
}
