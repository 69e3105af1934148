//! The polynomial that takes the wraps out of a raised message: `exp(2 pi i u)` for `u = I + m / q_0`, then its sine.
//!
//! 1. The argument is `y = u / K'` with `K' = K + 2^-ratio`, so that `|y| <= 1`. A polynomial in `W_k(i y) = i^k T_k(y)` approximates
//!    `exp(2 pi i K' y / 2^r)`: an imaginary argument, so all its coefficients are real.
//! 2. `r` squarings give `z = exp(2 pi i u) = exp(2 pi i m / q_0)`.
//! 3. With `theta = 2 pi m / q_0`: `a_1 sin theta + a_2 sin 2 theta` is linear in `theta` to third order for the right `a_1`, `a_2`,
//!    and is the imaginary part of `a_2 (z - b)^2` up to a constant for `b = -a_1 / (2 a_2)`: one more squaring.
//!
//! The coefficients are a least-squares fit on the stretches of length `2^(1 - ratio)` around the integers, weighted by how often each
//! `I` falls: a rare one may be approximated worse, as far as the asked bits allow.
//!
//! # References
//! - \[CHKKS18\] Cheon, Han, Kim, Kim, Song, *Bootstrapping for approximate homomorphic encryption*. <https://eprint.iacr.org/2018/153>
//! - \[BMTH21\] Bossuat, Mouchet, Troncoso-Pastoriza, Hubaux, *Efficient bootstrapping for approximate homomorphic encryption with
//!   non-sparse keys*. <https://eprint.iacr.org/2020/1203>

use super::least_squares::least_squares;
use std::f64::consts::{PI, TAU};

/// What is to be approximated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Domain {
    /// The largest wrap `|I|`.
    pub wraps: u32,
    /// Bits by which messages are below `q_0`.
    pub ratio_bits: f64,
}

impl Domain {
    /// `K'`: the largest `|u|`.
    pub fn bound(&self) -> f64 {
        f64::from(self.wraps) + self.message()
    }

    /// The largest message as a share of `q_0`.
    pub fn message(&self) -> f64 {
        (-self.ratio_bits).exp2()
    }
}

/// A polynomial, its squarings and its correction.
#[derive(Clone, Debug, PartialEq)]
pub struct Exponential {
    /// What it is for.
    pub domain: Domain,
    /// How often its value is squared before the correction.
    pub squarings: u32,
    /// Coefficients on `W_0, W_1, ...`.
    pub coefficients: Vec<f64>,
    /// `a_1` and `a_2`.
    pub correction: [f64; 2],
}

/// Points on each stretch around an integer.
const POINTS: usize = 9;

impl Exponential {
    /// The fit of a degree, with `weight` for each wrap.
    pub fn fit(domain: Domain, degree: usize, squarings: u32, weight: impl Fn(u32) -> f64) -> Self {
        let bound = domain.bound();
        let angle = TAU * bound / f64::from(squarings).exp2();
        let weights: Vec<f64> = (0..=domain.wraps).map(weight).collect();
        let weight = |wrap: u32| weights.get(wrap as usize).copied().unwrap_or(0.0);
        let points: Vec<(f64, f64)> = domain
            .points()
            .map(|(wrap, u)| (weight(wrap.unsigned_abs()), u / bound))
            .collect();
        let mut coefficients = vec![0.0; degree + 1];
        // The cosine is even and the sine is odd, so their coefficients do not meet.
        for parity in 0..2 {
            let places: Vec<usize> = (parity..=degree).step_by(2).collect();
            let row = |&(w, y): &(f64, f64)| places.iter().map(|&n| w * chebyshev(n, y)).collect();
            let target = |&(w, y): &(f64, f64)| match parity {
                0 => w * (angle * y).cos(),
                _ => w * (angle * y).sin(),
            };
            let found = least_squares(
                points.iter().map(row).collect(),
                points.iter().map(target).collect(),
            );
            for (&n, x) in places.iter().zip(found) {
                // W_n = i^n T_n: cos y and i sin y have real coefficients on it, with the sign of i^n or of i^(n - 1).
                coefficients[n] = if n / 2 % 2 == 0 { x } else { -x };
            }
        }
        Self {
            domain,
            squarings,
            coefficients,
            correction: domain.correction(),
        }
    }

