//! Element-wise operations on polynomials in the NTT domain.
//!
//! Operands of one operation are over the same basis, except where a function says that one may be over more primes.

use super::{Kernels, Modulus, Ntt, Ring, RingError, RnsBasis, RnsPoly};

/// The limbs of each pair modulo a prime.
fn limb_pairs<'a>(
    pairs: &[(&'a RnsPoly<Ntt>, &'a RnsPoly<Ntt>)],
    prime: usize,
) -> Vec<(&'a [u64], &'a [u64])> {
    pairs
        .iter()
        .filter_map(|&(a, b)| Some((a.residues(prime)?, b.residues(prime)?)))
        .collect()
}

impl Ring {
    fn same_basis(&self, a: &RnsPoly<Ntt>, b: &RnsPoly<Ntt>) -> Result<(), RingError> {
        a.check_degree(self)?;
        b.check_degree(self)?;
        if a.basis() == b.basis() {
            return Ok(());
        }
        Err(RingError::Basis {
            left: a.primes().to_vec(),
            right: b.primes().to_vec(),
        })
    }

    /// The sum `a + b` of two polynomials over one basis.
    ///
    /// # Errors
    /// When the bases differ.
    pub fn add(&self, a: &RnsPoly<Ntt>, b: &RnsPoly<Ntt>) -> Result<RnsPoly<Ntt>, RingError> {
        self.combine(a, b, Kernels::add)
    }

    /// The difference `a - b` of two polynomials over one basis.
    ///
    /// # Errors
    /// When the bases differ.
    pub fn sub(&self, a: &RnsPoly<Ntt>, b: &RnsPoly<Ntt>) -> Result<RnsPoly<Ntt>, RingError> {
        self.combine(a, b, Kernels::sub)
    }

    fn combine(
        &self,
        a: &RnsPoly<Ntt>,
        b: &RnsPoly<Ntt>,
        kernel: fn(Kernels, &mut [u64], &[u64], &[u64], &Modulus),
    ) -> Result<RnsPoly<Ntt>, RingError> {
        self.same_basis(a, b)?;
        let mut out = RnsPoly::any(self, a.basis());
        out.par_limbs_mut(self, |prime, limb| {
            if let (Some(a), Some(b)) = (a.residues(prime), b.residues(prime)) {
                kernel(self.kernels, limb, a, b, self.modulus(prime));
            }
        });
        Ok(out)
    }

    /// Adds `a` to `acc`, modulo the primes of `acc`; `a` may be over more primes.
    ///
    /// # Errors
    /// When `a` lacks a prime.
    pub fn add_assign(&self, acc: &mut RnsPoly<Ntt>, a: &RnsPoly<Ntt>) -> Result<(), RingError> {
        a.check_superset(self, acc.basis())?;
        acc.par_limbs_mut(self, |prime, limb| {
            if let Some(a) = a.residues(prime) {
                self.kernels.add_assign(limb, a, self.modulus(prime));
            }
        });
        Ok(())
    }

    /// The negative `-a` of a polynomial.
    pub fn neg(&self, a: &RnsPoly<Ntt>) -> RnsPoly<Ntt> {
        self.map(a, |prime, limb, a| {
            self.kernels.neg(limb, a, self.modulus(prime))
        })
    }

    fn map(&self, a: &RnsPoly<Ntt>, f: impl Fn(usize, &mut [u64], &[u64]) + Sync) -> RnsPoly<Ntt> {
        let mut out = RnsPoly::any(self, a.basis());
        out.par_limbs_mut(self, |prime, limb| {
            if let Some(a) = a.residues(prime) {
                f(prime, limb, a);
            }
        });
        out
    }

    /// The sum of one or more polynomials over one basis, in one pass.
    ///
    /// # Errors
    /// When there are none, or the bases differ.
    pub fn sum(&self, terms: &[&RnsPoly<Ntt>]) -> Result<RnsPoly<Ntt>, RingError> {
        self.each_limb(terms, |prime, limb, limbs| {
            self.kernels.sum(limb, limbs, self.modulus(prime));
        })
    }

    /// The linear combination `sum_k c_k a_k` of one or more polynomials over one basis, in one pass. `constants(prime)` gives
    /// the residues of the constants `c_k` modulo a prime, each below it.
    ///
    /// # Errors
    /// When there are none, or the bases differ.
    pub fn dot_constants(
        &self,
        terms: &[&RnsPoly<Ntt>],
        constants: impl Fn(usize) -> Vec<u64> + Sync,
    ) -> Result<RnsPoly<Ntt>, RingError> {
        self.each_limb(terms, |prime, limb, limbs| {
            self.kernels
                .dot_constants(limb, limbs, &constants(prime), self.modulus(prime));
        })
    }

