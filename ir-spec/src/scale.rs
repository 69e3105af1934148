//! Exact scales: `2^a * q_i^b * ...` with integer exponents.
//!
//! A slot value `x` at scale `s` is encoded as the integer polynomial of `round(s x)`. Scales are compared exactly, never
//! approximately: a product multiplies them, a rescale divides by the primes that leave, and a constant is encoded at
//! whatever scale makes the result land where it should.

use crate::entity::{Arena, Entity, Prime};
use std::sync::Arc;

/// A scale: the positive rational number `2^a * product of q_i^b_i`. Clones share their exponents, since every type has a
/// scale.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Scale(Arc<Monomial>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
struct Monomial {
    log2: i32,
    /// Sorted by prime, no zero exponents.
    primes: Vec<(Prime, i32)>,
}

impl Scale {
    /// The scale 1.
    pub fn one() -> Self {
        Self::default()
    }

    /// `2^log2`.
    pub fn power_of_two(log2: i32) -> Self {
        Self::of(log2, Vec::new())
    }

    /// `2^log2` times these powers of primes; `None` unless the primes ascend, and the exponents are within
    /// [`Scale::MAX_EXPONENT`] and those of primes are not zero.
    pub fn new(log2: i32, factors: impl IntoIterator<Item = (Prime, i32)>) -> Option<Self> {
        let bounded = |e: i32| e.unsigned_abs() <= Self::MAX_EXPONENT.unsigned_abs();
        let primes: Vec<(Prime, i32)> = factors.into_iter().collect();
        let ascending = primes.is_sorted_by(|a, b| a.0 < b.0);
        let exponents = primes.iter().all(|&(_, e)| e != 0 && bounded(e));
        (bounded(log2) && ascending && exponents).then(|| Self::of(log2, primes))
    }

    /// The scale that is a prime of the pool.
    pub fn prime(prime: Prime) -> Self {
        Self::of(0, vec![(prime, 1)])
    }

    fn of(log2: i32, primes: Vec<(Prime, i32)>) -> Self {
        Self(Arc::new(Monomial { log2, primes }))
    }

    /// The exponent of two.
    pub fn log2_part(&self) -> i32 {
        self.0.log2
    }

    /// The primes with their exponents, in order, none zero.
    pub fn prime_part(&self) -> &[(Prime, i32)] {
        &self.0.primes
    }

    /// The product of two scales; `None` when an exponent leaves `-4096..=4096`.
    pub fn checked_mul(&self, other: &Self) -> Option<Self> {
        self.combine(other, 1)
    }

    /// The quotient of two scales; `None` when an exponent leaves `-4096..=4096`.
    pub fn checked_div(&self, other: &Self) -> Option<Self> {
        self.combine(other, -1)
    }

    /// The largest magnitude of an exponent.
    pub const MAX_EXPONENT: i32 = 4096;

    fn combine(&self, other: &Self, sign: i32) -> Option<Self> {
        let bounded = |e: i32| (e.checked_abs()? <= Self::MAX_EXPONENT).then_some(e);
        let mut primes: Vec<(Prime, i32)> =
            Vec::with_capacity(self.0.primes.len() + other.0.primes.len());
        let (mut a, mut b) = (
            self.0.primes.iter().peekable(),
            other.0.primes.iter().peekable(),
        );
        loop {
            let (prime, exponent) = match (a.peek(), b.peek()) {
                (None, None) => break,
                (Some(&&(p, e)), None) => (a.next().map(|_| p)?, e),
                (None, Some(&&(p, e))) => (b.next().map(|_| p)?, sign * e),
                (Some(&&(p, e)), Some(&&(q, _))) if p < q => (a.next().map(|_| p)?, e),
                (Some(&&(p, _)), Some(&&(q, e))) if q < p => (b.next().map(|_| q)?, sign * e),
                (Some(&&(p, e)), Some(&&(_, f))) => {
                    a.next();
                    b.next();
                    (p, e + sign * f)
                }
            };
            if exponent != 0 {
                primes.push((prime, bounded(exponent)?));
            }
        }
        let log2 = self.0.log2.checked_add(sign.checked_mul(other.0.log2)?)?;
        Some(Self::of(bounded(log2)?, primes))
    }

