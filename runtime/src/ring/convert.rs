//! Moving between bases: raising residues to more primes, and dividing by primes with rounding.
//!
//! Notation: `D` is the product of the primes `q_i` converted from, `x_i` the residues of `x` modulo them, `p` a prime
//! converted to. With `y_i = x_i (D/q_i)^-1 mod q_i`,
//!
//! ```text
//! x = sum_i y_i (D/q_i) - v D,    v = round(sum_i y_i / q_i),
//! ```
//!
//! is the representative in `[-D/2, D/2]`. `v` is computed in double precision and is exact unless `x` is within about
//! `2^-50 D` of `+-D/2`, where either neighbour is as good. Two operations are built on it, both from NTT to NTT:
//!
//! - [`Ring::raise`] extends the residues modulo `D` to a larger basis: the digits of a key switch.
//! - [`Ring::divide_out`] replaces a basis by another, dividing by the primes that leave and multiplying by those that enter:
//!   rescaling between any two levels, and division by the special primes.
//!
//! 1. Each converted limb: inverse transform, one multiplication by a constant that merges `1/N` and `(D/q_i)^-1`.
//! 2. `v` for each coefficient.
//! 3. Each limb made: one weighted sum of the `y_i` and `v`, forward transform.
//!
//! Cost for `k` converted and `t` made limbs: `k + t` transforms, `k t` multiplications per coefficient.
//!
//! # References
//! - \[HPS18\] Halevi, Polyakov, Shoup, *An improved RNS variant of the BFV scheme*. <https://eprint.iacr.org/2018/117>

