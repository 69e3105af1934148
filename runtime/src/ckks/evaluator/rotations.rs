//! Rotations and conjugation, whole and by phases.
//!
//! `rotate(a, k)` is `mod_down(rotate_ext(a, decompose(a), k))`. Rotations of one ciphertext share its digits (hoisting), and sums
//! of rotations share one division by P (double hoisting).

use super::products::two;
use super::{Evaluator, map_parts};
use crate::ckks::{Ciphertext, CkksError, Form};
use crate::rlwe::{Digits, KeyKind, Switched, decompose, key_inner_product, key_switch, mod_down};

impl Evaluator {
    /// The digits of the last part, raised to `Q_l P`: what all rotations of `a`, or the relinearization of a product, share.
    ///
    /// # Errors
    /// When it is extended.
    pub fn decompose(&self, a: &Ciphertext) -> Result<Digits, CkksError> {
        a.check(&self.params)?;
        match (a.form(), a.parts()) {
            (Form::Normal | Form::Product, [.., last]) => {
                Ok(decompose(&self.params, last, a.level())?)
            }
            (found, _) => Err(CkksError::Form {
                op: "decompose",
                expected: Form::Normal,
                found,
            }),
        }
    }

    /// `a` with its slots rotated to the left by `steps`, times P, modulo `Q_l P`: `out[i] = in[i + steps]`. `digits` are those of
    /// `a`. A rotation by a multiple of N/2 needs no key.
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

    /// `a` with its slots conjugated, times P, modulo `Q_l P`.
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
        self.expect("rotate", a, Form::Normal)?;
        expect_digits("rotate", a, digits)?;
        let key = self.keys.get(KeyKind::Galois(exponent))?;
        let [c0, _] = two("rotate", a)?;
        let then = Switched {
            add: [Some(c0), None],
            exponent: Some(exponent),
        };
        let parts = key_inner_product(&self.params, digits, key, then)?;
        Ok(Ciphertext::new(parts.into(), a.level(), Form::Extended))
    }

    /// P times `a`, modulo `Q_l P`: what lets a ciphertext join a sum of rotations.
    ///
    /// # Errors
    /// Unless it has two parts and is not extended.
    pub fn extend(&self, a: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.expect("extend", a, Form::Normal)?;
        let extended = self.params.extended_row(a.level())?;
        let parts = map_parts(a.parts(), |part| {
            Ok(self.params.ring().embed(part, extended)?)
        })?;
        Ok(Ciphertext::new(parts, a.level(), Form::Extended))
    }

    /// Divides an extended ciphertext by P, with rounding.
    ///
    /// # Errors
    /// Unless it is extended.
    pub fn mod_down(&self, a: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.expect("mod_down", a, Form::Extended)?;
        let parts = map_parts(a.parts(), |part| {
            Ok(mod_down(&self.params, part, a.level())?)
        })?;
        Ok(Ciphertext::new(parts, a.level(), Form::Normal))
    }

    /// Slots rotated to the left by `steps`. One key switch, none for a multiple of N/2.
    ///
    /// # Errors
    /// Unless it has two parts and the rotation's key covers its level.
    pub fn rotate(&self, a: &Ciphertext, steps: u32) -> Result<Ciphertext, CkksError> {
        match self.params.ring().rotation_exponent(steps) {
            1 => self.expect("rotate", a, Form::Normal).map(|()| a.clone()),
            exponent => self.automorphism(a, exponent),
        }
    }

    /// Slots conjugated. One key switch.
    ///
    /// # Errors
    /// Unless it has two parts and the conjugation key covers its level.
    pub fn conjugate(&self, a: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.automorphism(a, self.params.ring().conjugation_exponent())
    }

    fn automorphism(&self, a: &Ciphertext, exponent: u64) -> Result<Ciphertext, CkksError> {
        self.expect("rotate", a, Form::Normal)?;
        let key = self.keys.get(KeyKind::Galois(exponent))?;
        let [c0, c1] = two("rotate", a)?;
        let then = Switched {
            add: [Some(c0), None],
            exponent: Some(exponent),
        };
        let parts = key_switch(&self.params, c1, a.level(), key, then)?;
        Ok(Ciphertext::new(parts.into(), a.level(), Form::Normal))
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
