//! Computing on ciphertexts.
//!
//! | group | functions | cost |
//! |---|---|---|
//! | `linear` | add, sum, sub, negate, plaintext and scalar operations, monomials | a pass per operand |
//! | `dots` | sums of products with plaintexts or scalars, one or several over the same ciphertexts | a pass per operand |
//! | `levels` | rescale, drop_level | transforms of the primes that leave and of all that stay |
//! | `products` | mul, square, relinearize | a pass; relinearizing is a key switch |
//! | `rotations` | decompose, rotate, conjugate, mod_down | a key switch, or its phases one by one |
//!
//! Every function takes operands by reference, checks level and form first, and returns a new ciphertext. Scales are not seen
//! here. `a.level()` is the level of every result, except for rescale and drop_level.

mod dots;
mod levels;
mod linear;
mod products;
mod rotations;

#[cfg(test)]
mod dot_tests;
#[cfg(test)]
mod level_tests;
#[cfg(test)]
mod tests;

use super::{Ciphertext, CiphertextForm, CkksError};
use crate::params::Parameters;
use crate::ring::{Ntt, RnsPoly};
use crate::rlwe::EvaluationKeys;
use std::sync::Arc;

/// Computes on ciphertexts of some parameters with the keys it was given.
#[derive(Clone, Debug)]
pub struct Evaluator {
    params: Arc<Parameters>,
    keys: Arc<EvaluationKeys>,
}

impl Evaluator {
    /// An evaluator; operations without key switching need no keys.
    pub fn new(params: &Arc<Parameters>, keys: &Arc<EvaluationKeys>) -> Self {
        Self {
            params: params.clone(),
            keys: keys.clone(),
        }
    }

    /// The parameters.
    pub fn params(&self) -> &Arc<Parameters> {
        &self.params
    }

    /// The keys.
    pub fn keys(&self) -> &Arc<EvaluationKeys> {
        &self.keys
    }

    /// # Errors
    /// Unless the ciphertext is of these parameters and of the form.
    fn expect(
        &self,
        op: &'static str,
        a: &Ciphertext,
        expected: CiphertextForm,
    ) -> Result<(), CkksError> {
        a.check(&self.params)?;
        if a.form() != expected {
            return Err(CkksError::CiphertextForm {
                op,
                expected,
                found: a.form(),
            });
        }
        Ok(())
    }

    /// # Errors
    /// Unless both are of these parameters, of one level and one form.
    fn expect_alike(
        &self,
        op: &'static str,
        a: &Ciphertext,
        b: &Ciphertext,
    ) -> Result<(), CkksError> {
        self.expect_level(op, a, b)?;
        if a.form() != b.form() {
            return Err(CkksError::CiphertextForm {
                op,
                expected: a.form(),
                found: b.form(),
            });
        }
        Ok(())
    }

    /// # Errors
    /// Unless both are of these parameters and of one level.
    fn expect_level(
        &self,
        op: &'static str,
        a: &Ciphertext,
        b: &Ciphertext,
    ) -> Result<(), CkksError> {
        a.check(&self.params)?;
        b.check(&self.params)?;
        if a.level() == b.level() {
            return Ok(());
        }
        Err(CkksError::Level {
            op,
            left: a.level(),
            right: b.level(),
        })
    }

    /// The ciphertext with every part mapped.
    fn map(
        &self,
        a: &Ciphertext,
        f: impl Fn(&RnsPoly<Ntt>) -> Result<RnsPoly<Ntt>, CkksError> + Sync + Send,
    ) -> Result<Ciphertext, CkksError> {
        let parts = map_parts(a.parts(), f)?;
        Ok(Ciphertext::new(parts, a.level(), a.form()))
    }
}

/// Maps parts, several at once.
fn map_parts(
    parts: &[RnsPoly<Ntt>],
    f: impl Fn(&RnsPoly<Ntt>) -> Result<RnsPoly<Ntt>, CkksError> + Sync + Send,
) -> Result<Vec<RnsPoly<Ntt>>, CkksError> {
    use rayon::prelude::*;
    parts.par_iter().map(f).collect()
}