use super::modulus::Factor;
use super::{Basis, Ntt, Ring, RingError, RnsPoly, kernels};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Constants made on first use, by purpose, basis before and basis after.
#[derive(Default)]
pub(super) struct Conversions(RwLock<BTreeMap<(Purpose, Basis, Basis), Arc<Conversion>>>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Purpose {
    Raise,
    Divide,
}

/// The constants of one conversion.
struct Conversion {
    /// The primes converted from.
    from: Basis,
    /// For each of them, what the output of its unscaled inverse transform is multiplied by.
    scalings: Vec<Factor>,
    /// For each of them, `1 / q_i`.
    reciprocals: Vec<f64>,
    /// By prime made: the constants of the weighted sum of the `y_i`, then of `v`.
    weights: BTreeMap<usize, Vec<u64>>,
    /// By prime kept, what its residues are multiplied by before the weighted sum is added. Empty when raising.
    kept: BTreeMap<usize, Factor>,
}

impl Ring {
    /// Extends the residues of `a` modulo the primes of `from` (those of its basis that are in `from`) to `to`, a superset of
    /// `from`: the result is the representative in `[-D/2, D/2]`, D the product of `from`.
    ///
    /// # Errors
    /// When `a` lacks a prime of `from`.
    pub fn raise(
        &self,
        a: &RnsPoly<Ntt>,
        from: &Basis,
        to: &Basis,
    ) -> Result<RnsPoly<Ntt>, RingError> {
        a.check_superset(self, from)?;
        self.check_basis(to)?;
        let conversion = self.conversion(Purpose::Raise, from, to, || self.raising(from, to));
        let sources = conversion.sources(self, a);
        let mut out = RnsPoly::zero(self, to);
        out.par_limbs_mut_heavy(self, |prime, limb| match a.residues(prime) {
            Some(residues) if from.contains(prime) => limb.copy_from_slice(residues),
            _ => conversion.make(self, &sources, prime, limb),
        });
        Ok(out)
    }

    /// `round(a E / L)` over `target`, where L is the product of the primes of `a` that `target` lacks and E that of the primes
    /// of `target` that `a` lacks. The error is at most 1/2 in every coefficient.
    ///
    /// # Errors
    /// When `target` is not a set of primes of this ring.
    pub fn divide_out(&self, a: &RnsPoly<Ntt>, target: &Basis) -> Result<RnsPoly<Ntt>, RingError> {
        a.check_degree(self)?;
        self.check_basis(a.basis())?;
        self.check_basis(target)?;
        let conversion = self.conversion(Purpose::Divide, a.basis(), target, || {
            self.division(a.basis(), target)
        });
        let sources = conversion.sources(self, a);
        let mut out = RnsPoly::zero(self, target);
        out.par_limbs_mut_heavy(self, |prime, limb| {
            conversion.make(self, &sources, prime, limb);
            if let (Some(residues), Some(&factor)) =
                (a.residues(prime), conversion.kept.get(&prime))
            {
                kernels::scale_add_assign(limb, residues, factor, self.modulus(prime));
            }
        });
        Ok(out)
    }

    fn conversion(
        &self,
        purpose: Purpose,
        before: &Basis,
        after: &Basis,
        make: impl FnOnce() -> Conversion,
    ) -> Arc<Conversion> {
        let key = (purpose, before.clone(), after.clone());
        let known = self
            .conversions
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        if let Some(conversion) = known {
            return conversion;
        }
        let made = Arc::new(make());
        let mut table = self
            .conversions
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        table.entry(key).or_insert(made).clone()
    }

    /// `1/N (D/q_i)^-1` times `extra(q_i)`.
    fn scalings(&self, from: &Basis, extra: impl Fn(usize) -> u64) -> Vec<Factor> {
        let scaling = |&prime: &usize| {
            let m = self.modulus(prime);
            let others = Basis::new(from.primes().iter().copied().filter(|&p| p != prime));
            let cofactor = m.inverse(self.product_mod(&others, prime));
            let degree = m.inverse(m.reduce(self.degree() as u64));
            m.factor(m.mul(m.mul(cofactor, degree), extra(prime)))
        };
        from.primes().iter().map(scaling).collect()
    }

    fn reciprocals(&self, from: &Basis) -> Vec<f64> {
        from.primes()
            .iter()
            .map(|&p| 1.0 / self.modulus(p).value() as f64)
            .collect()
    }

    /// Weights `D/q_i` and `-D`.
    fn raising(&self, from: &Basis, to: &Basis) -> Conversion {
        let weights = |&prime: &usize| {
            let m = self.modulus(prime);
            let product = self.product_mod(from, prime);
            let cofactor =
                |&q: &usize| m.mul(product, m.inverse(m.reduce(self.modulus(q).value())));
            let weights = from
                .primes()
                .iter()
                .map(cofactor)
                .chain([m.neg(product)])
                .collect();
            (prime, weights)
        };
        Conversion {
            from: from.clone(),
            scalings: self.scalings(from, |_| 1),
            reciprocals: self.reciprocals(from),
            weights: to.difference(from).primes().iter().map(weights).collect(),
            kept: BTreeMap::new(),
        }
    }

    /// `(a E - [a E]_L) / L`, where `[a E]_L = sum_i y_i (L/q_i) - v L`: weights `-1/q_i` and 1, and `E / L` for what is kept.
    fn division(&self, before: &Basis, after: &Basis) -> Conversion {
        let (from, entering) = (before.difference(after), after.difference(before));
        let weights = |&prime: &usize| {
            let m = self.modulus(prime);
            let weight = |&q: &usize| m.neg(m.inverse(m.reduce(self.modulus(q).value())));
            (
                prime,
                from.primes()
                    .iter()
                    .map(weight)
                    .chain([m.reduce(1)])
                    .collect(),
            )
        };
        let kept = |&prime: &usize| {
            let m = self.modulus(prime);
            let leaving = m.inverse(self.product_mod(&from, prime));
            (
                prime,
                m.factor(m.mul(self.product_mod(&entering, prime), leaving)),
            )
        };
        Conversion {
            scalings: self.scalings(&from, |prime| self.product_mod(&entering, prime)),
            reciprocals: self.reciprocals(&from),
            weights: after.primes().iter().map(weights).collect(),
            kept: before
                .intersection(after)
                .primes()
                .iter()
                .map(kept)
                .collect(),
            from,
        }
    }
}

/// The `y_i` of one polynomial, one limb after the other, then `v`.
struct Sources(Vec<u64>);

impl Conversion {
    /// Steps 1 and 2.
    fn sources(&self, ring: &Ring, a: &RnsPoly<Ntt>) -> Sources {
        let n = ring.degree();
        let mut words = vec![0; (self.from.len() + 1) * n];
        let (residues, quotients) = words.split_at_mut(self.from.len() * n);
        residues
            .par_chunks_exact_mut(n)
            .zip(self.from.primes())
            .zip(&self.scalings)
            .for_each(|((limb, &prime), &scaling)| {
                if let Some(source) = a.residues(prime) {
                    limb.copy_from_slice(source);
                    ring.transform(prime).inverse_scaled(limb, scaling);
                }
            });
        let terms: Vec<(&[u64], f64)> = residues
            .chunks_exact(n)
            .zip(self.reciprocals.iter().copied())
            .collect();
        kernels::rounded_sum(quotients, &terms);
        Sources(words)
    }

    /// Step 3, for one limb.
    fn make(&self, ring: &Ring, sources: &Sources, prime: usize, limb: &mut [u64]) {
        if self.from.is_empty() {
            return;
        }
        if let Some(weights) = self.weights.get(&prime) {
            let terms: Vec<(&[u64], u64)> = sources
                .0
                .chunks_exact(limb.len())
                .zip(weights.iter().copied())
                .collect();
            kernels::weighted_sum(limb, &terms, ring.modulus(prime));
            ring.transform(prime).forward(limb);
        }
    }
}