    /// A polynomial each limb of which is made of the same limbs of others, of which there is one at least.
    fn each_limb(
        &self,
        terms: &[&RnsPoly<Ntt>],
        f: impl Fn(usize, &mut [u64], &[&[u64]]) + Sync,
    ) -> Result<RnsPoly<Ntt>, RingError> {
        let first = terms.first().ok_or(RingError::NoOperands)?;
        terms
            .iter()
            .try_for_each(|term| self.same_basis(first, term))?;
        let mut out = RnsPoly::any(self, first.basis());
        out.par_limbs_mut(self, |prime, limb| {
            let limbs: Vec<&[u64]> = terms
                .iter()
                .filter_map(|term| term.residues(prime))
                .collect();
            f(prime, limb, &limbs);
        });
        Ok(out)
    }

    /// The product `a b` modulo the primes of `a`; `b` may be over more primes.
    ///
    /// # Errors
    /// When `b` lacks a prime.
    pub fn mul(&self, a: &RnsPoly<Ntt>, b: &RnsPoly<Ntt>) -> Result<RnsPoly<Ntt>, RingError> {
        self.dot(a.basis(), &[(a, b)])
    }

    /// The sum of the products of pairs of polynomials, modulo the primes of `basis`, in one pass with one modular reduction;
    /// operands may be over more primes.
    ///
    /// # Errors
    /// When there are no pairs, or an operand lacks a prime.
    pub fn dot(
        &self,
        basis: &RnsBasis,
        pairs: &[(&RnsPoly<Ntt>, &RnsPoly<Ntt>)],
    ) -> Result<RnsPoly<Ntt>, RingError> {
        if pairs.is_empty() {
            return Err(RingError::NoOperands);
        }
        for (a, b) in pairs {
            a.check_superset(self, basis)?;
            b.check_superset(self, basis)?;
        }
        let mut out = RnsPoly::any(self, basis);
        out.par_limbs_mut(self, |prime, limb| {
            let pairs = limb_pairs(pairs, prime);
            self.kernels.dot(limb, &pairs, self.modulus(prime));
        });
        Ok(out)
    }

    /// `acc += M a` modulo the primes of `over` only, with M the product of the primes of `multiple`; `a` may be over more
    /// primes.
    ///
    /// # Errors
    /// When `acc` or `a` lacks a prime of `over`.
    pub(crate) fn add_multiple_assign(
        &self,
        acc: &mut RnsPoly<Ntt>,
        a: &RnsPoly<Ntt>,
        over: &RnsBasis,
        multiple: &RnsBasis,
    ) -> Result<(), RingError> {
        acc.check_superset(self, over)?;
        a.check_superset(self, over)?;
        acc.par_limbs_mut(self, |prime, limb| {
            if let Some(a) = a.residues(prime)
                && over.contains(prime)
            {
                let m = self.modulus(prime);
                self.kernels.scale_add_assign(
                    limb,
                    a,
                    m.factor(self.product_mod(multiple, prime)),
                    m,
                );
            }
        });
        Ok(())
    }

    /// The embedding of `a` into a larger basis: `M a` modulo the primes of `a` and 0 modulo the other primes of `to`, M being
    /// the product of those others. It embeds `Z_Q` into `Z_(QM)`; dividing by M gives `a` back.
    ///
    /// # Errors
    /// When `to` lacks a prime of `a`.
    pub fn embed(&self, a: &RnsPoly<Ntt>, to: &RnsBasis) -> Result<RnsPoly<Ntt>, RingError> {
        a.check_degree(self)?;
        let mut out = RnsPoly::zero(self, to);
        out.check_superset(self, a.basis())?;
        let added = to.difference(a.basis());
        out.par_limbs_mut(self, |prime, limb| {
            if let Some(a) = a.residues(prime) {
                let m = self.modulus(prime);
                self.kernels
                    .scale(limb, a, m.factor(self.product_mod(&added, prime)), m);
            }
        });
        Ok(out)
    }

    /// The residues of signed words of magnitude below 2^62 modulo a prime.
    pub(crate) fn reduce_signed(&self, out: &mut [u64], prime: usize, integers: &[i64]) {
        self.kernels
            .reduce_signed(out, integers, self.modulus(prime));
    }

    /// The monomial `X^k` over a basis, for any `k` (`X^N = -1`). One transform per limb.
    pub fn monomial(&self, basis: &RnsBasis, k: u64) -> RnsPoly<Ntt> {
        let (n, k) = (self.degree() as u64, k % (2 * self.degree() as u64));
        let mut out = RnsPoly::zero(self, basis);
        out.par_limbs_mut_heavy(self, |prime, limb| {
            limb[(k % n) as usize] = if k < n {
                1
            } else {
                self.modulus(prime).value() - 1
            };
            self.transform(prime).forward(limb);
        });
        out
    }
}