    /// What the plaintext computation gives for `u = I + m / q_0`, as a share of `q_0`: `m / q_0` but for its error.
    pub fn value(&self, u: f64) -> f64 {
        let y = u / self.domain.bound();
        let (mut re, mut im) = (0.0, 0.0);
        for (n, x) in self.coefficients.iter().enumerate() {
            let term = x * chebyshev(n, y);
            match n % 4 {
                0 => re += term,
                1 => im += term,
                2 => re -= term,
                _ => im -= term,
            }
        }
        for _ in 0..self.squarings {
            (re, im) = (re * re - im * im, 2.0 * re * im);
        }
        let [a1, a2] = self.correction;
        (a1 * im + a2 * 2.0 * re * im) / TAU
    }

    /// The largest error for messages that wrap by `wrap`, as a share of the largest message.
    pub fn error(&self, wrap: u32) -> f64 {
        let (wrap, size) = (f64::from(wrap), self.domain.message());
        let errors = stretch(wrap, size).flat_map(|u| {
            let signed = [(u, u - wrap), (-u, wrap - u)];
            signed.map(|(u, m)| (self.value(u) - m).abs() / size)
        });
        errors.fold(0.0, f64::max)
    }
}

impl Domain {
    /// Points with their wraps.
    fn points(&self) -> impl Iterator<Item = (i32, f64)> + use<> {
        let (k, size) = (self.wraps as i32, self.message());
        (-k..=k).flat_map(move |wrap| stretch(f64::from(wrap), size).map(move |u| (wrap, u)))
    }

    /// `a_1` and `a_2`: `a_1 sin theta + a_2 sin 2 theta` is closest to `theta` for all messages.
    fn correction(&self) -> [f64; 2] {
        let angles: Vec<f64> = (0..64)
            .map(|j| TAU * self.message() * (PI * (f64::from(j) + 0.5) / 64.0).cos())
            .collect();
        let rows = angles
            .iter()
            .map(|t| vec![t.sin(), (2.0 * t).sin()])
            .collect();
        match least_squares(rows, angles)[..] {
            [a1, a2] => [a1, a2],
            _ => [1.0, 0.0],
        }
    }
}

/// Chebyshev points of the stretch around an integer.
fn stretch(centre: f64, size: f64) -> impl Iterator<Item = f64> {
    (0..POINTS).map(move |j| centre + size * (PI * (j as f64 + 0.5) / POINTS as f64).cos())
}

/// `T_n(y)`, for `|y| <= 1` up to rounding.
fn chebyshev(n: usize, y: f64) -> f64 {
    (n as f64 * y.clamp(-1.0, 1.0).acos()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: Domain = Domain {
        wraps: 15,
        ratio_bits: 5.0,
    };

    /// log2 of the largest error over these wraps.
    fn bits(fit: &Exponential, wraps: std::ops::RangeInclusive<u32>) -> f64 {
        wraps.map(|wrap| fit.error(wrap)).fold(0.0, f64::max).log2()
    }

    /// The figures of the trial: what weights buy for small wraps, they cost for large ones.
    #[test]
    fn fits_have_the_errors_of_the_trial() {
        let uniform = Exponential::fit(DOMAIN, 15, 4, |_| 1.0);
        assert!(
            (bits(&uniform, 0..=15) + 12.9).abs() < 0.3,
            "{}",
            bits(&uniform, 0..=15)
        );
        let falling = Exponential::fit(DOMAIN, 15, 4, |i| 4f64.powi(-(i as i32 - 8).max(0)));
        let found = [
            bits(&falling, 0..=8),
            bits(&falling, 9..=11),
            bits(&falling, 12..=15),
        ];
        let expected = [-17.5, -12.9, -4.4];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 0.4, "{found:.1}, not {expected}");
        }
        let squared = Exponential::fit(DOMAIN, 15, 5, |_| 1.0);
        assert!(
            (bits(&squared, 0..=15) + 18.3).abs() < 0.4,
            "{}",
            bits(&squared, 0..=15)
        );
    }

    #[test]
    fn what_limits_a_good_fit_is_the_correction() {
        // Odd, so the error of a message is of fifth order: five bits for each bit of the ratio, one of which is the message's own.
        let error = |ratio_bits| {
            let domain = Domain {
                wraps: 2,
                ratio_bits,
            };
            bits(&Exponential::fit(domain, 23, 3, |_| 1.0), 0..=2)
        };
        let (five, six) = (error(5.0), error(6.0));
        assert!((3.5..4.5).contains(&(five - six)), "{five:.1} {six:.1}");
    }
}
