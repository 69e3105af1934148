//! Predicted noise of each primitive: pure formulas, for the compiler's precision reports and the simulator's noise.
//!
//! Notation: N the ring degree; `s` a dense ternary secret, each coefficient of variance 2/3; `sigma^2 = 10.5` the variance of the
//! coefficients of error polynomials, sums of 21 fair bits minus sums of 21 others.
//!
//! Every result is the root mean square, over slots, of the modulus of the complex error, in absolute units: divide by the scale of
//! the value for the error of the message. The real part alone has `1 / sqrt(2)` of it. An error polynomial with independent
//! coefficients of variance `v` takes values of mean square `N v` in the slots; a product of polynomials is a product slot by
//! slot, and the mean square of `s` in the slots is `2N/3`, that of `s^2` twice its square, `2 (2N/3)^2`, because values of `s` are
//! close to complex Gaussian. Errors of different origin are independent, so their squares add.
//!
//! # References
//! - \[CCHMOP22\] Costache, Curtis, Hales, Murphy, Ogilvie, Player, *On the precision loss in approximate homomorphic
//!   encryption*. <https://eprint.iacr.org/2022/162>

/// Variance of a coefficient of an error polynomial.
pub const ERROR_VARIANCE: f64 = 10.5;

/// Variance of a coefficient of a dense ternary secret.
pub const SECRET_VARIANCE: f64 = 2.0 / 3.0;

/// Variance of the error of rounding to the nearest integer.
const ROUNDING_VARIANCE: f64 = 1.0 / 12.0;

/// Variance of the error of rounding up or down at random, in proportion to what is left: `f (1 - f)` for a uniform rest `f`.
const RANDOM_ROUNDING_VARIANCE: f64 = 1.0 / 6.0;

/// The noise of the primitives at one ring degree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoiseModel {
    /// log2 of the ring degree N.
    pub log_n: u32,
}

/// A value as the noise model sees it: root mean squares over slots, in absolute units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signal {
    /// Root mean square of the exact value times its scale.
    pub message: f64,
    /// Root mean square of the error.
    pub error: f64,
}

/// Root of the sum of squares of deviations: the deviation of a sum of independent errors.
pub fn combine(deviations: impl IntoIterator<Item = f64>) -> f64 {
    deviations.into_iter().map(|x| x * x).sum::<f64>().sqrt()
}

impl NoiseModel {
    fn degree(self) -> f64 {
        f64::from(self.log_n).exp2()
    }

    /// Root mean square in the slots of a polynomial with independent coefficients of a variance.
    fn slots_of(self, variance: f64) -> f64 {
        (self.degree() * variance).sqrt()
    }

    /// Noise of a fresh symmetric encryption: in `c0 + c1 s = m + e` only `e` remains. Its square is `N sigma^2`.
    pub fn fresh(self) -> f64 {
        self.slots_of(ERROR_VARIANCE)
    }

    /// Noise of encoding a plaintext, whose coefficients are rounded at random. Its square is `N / 6`. The coefficients of real slots
    /// come in pairs that are rounded alike, so that their error is real: all of it is in the real part.
    pub fn encoding(self) -> f64 {
        self.slots_of(RANDOM_ROUNDING_VARIANCE)
    }

    /// Noise of dividing a ciphertext of 2 or 3 parts (`rescale`, `mod_down`): each part is off by `r_i`, uniform in `[-1/2,
    /// 1/2]`, and the phase by `r_0 + r_1 s (+ r_2 s^2)`. Its square is `N/12 (1 + 2N/3 (+ 2 (2N/3)^2))`.
    pub fn division(self, parts: usize) -> f64 {
        let secret = self.degree() * SECRET_VARIANCE;
        let squared = if parts > 2 {
            2.0 * secret * secret
        } else {
            0.0
        };
        self.slots_of(ROUNDING_VARIANCE) * (1.0 + secret + squared).sqrt()
    }

    /// Noise of the inner product of a key switch after division by P, without rounding: `sum_d c_d e_d / P` with `c_d` uniform
    /// in `[-D_d/2, D_d/2]`, so of variance `D_d^2 / 12`. Its square is `sum_d N (D_d^2 / 12) N sigma^2 / P^2`.
    ///
    /// `digit_bits` has log2 of the product of each digit's primes at the level, `special_bits` is log2 P.
    pub fn key_product(self, digit_bits: &[f64], special_bits: f64) -> f64 {
        let digits = combine(digit_bits.iter().map(|bits| (bits - special_bits).exp2()));
        self.fresh() * self.slots_of(ROUNDING_VARIANCE) * digits
    }

