//! Noise for values that are given away.

use crate::ring::Randomness;

/// Noise flooding: normally distributed noise that hides the noise of the scheme, each number from 128 bits of its own.
///
/// They are doubles, not samples of the exact distribution: none exceeds 8.6 deviations, and the last bits of a sum are those
/// of a rounding. How large they must be is in `SECURITY.md`.
#[derive(Debug)]
pub struct Flood<'r> {
    /// The size of the noise: its standard deviation is `2^-bits`.
    pub bits: f64,
    /// Source of the noise.
    pub randomness: &'r mut Randomness,
}

impl Flood<'_> {
    /// A normal number, by Box and Muller's transform.
    pub(super) fn draw(&mut self) -> f64 {
        let bits = self.randomness.seed().0;
        let unit = |word: u64| ((word >> 11) + 1) as f64 / (1u64 << 53) as f64;
        let (radius, turn) = (unit(bits as u64), unit((bits >> 64) as u64));
        let normal = (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * turn).cos();
        normal * (-self.bits).exp2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floods_are_normal_with_the_deviation_asked_for() {
        for bits in [12.0, 0.5, -3.0] {
            let mut randomness = Randomness::from_seed_for_tests(1);
            let mut flood = Flood {
                bits,
                randomness: &mut randomness,
            };
            let draws: Vec<f64> = (0..1 << 16).map(|_| flood.draw() * bits.exp2()).collect();
            let mean =
                |f: fn(f64) -> f64| draws.iter().map(|&x| f(x)).sum::<f64>() / draws.len() as f64;
            // Four deviations of each estimate from what a normal distribution has.
            assert!(mean(|x| x).abs() < 0.016);
            assert!((mean(|x| x * x) - 1.0).abs() < 0.023);
            assert!((mean(|x| x.powi(4)) - 3.0).abs() < 0.16);
            assert!((mean(|x| f64::from(x.abs() < 1.0)) - 0.6827).abs() < 0.008);
            assert!((mean(|x| f64::from(x.abs() > 3.0)) - 0.0027).abs() < 0.0009);
        }
    }
}