    /// log2 of the scale; `None` when a prime is not in the pool.
    pub fn bits(&self, pool: &Arena<Prime, u64>) -> Option<f64> {
        self.0
            .primes
            .iter()
            .try_fold(f64::from(self.0.log2), |bits, &(prime, exponent)| {
                Some(bits + (*pool.get(prime)? as f64).log2() * f64::from(exponent))
            })
    }

    /// The scale as a double, correct to a few units in the last place; `None` when a prime is not in the pool or the
    /// value (or one factor of it) is not a normal number.
    pub fn value(&self, pool: &Arena<Prime, u64>) -> Option<f64> {
        let (mut mantissa, mut log2) = (1.0f64, i64::from(self.0.log2));
        for &(prime, exponent) in &self.0.primes {
            let q = *pool.get(prime)? as f64;
            let shift = q.log2().floor();
            mantissa *= (q / shift.exp2()).powi(exponent);
            if !mantissa.is_normal() {
                return None;
            }
            log2 += shift as i64 * i64::from(exponent);
            let carry = mantissa.log2().floor();
            mantissa /= carry.exp2();
            log2 += carry as i64;
        }
        let value = mantissa * (log2 as f64).exp2();
        value.is_normal().then_some(value)
    }

    /// The scale in the text form: `D^2*q3/q1`, where `D = 2^unit_bits`.
    pub fn display(&self, unit_bits: u32) -> String {
        let mut over = String::new();
        let mut under = String::new();
        let mut factor = |base: String, exponent: i32| {
            let (side, sign) = if exponent > 0 {
                (&mut over, '*')
            } else {
                (&mut under, '/')
            };
            let power = if exponent.abs() == 1 {
                base
            } else {
                format!("{base}^{}", exponent.abs())
            };
            if sign == '/' || !side.is_empty() {
                side.push(sign);
            }
            side.push_str(&power);
        };
        match (self.0.log2, unit_bits as i32) {
            (0, _) => {}
            (log2, unit) if unit > 0 && log2 % unit == 0 => factor("D".into(), log2 / unit),
            (log2, _) if log2 > 0 => factor(format!("2^{log2}"), 1),
            (log2, _) => factor(format!("2^{}", -log2), -1),
        }
        for &(prime, exponent) in &self.0.primes {
            factor(format!("{}{}", Prime::PREFIX, prime.0), exponent);
        }
        format!("{}{under}", if over.is_empty() { "1" } else { &over })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> Arena<Prime, u64> {
        [97, 193].into_iter().collect()
    }

    #[test]
    fn products_and_quotients_cancel_exactly() {
        let d = Scale::power_of_two(40);
        let q = Scale::prime(Prime(1));
        let up = d.checked_mul(&q).unwrap().checked_mul(&d).unwrap();
        assert_eq!(up.display(40), "D^2*q1");
        let down = up.checked_div(&q).unwrap();
        assert_eq!(down, Scale::power_of_two(80));
        assert_eq!(Scale::one().checked_div(&q).unwrap().display(40), "1/q1");
        assert_eq!(
            Scale::power_of_two(-3).checked_mul(&q).unwrap().display(40),
            "q1/2^3"
        );
    }

    #[test]
    fn value_and_bits_agree() {
        let s = Scale::power_of_two(4)
            .checked_mul(&Scale::prime(Prime(0)))
            .unwrap();
        let s = s.checked_div(&Scale::prime(Prime(1))).unwrap();
        let value = s.value(&pool()).unwrap();
        assert!((value - 16.0 * 97.0 / 193.0).abs() < 1e-14);
        assert!((s.bits(&pool()).unwrap() - value.log2()).abs() < 1e-12);
        assert_eq!(Scale::prime(Prime(7)).value(&pool()), None);
    }

    #[test]
    fn huge_exponents_are_refused() {
        let s = Scale::power_of_two(4000);
        assert_eq!(s.checked_mul(&s), None);
    }
}
