//! Between rings of different degree: `Y -> X^r`, `r = N / n`, puts `Z[Y] / (Y^n + 1)` into `Z[X] / (X^N + 1)`.
//!
//! Both ways are loops over values, without a transform. Position `i = r j + k`, `k < r`, holds the value at the root `psi^e` with
//! `e = 2 rev(i) + 1`, and reversing `log2 N` bits gives `rev(i) = rev_n(j) + n rev_r(k)`; so `psi^(r e) = (psi^r)^(2 rev_n(j) + 1)`,
//! whatever `k` is, and `psi^r` is the root of the smaller ring, because roots are square roots of each other (see the `transform`
//! module). Hence the values of `a(X^r)` are those of `a`, each `r` times. Conversely the roots of `r` neighbours are one of them
//! times all `r`-th roots of unity, so in the sum of their values the coefficients cancel whose index is no multiple of `r`, and
//! the others count `r` times.

use super::{Ntt, Ring, RingError, RnsBasis, RnsPoly};

impl Ring {
    /// `a(X^r)` of a polynomial of a smaller ring, modulo primes of this one that the other has too.
    ///
    /// # Errors
    /// When `a` is no polynomial of that ring or lacks a prime, or that ring is larger.
    pub(crate) fn spread(
        &self,
        small: &Self,
        a: &RnsPoly<Ntt>,
        basis: &RnsBasis,
    ) -> Result<RnsPoly<Ntt>, RingError> {
        self.check_basis(basis)?;
        a.check_degree(small)?;
        let ratio = self.ratio(small)?;
        self.check_same_primes(basis, small, a.basis())?;
        let mut out = RnsPoly::any(self, basis);
        out.par_limbs_mut(self, |prime, limb| {
            if let Some(values) = self.prime_in(prime, small).and_then(|p| a.residues(p)) {
                repeat(limb, values, ratio);
            }
        });
        Ok(out)
    }

    /// `a(X^r)` of a polynomial `a` of degree `N / r`, modulo primes of this ring under their numbers here.
    ///
    /// # Errors
    /// When no power of X makes it a polynomial of this ring, or a prime is not of this ring.
    pub(crate) fn written_out(&self, a: &RnsPoly<Ntt>) -> Result<RnsPoly<Ntt>, RingError> {
        self.check_basis(a.basis())?;
        let ratio = self.repeats(a)?;
        let mut out = RnsPoly::any(self, a.basis());
        out.par_limbs_mut(self, |prime, limb| {
            if let Some(values) = a.residues(prime) {
                repeat(limb, values, ratio);
            }
        });
        Ok(out)
    }

    /// How many times each value of a polynomial stands in this ring, where it is one in a power of X.
    ///
    /// # Errors
    /// When no power of X makes it a polynomial of this ring.
    pub(super) fn repeats(&self, a: &RnsPoly<Ntt>) -> Result<usize, RingError> {
        match self.degree().checked_div(a.degree()) {
            Some(ratio) if ratio * a.degree() == self.degree() => Ok(ratio),
            _ => Err(RingError::Degree {
                expected: self.degree(),
                found: a.degree(),
            }),
        }
    }

    /// Every `r`-th coefficient of a polynomial of this ring, from the first one, as a polynomial of a smaller one; modulo primes
    /// of that ring that `a` has too.
    ///
    /// # Errors
    /// When `a` is no polynomial of this ring or lacks a prime, or that ring is larger.
    pub(crate) fn gather(
        &self,
        small: &Self,
        a: &RnsPoly<Ntt>,
        basis: &RnsBasis,
    ) -> Result<RnsPoly<Ntt>, RingError> {
        small.check_basis(basis)?;
        a.check_degree(self)?;
        let ratio = self.ratio(small)?;
        small.check_same_primes(basis, self, a.basis())?;
        let mut out = RnsPoly::any(small, basis);
        out.par_limbs_mut(small, |prime, limb| {
            if let Some(values) = small.prime_in(prime, self).and_then(|p| a.residues(p)) {
                let m = small.modulus(prime);
                let inverse = m.factor(m.inverse(m.reduce(ratio as u64)));
                for (mean, values) in limb.iter_mut().zip(values.chunks_exact(ratio)) {
                    // No overflow: a ratio is at most 2^14, and a prime below 2^50.
                    let sum = m.reduce(values.iter().sum());
                    *mean = m.mul_factor(sum, inverse);
                }
            }
        });
        Ok(out)
    }

    /// The quotient of the degrees.
    fn ratio(&self, small: &Self) -> Result<usize, RingError> {
        match self.log_n.checked_sub(small.log_n) {
            Some(log_ratio) => Ok(1 << log_ratio),
            None => Err(RingError::Degree {
                expected: self.degree(),
                found: small.degree(),
            }),
        }
    }

