//! Sums, and operations with one plaintext or scalar: no key switch, any form.

use super::{Evaluator, map_parts};
use crate::ckks::{Ciphertext, CiphertextForm, CkksError, Plaintext};
use crate::ring::{Ntt, RnsPoly};
use rayon::prelude::*;

impl Evaluator {
    /// The sum of one or more ciphertexts of one level and form; ciphertexts of two parts may be added to one of three.
    ///
    /// # Errors
    /// When there are none, or they differ in level or otherwise from the form of the first.
    pub fn sum(&self, terms: &[&Ciphertext]) -> Result<Ciphertext, CkksError> {
        self.combine("add", terms, |parts| Ok(self.params.ring().sum(parts)?))
    }

    /// A ciphertext each part of which is made of the same parts of at least one ciphertext, all of one level and of the form of the
    /// first; or, where that has a third part, without one.
    pub(super) fn combine(
        &self,
        op: &'static str,
        terms: &[&Ciphertext],
        f: impl Fn(&[&RnsPoly<Ntt>]) -> Result<RnsPoly<Ntt>, CkksError> + Sync,
    ) -> Result<Ciphertext, CkksError> {
        let first = terms.first().ok_or(CkksError::NoOperands { op })?;
        let forms = (CiphertextForm::Product, CiphertextForm::Normal);
        terms.iter().try_for_each(|term| match () {
            () if (first.form(), term.form()) == forms => self.expect_level(op, first, term),
            () => self.expect_alike(op, first, term),
        })?;
        let part = |part: usize| {
            let parts = terms.iter().filter_map(|term| term.parts().get(part));
            f(&parts.collect::<Vec<_>>())
        };
        let parts = (0..first.form().parts())
            .into_par_iter()
            .map(part)
            .collect::<Result<_, CkksError>>()?;
        Ok(Ciphertext::new(parts, first.level(), first.form()))
    }

    /// The sum `a + b` of two ciphertexts.
    ///
    /// # Errors
    /// When they differ in level or form.
    pub fn add(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.expect_alike("add", a, b)?;
        self.zip(a, b, |a, b| Ok(self.params.ring().add(a, b)?))
    }

    /// The difference `a - b` of two ciphertexts.
    ///
    /// # Errors
    /// When they differ in level or form.
    pub fn sub(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.expect_alike("sub", a, b)?;
        self.zip(a, b, |a, b| Ok(self.params.ring().sub(a, b)?))
    }

    fn zip(
        &self,
        a: &Ciphertext,
        b: &Ciphertext,
        f: impl Fn(&RnsPoly<Ntt>, &RnsPoly<Ntt>) -> Result<RnsPoly<Ntt>, CkksError> + Sync + Send,
    ) -> Result<Ciphertext, CkksError> {
        let parts = a
            .parts()
            .par_iter()
            .zip(b.parts())
            .map(|(a, b)| f(a, b))
            .collect::<Result<_, CkksError>>()?;
        Ok(Ciphertext::new(parts, a.level(), a.form()))
    }

    /// The negative `-a` of a ciphertext.
    ///
    /// # Errors
    /// When it is not of these parameters.
    pub fn negate(&self, a: &Ciphertext) -> Result<Ciphertext, CkksError> {
        a.check(&self.params)?;
        self.map(a, |part| Ok(self.params.ring().neg(part)))
    }

    /// The product of a ciphertext and a plaintext, slot by slot; scales multiply.
    ///
    /// # Errors
    /// When the plaintext lacks a prime of the ciphertext.
    pub fn mul_plain(&self, a: &Ciphertext, p: &Plaintext) -> Result<Ciphertext, CkksError> {
        self.dot(&[a], &[p])
    }

    /// The sum of a ciphertext and a plaintext of one scale, slot by slot. To an extended ciphertext, which holds P times its
    /// message, P times the plaintext is added.
    ///
    /// # Errors
    /// When the plaintext lacks a prime of the ciphertext's level.
    pub fn add_plain(&self, a: &Ciphertext, p: &Plaintext) -> Result<Ciphertext, CkksError> {
        a.check(&self.params)?;
        let ring = self.params.ring();
        let p = p.poly(ring)?;
        let mut parts = a.parts().to_vec();
        if let Some(first) = parts.first_mut() {
            if a.is_extended() {
                ring.add_multiple_assign(
                    first,
                    &p,
                    self.params.row(a.level())?,
                    self.params.special(),
                )?;
            } else {
                ring.add_assign(first, &p)?;
            }
        }
        Ok(Ciphertext::new(parts, a.level(), a.form()))
    }

    /// The product of a ciphertext and a scalar, `a round(r s)`: every slot is multiplied by `r`, the scale by `s`. The
    /// integer may be of any size; it is reduced exactly.
    ///
    /// # Errors
    /// When `r s` is not finite, or does not fit in the ciphertext's modulus.
    pub fn mul_scalar(&self, a: &Ciphertext, r: f64, s: f64) -> Result<Ciphertext, CkksError> {
        self.dot_scalar(&[a], &[r], s)
    }

    /// The product `a X^k` of a ciphertext and a monomial: slot `j` is multiplied by `zeta^(5^j k)`; for `k = N/2` every slot
    /// by i.
    ///
    /// # Errors
    /// When it is not of these parameters.
    pub fn mul_monomial(&self, a: &Ciphertext, k: u64) -> Result<Ciphertext, CkksError> {
        a.check(&self.params)?;
        let ring = self.params.ring();
        let monomial = ring.monomial(a.form().basis(&self.params, a.level())?, k);
        let parts = map_parts(a.parts(), |part| Ok(ring.mul(part, &monomial)?))?;
        Ok(Ciphertext::new(parts, a.level(), a.form()))
    }
}
