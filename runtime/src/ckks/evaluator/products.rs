//! Products of ciphertexts and their relinearization.

use super::Evaluator;
use super::rotations::expect_digits;
use crate::ckks::{Ciphertext, CiphertextForm, CkksError};
use crate::rlwe::{Digits, KeyKind, Switched, key_inner_product, key_switch};

impl Evaluator {
    /// The product `a b` of two ciphertexts, with three polynomials; scales multiply.
    ///
    /// # Errors
    /// Unless both have two parts, one level, and are not extended.
    pub fn mul(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.expect_alike("mul", a, b)?;
        self.expect("mul", a, CiphertextForm::Normal)?;
        let (ring, basis) = (self.params.ring(), self.params.row(a.level())?);
        let ([a0, a1], [b0, b1]) = (two("mul", a)?, two("mul", b)?);
        let (c0, (c1, c2)) = rayon::join(
            || ring.dot(basis, &[(a0, b0)]),
            || {
                rayon::join(
                    || ring.dot(basis, &[(a0, b1), (a1, b0)]),
                    || ring.dot(basis, &[(a1, b1)]),
                )
            },
        );
        Ok(Ciphertext::new(
            vec![c0?, c1?, c2?],
            a.level(),
            CiphertextForm::Product,
        ))
    }

    /// The square of a ciphertext, with three polynomials; the scale is squared.
    ///
    /// # Errors
    /// Unless it has two parts and is not extended.
    pub fn square(&self, a: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.mul(a, a)
    }

    /// Relinearizes a product without division by P: three polynomials become two, of P times the message modulo `Q_l P`.
    /// `digits` are those of [`Self::decompose`]. One key switch but for its division by P.
    ///
    /// # Errors
    /// Unless it has three parts, the digits are of its level, and the relinearization key covers it.
    pub fn relinearize_ext(
        &self,
        a: &Ciphertext,
        digits: &Digits,
    ) -> Result<Ciphertext, CkksError> {
        self.expect("relinearize", a, CiphertextForm::Product)?;
        expect_digits("relinearize", a, digits)?;
        let [c0, c1, _] = three("relinearize", a)?;
        let key = self.keys.get(KeyKind::Relinearization)?;
        let then = Switched {
            add: [Some(c0), Some(c1)],
            exponent: None,
        };
        let parts = key_inner_product(&self.params, digits, key, then)?;
        Ok(Ciphertext::new(
            parts.into(),
            a.level(),
            CiphertextForm::Extended,
        ))
    }

    /// Relinearizes a product: three polynomials become two. One key switch.
    ///
    /// # Errors
    /// As for [`Self::relinearize_ext`].
    pub fn relinearize(&self, a: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.relinearize_rescale(a, a.level())
    }

    /// Relinearizes a product and rescales it to a level, as [`Self::relinearize`] and [`Self::rescale`] would, with one division in
    /// place of two.
    ///
    /// # Errors
    /// As for [`Self::relinearize_ext`], and when the level does not exist.
    pub fn relinearize_rescale(&self, a: &Ciphertext, to: usize) -> Result<Ciphertext, CkksError> {
        self.expect("relinearize", a, CiphertextForm::Product)?;
        let [c0, c1, c2] = three("relinearize", a)?;
        let key = self.keys.get(KeyKind::Relinearization)?;
        let then = Switched {
            add: [Some(c0), Some(c1)],
            exponent: None,
        };
        let parts = key_switch(&self.params, c2, (a.level(), to), key, then)?;
        Ok(Ciphertext::new(parts.into(), to, CiphertextForm::Normal))
    }
}

type Part = crate::ring::RnsPoly<crate::ring::Ntt>;

/// The parts of a ciphertext of two.
pub(super) fn two<'a>(op: &'static str, a: &'a Ciphertext) -> Result<[&'a Part; 2], CkksError> {
    match a.parts() {
        [c0, c1] => Ok([c0, c1]),
        _ => Err(CkksError::CiphertextForm {
            op,
            expected: CiphertextForm::Normal,
            found: a.form(),
        }),
    }
}

/// The parts of a ciphertext of three.
fn three<'a>(op: &'static str, a: &'a Ciphertext) -> Result<[&'a Part; 3], CkksError> {
    match a.parts() {
        [c0, c1, c2] => Ok([c0, c1, c2]),
        _ => Err(CkksError::CiphertextForm {
            op,
            expected: CiphertextForm::Product,
            found: a.form(),
        }),
    }
}