    /// Noise of a whole key switch: of the inner product, and of rounding in the division by P.
    pub fn key_switch(self, digit_bits: &[f64], special_bits: f64) -> f64 {
        combine([self.key_product(digit_bits, special_bits), self.division(2)])
    }

    /// Error of a rescaled ciphertext of `parts` parts, from its `error` before and `ratio = Q_l' / Q_l`: the error shrinks with
    /// the message, rounding is added.
    pub fn rescale(self, error: f64, ratio: f64, parts: usize) -> f64 {
        combine([error * ratio, self.division(parts)])
    }
}

impl Signal {
    /// A value without error.
    pub fn exact(message: f64) -> Self {
        Self {
            message,
            error: 0.0,
        }
    }

    /// A sum of values with independent errors and messages.
    pub fn sum(terms: &[Self]) -> Self {
        Self {
            message: combine(terms.iter().map(|t| t.message)),
            error: combine(terms.iter().map(|t| t.error)),
        }
    }

    /// A product of independent values, ciphertexts or plaintexts, slot by slot: `(m + e)(m' + e') = m m' + m e' + e m' + e e'`.
    pub fn product(self, other: Self) -> Self {
        let cross = [
            self.message * other.error,
            self.error * other.message,
            self.error * other.error,
        ];
        Self {
            message: self.message * other.message,
            error: combine(cross),
        }
    }

    /// A square, slot by slot: `2 m e + e^2`, because the two factors share their error. `message4` is the fourth root of the
    /// mean fourth power of the message; the message of the result follows from it.
    pub fn square(self, message4: f64) -> Self {
        let error = combine([
            2.0 * self.message * self.error,
            self.error * self.error * 2f64.sqrt(),
        ]);
        Self {
            message: message4 * message4,
            error,
        }
    }

    /// A product with a scalar `r` at scale `s`, that is with the integer `round(r s)`: the error is scaled, and the scalar
    /// itself is off by at most 1/2, in mean square by 1/12.
    pub fn scalar(self, r: f64, s: f64) -> Self {
        let integer = (r * s).round().abs();
        let error = combine([
            self.error * integer,
            self.message * ROUNDING_VARIANCE.sqrt(),
        ]);
        Self {
            message: self.message * (r * s).abs(),
            error,
        }
    }

    /// The value with another independent error added.
    pub fn with_error(self, error: f64) -> Self {
        Self {
            error: combine([self.error, error]),
            ..self
        }
    }

    /// Bits of precision: log2 of message over error.
    pub fn bits(self) -> f64 {
        (self.message / self.error).log2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_magnitudes() {
        let model = NoiseModel { log_n: 14 };
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-3;
        assert!(close(model.fresh(), 128.0 * 10.5f64.sqrt()));
        assert!(close(model.division(2), 128.0 * (10923.7f64 / 12.0).sqrt()));
        // A digit as large as P: the noise of N products of an error and a uniform fraction.
        assert!(close(
            model.key_product(&[100.0], 100.0),
            model.fresh() * 128.0 / 12f64.sqrt()
        ));
        // Ten bits of slack in P make it negligible beside rounding.
        assert!(close(
            model.key_switch(&[100.0, 100.0], 110.0),
            model.division(2)
        ));
    }

    #[test]
    fn propagation_follows_the_formulas() {
        let a = Signal {
            message: 1000.0,
            error: 3.0,
        };
        let b = Signal {
            message: 10.0,
            error: 4.0,
        };
        assert_eq!(Signal::sum(&[a, b]).error, 5.0);
        assert_eq!(
            a.product(Signal::exact(10.0)),
            Signal {
                message: 10000.0,
                error: 30.0
            }
        );
        assert_eq!(a.product(b).error, combine([4000.0, 30.0, 12.0]));
        assert_eq!(a.scalar(0.5, 8.0).message, 4000.0);
        assert_eq!(
            Signal {
                message: 8.0,
                error: 1.0
            }
            .bits(),
            3.0
        );
    }
}
