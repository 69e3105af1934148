//! The canonical embedding: slots to real coefficients and back, by one complex transform of N/2 points.
//!
//! Notation: `zeta = exp(i pi / N)`, `n = N/2`. With `c_t = a_t + i a_(t+n)`, and since `zeta^((4r+1) n) = i`,
//!
//! ```text
//! a(zeta^(4r+1)) = sum_(t<n) (c_t zeta^t) omega^(r t),    omega = exp(2 pi i / n),
//! ```
//!
//! and every `5^j mod 2N` is `4 r_j + 1` for one `r_j < n`: slot `j` is point `r_j` of the transform.

use rustfft::num_complex::Complex64;
use rustfft::{Fft, FftPlanner};
use std::f64::consts::PI;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use zeroize::Zeroize;

/// Tables for one degree.
pub(crate) struct Embedding {
    to_points: Arc<dyn Fft<f64>>,
    from_points: Arc<dyn Fft<f64>>,
    /// `zeta^t`.
    twists: Vec<Complex64>,
    /// `r_j`.
    points: Vec<u32>,
}

impl Embedding {
    pub(crate) fn new(degree: usize) -> Self {
        let slots = degree / 2;
        let mut planner = FftPlanner::new();
        let twists = (0..slots)
            .map(|t| Complex64::cis(PI * t as f64 / degree as f64))
            .collect();
        let power = |&g: &usize| Some(g * 5 % (2 * degree));
        let points = std::iter::successors(Some(1), power)
            .take(slots)
            .map(|g| (g / 4) as u32)
            .collect();
        let (to_points, from_points) = (
            planner.plan_fft_inverse(slots),
            planner.plan_fft_forward(slots),
        );
        Self {
            to_points,
            from_points,
            twists,
            points,
        }
    }

    pub(super) fn slots(&self) -> usize {
        self.points.len()
    }

    /// N real coefficients whose values are `factor` times the slots; slots beyond those given are 0.
    pub(crate) fn coefficients(
        &self,
        slots: impl Iterator<Item = Complex64>,
        factor: f64,
    ) -> Vec<f64> {
        let n = self.slots();
        let mut values = vec![Complex64::ZERO; n];
        for (&point, slot) in self.points.iter().zip(slots) {
            values[point as usize] = slot;
        }
        self.from_points.process(&mut values);
        let factor = factor / n as f64;
        let mut out = vec![0.0; 2 * n];
        let (low, high) = out.split_at_mut(n);
        for (((value, twist), low), high) in values.iter().zip(&self.twists).zip(low).zip(high) {
            let c = value * twist.conj() * factor;
            (*low, *high) = (c.re, c.im);
        }
        out
    }

    /// The slots of a polynomial with N real coefficients, times `factor`. No copy of them stays behind.
    pub(crate) fn values(&self, coefficients: &[f64], factor: f64) -> Slots {
        let (low, high) = coefficients.split_at(self.slots());
        let twisted = low
            .iter()
            .zip(high)
            .zip(&self.twists)
            .map(|((&re, &im), twist)| Complex64::new(re, im) * twist * factor);
        let mut values = Slots(twisted.collect());
        let scratch = self.to_points.get_inplace_scratch_len();
        let mut scratch = Slots(vec![Complex64::ZERO; scratch]);
        self.to_points
            .process_with_scratch(&mut values.0, &mut scratch.0);
        let points = self.points.iter();
        Slots(points.map(|&point| values[point as usize]).collect())
    }
}

/// Decrypted values of slots, with their noise, which tells the secret. Wiped when dropped.
#[derive(Clone, PartialEq)]
pub struct Slots(Vec<Complex64>);

impl Deref for Slots {
    type Target = [Complex64];

    fn deref(&self) -> &[Complex64] {
        &self.0
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        for slot in &mut self.0 {
            slot.re.zeroize();
            slot.im.zeroize();
        }
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slots({} values)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_the_values_at_powers_of_five() {
        let degree = 16;
        let embedding = Embedding::new(degree);
        let coefficients: Vec<f64> = (0..degree).map(|t| (t * t % 7) as f64 - 3.0).collect();
        let values = embedding.values(&coefficients, 1.0);
        let mut exponent = 1;
        for value in values.iter() {
            let root = |t: usize| Complex64::cis(PI * (t * exponent) as f64 / degree as f64);
            let expected: Complex64 = coefficients
                .iter()
                .enumerate()
                .map(|(t, &c)| c * root(t))
                .sum();
            assert!((value - expected).norm() < 1e-12);
            exponent = exponent * 5 % (2 * degree);
        }
        let back = embedding.coefficients(values.iter().copied(), 1.0);
        assert!(
            back.iter()
                .zip(&coefficients)
                .all(|(a, b)| (a - b).abs() < 1e-13)
        );
    }
}