    /// Primes of another ring under their numbers here; none where one is not of this ring.
    pub(crate) fn basis_of(&self, other: &Self, basis: &RnsBasis) -> Option<RnsBasis> {
        let primes = basis.primes().iter();
        let primes = primes.map(|&prime| other.prime_in(prime, self));
        Some(RnsBasis::new(primes.collect::<Option<Vec<_>>>()?))
    }

    /// The index that another ring gives to a prime of this one.
    fn prime_in(&self, prime: usize, other: &Self) -> Option<usize> {
        let value = self.modulus(prime).value();
        other.moduli.iter().position(|m| m.value() == value)
    }

    /// # Errors
    /// When a prime of `basis` is not among those `covering` of the other ring; names it.
    fn check_same_primes(
        &self,
        basis: &RnsBasis,
        other: &Self,
        covering: &RnsBasis,
    ) -> Result<(), RingError> {
        let covered = |&&p: &&usize| {
            let there = self.prime_in(p, other);
            !there.is_some_and(|p| covering.contains(p))
        };
        match basis.primes().iter().find(covered) {
            None => Ok(()),
            Some(&prime) => Err(RingError::MissingPrime {
                prime: self.modulus(prime).value(),
            }),
        }
    }
}

/// Writes each value as many times in a row, from the front, until there is no room.
pub(super) fn repeat(out: &mut [u64], values: &[u64], times: usize) {
    for (same, &value) in out.chunks_exact_mut(times).zip(values) {
        same.fill(value);
    }
}

#[cfg(test)]
mod tests {
    use crate::ring::{Ring, RingError, RnsBasis, RnsPoly, Seed};
    use crate::testing::primes_below;
    use proptest::prelude::*;

    /// A ring with four primes, and one of a smaller degree with the last three of them, in another order.
    fn rings(log_n: u32, smaller: u32, bits: u32) -> (Ring, Ring) {
        let primes = primes_below(bits, log_n, 4);
        let some = [primes[3], primes[1], primes[2]];
        let small = Ring::new(log_n - smaller, &some).unwrap();
        (Ring::new(log_n, &primes).unwrap(), small)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn gathering_keeps_every_rth_coefficient(log_n in 4..12u32, smaller in 0..8u32, bits in 30..50u32, seed: u128) {
            let (large, small) = rings(log_n, smaller.min(log_n - 3), bits);
            let ratio = large.degree() / small.degree();
            let a = large.expand_uniform(&RnsBasis::new(0..4), Seed(seed), 0);
            let found = large.gather(&small, &a, &RnsBasis::new([0, 2])).unwrap();
            let coefficients = a.to_coefficients(&large);
            let found = found.to_coefficients(&small);
            // Primes 3 and 2 of the large ring.
            for (i, prime) in [3, 2].into_iter().enumerate() {
                let expected: Vec<u64> = coefficients.limb(prime).iter().copied().step_by(ratio).collect();
                prop_assert_eq!(found.limb(i), &expected[..]);
            }
        }

        #[test]
        fn spreading_puts_coefficients_at_multiples_of_r(log_n in 4..12u32, smaller in 0..8u32, bits in 30..50u32, seed: u128) {
            let (large, small) = rings(log_n, smaller.min(log_n - 3), bits);
            let ratio = large.degree() / small.degree();
            let a = small.expand_uniform(&RnsBasis::new(0..3), Seed(seed), 0);
            let found = large.spread(&small, &a, &RnsBasis::new([1, 3])).unwrap();
            let coefficients = a.to_coefficients(&small);
            let values = found.to_coefficients(&large);
            for (i, prime) in [1, 0].into_iter().enumerate() {
                for (at, &c) in values.limb(i).iter().enumerate() {
                    let expected = if at % ratio == 0 { coefficients.limb(prime)[at / ratio] } else { 0 };
                    prop_assert_eq!(c, expected);
                }
            }
            prop_assert!(large.gather(&small, &found, &RnsBasis::new([0, 1])).unwrap() == a.restrict(&small, &RnsBasis::new([0, 1])).unwrap());
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (large, small) = rings(5, 1, 30);
        let first = large.modulus(0).value();
        let missing = RingError::MissingPrime { prime: first };
        let all = RnsPoly::zero(&small, &RnsBasis::new(0..3));
        let refused = large
            .spread(&small, &all, &RnsBasis::new([0, 1]))
            .unwrap_err();
        assert_eq!(refused, missing);
        let one = RnsPoly::zero(&large, &RnsBasis::new([3]));
        let refused = large
            .gather(&small, &one, &RnsBasis::new([0, 1]))
            .unwrap_err();
        let prime = large.modulus(1).value();
        assert_eq!(refused, RingError::MissingPrime { prime });
        let degree = |expected, found| RingError::Degree { expected, found };
        let refused = small.gather(&large, &all, &RnsBasis::new([1])).unwrap_err();
        assert_eq!(refused, degree(16, 32));
        let refused = large.gather(&small, &all, &RnsBasis::new([0])).unwrap_err();
        assert_eq!(refused, degree(32, 16));
    }
}
