//! Changing level.

use super::{Evaluator, map_parts};
use crate::ckks::{Ciphertext, CiphertextForm, CkksError};

impl Evaluator {
    /// Rescales a ciphertext from its level `l` to any level `l'`: message and scale are multiplied by `Q_l' / Q_l`. Primes
    /// that only `Q_l'` has are multiplied in, those that only `Q_l` has are divided out with rounding, and those of P with them where
    /// the ciphertext is extended. The ciphertext has two or three polynomials.
    ///
    /// # Errors
    /// When the level does not exist.
    pub fn rescale(&self, a: &Ciphertext, to: usize) -> Result<Ciphertext, CkksError> {
        a.check(&self.params)?;
        let target = self.params.row(to)?;
        let parts = map_parts(a.parts(), |part| {
            Ok(self.params.ring().divide_out(part, target)?)
        })?;
        let form = match a.form() {
            CiphertextForm::Extended => CiphertextForm::Normal,
            form => form,
        };
        Ok(Ciphertext::new(parts, to, form))
    }

    /// Brings a ciphertext to a level whose primes are a subset of those it has: message, scale and noise stay.
    ///
    /// # Errors
    /// When the ciphertext is extended, or the level does not exist or has a prime that the ciphertext lacks.
    pub fn drop_level(&self, a: &Ciphertext, to: usize) -> Result<Ciphertext, CkksError> {
        self.expect_not_extended("drop_level", a)?;
        let target = self.params.row(to)?;
        if !self.params.row(a.level())?.is_superset(target) {
            return Err(CkksError::NotBelow {
                op: "drop_level",
                from: a.level(),
                to,
            });
        }
        let parts = map_parts(a.parts(), |part| {
            Ok(part.restrict(self.params.ring(), target)?)
        })?;
        Ok(Ciphertext::new(parts, to, a.form()))
    }

    fn expect_not_extended(&self, op: &'static str, a: &Ciphertext) -> Result<(), CkksError> {
        a.check(&self.params)?;
        if a.is_extended() {
            return Err(CkksError::CiphertextForm {
                op,
                expected: CiphertextForm::Normal,
                found: CiphertextForm::Extended,
            });
        }
        Ok(())
    }
}
