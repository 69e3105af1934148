//! Rotations and conjugation, whole and by phases.
//!
//! `rotate(a, k)` is `mod_down(rotate_ext(a, decompose(a), k))`. Rotations of one ciphertext share its digits (hoisting), and sums
//! of rotations share one division by P (double hoisting).

use super::products::two;
use super::{Evaluator, map_parts};
use crate::ckks::{Ciphertext, CiphertextForm, CkksError};
use crate::rlwe::{Digits, KeyKind, Switched, decompose, key_inner_product, key_switch, mod_down};

impl Evaluator {
    /// Decomposes the last polynomial of a ciphertext into digits modulo `Q_l P`: what all its rotations, or the
    /// relinearization of a product, share.
    ///
    /// # Errors
    /// When it is extended.
    pub fn decompose(&self, a: &Ciphertext) -> Result<Digits, CkksError> {
        a.check(&self.params)?;
        match (a.form(), a.parts()) {
            (CiphertextForm::Normal | CiphertextForm::Product, [.., last]) => {
                Ok(decompose(&self.params, last, a.level())?)
            }
            (found, _) => Err(CkksError::CiphertextForm {
                op: "decompose",
                expected: CiphertextForm::Normal,
                found,
            }),
        }
    }

    /// Rotates the slots of a decomposed ciphertext to the left by `steps`, `out[i] = in[i + steps]`, without division by P:
    /// the result is modulo `Q_l P` and holds P times the message. `digits` are those of `a`. A rotation by a multiple of N/2
    /// needs no key.
    ///
    /// # Errors
    /// Unless `a` has two parts, the digits are of its level, and the rotation's key covers it.
    pub fn rotate_ext(
        &self,
        a: &Ciphertext,
        digits: &Digits,
        steps: u32,
    ) -> Result<Ciphertext, CkksError> {
        let exponent = self.params.ring().rotation_exponent(steps);
        if exponent == 1 {
            self.extend(a)
        } else {
            self.automorphism_ext(a, digits, exponent)
        }
    }

    /// Conjugates the slots of a decomposed ciphertext without division by P: the result is modulo `Q_l P` and holds P times
    /// the message.
    ///
    /// # Errors
    /// As for [`Self::rotate_ext`].
    pub fn conjugate_ext(&self, a: &Ciphertext, digits: &Digits) -> Result<Ciphertext, CkksError> {
        self.automorphism_ext(a, digits, self.params.ring().conjugation_exponent())
    }

    fn automorphism_ext(
        &self,
        a: &Ciphertext,
        digits: &Digits,
        exponent: u64,
    ) -> Result<Ciphertext, CkksError> {
        self.expect("rotate", a, CiphertextForm::Normal)?;
        expect_digits("rotate", a, digits)?;
        let key = self.keys.get(KeyKind::Galois(exponent))?;
        let [c0, _] = two("rotate", a)?;
        let then = Switched {
            add: [Some(c0), None],
            exponent: Some(exponent),
        };
        let parts = key_inner_product(&self.params, digits, key, then)?;
        Ok(Ciphertext::new(
            parts.into(),
            a.level(),
            CiphertextForm::Extended,
        ))
    }

    /// Extends a ciphertext by the special primes: P times `a`, modulo `Q_l P`, so that it can join a sum of rotations.
    ///
    /// # Errors
    /// Unless it has two parts and is not extended.
    pub fn extend(&self, a: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.expect("extend", a, CiphertextForm::Normal)?;
        let extended = self.params.extended_row(a.level())?;
        let parts = map_parts(a.parts(), |part| {
            Ok(self.params.ring().embed(part, extended)?)
        })?;
        Ok(Ciphertext::new(parts, a.level(), CiphertextForm::Extended))
    }

    /// Divides an extended ciphertext by P, with rounding.
    ///
    /// # Errors
    /// Unless it is extended.
    pub fn mod_down(&self, a: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.expect("mod_down", a, CiphertextForm::Extended)?;
        let parts = map_parts(a.parts(), |part| {
            Ok(mod_down(&self.params, part, a.level())?)
        })?;
        Ok(Ciphertext::new(parts, a.level(), CiphertextForm::Normal))
    }

    /// Rotates the slots of a ciphertext to the left by `steps`. One key switch, none for a multiple of N/2.
    ///
    /// # Errors
    /// Unless it has two parts and the rotation's key covers its level.
    pub fn rotate(&self, a: &Ciphertext, steps: u32) -> Result<Ciphertext, CkksError> {
        match self.params.ring().rotation_exponent(steps) {
            1 => self
                .expect("rotate", a, CiphertextForm::Normal)
                .map(|()| a.clone()),
            exponent => self.automorphism(a, exponent),
        }
    }

    /// Conjugates the slots of a ciphertext. One key switch.
    ///
    /// # Errors
    /// Unless it has two parts and the conjugation key covers its level.
    pub fn conjugate(&self, a: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.automorphism(a, self.params.ring().conjugation_exponent())
    }

    fn automorphism(&self, a: &Ciphertext, exponent: u64) -> Result<Ciphertext, CkksError> {
        self.expect("rotate", a, CiphertextForm::Normal)?;
        let key = self.keys.get(KeyKind::Galois(exponent))?;
        let [c0, c1] = two("rotate", a)?;
        let then = Switched {
            add: [Some(c0), None],
            exponent: Some(exponent),
        };
        let parts = key_switch(&self.params, c1, (a.level(), a.level()), key, then)?;
        Ok(Ciphertext::new(
            parts.into(),
            a.level(),
            CiphertextForm::Normal,
        ))
    }
}

/// Digits are of the level of the ciphertext they are used with.
pub(super) fn expect_digits(
    op: &'static str,
    a: &Ciphertext,
    digits: &Digits,
) -> Result<(), CkksError> {
    if digits.level() == a.level() {
        return Ok(());
    }
    Err(CkksError::Level {
        op,
        left: a.level(),
        right: digits.level(),
    })
}
