//! Ciphertexts and plaintexts: polynomials with a level and a form.

use super::CkksError;
use crate::params::Parameters;
use crate::ring::{Ntt, RnsBasis, RnsPoly, Seed};
use std::fmt;

/// The form of a ciphertext: how many polynomials it has and modulo what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CiphertextForm {
    /// Two polynomials modulo `Q_l`.
    Normal,
    /// Three polynomials modulo `Q_l`: a product before relinearization.
    Product,
    /// Two polynomials modulo `Q_l P`, of P times the message: a key switch before its division by P.
    Extended,
}

impl fmt::Display for CiphertextForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "a ciphertext of two parts",
            Self::Product => "a ciphertext of three parts",
            Self::Extended => "an extended ciphertext",
        })
    }
}

impl CiphertextForm {
    /// Number of polynomials of a ciphertext of this form.
    pub fn parts(self) -> usize {
        match self {
            Self::Normal | Self::Extended => 2,
            Self::Product => 3,
        }
    }

    /// The primes that a ciphertext of this form has at a level.
    ///
    /// # Errors
    /// When there is no such level.
    pub fn basis(self, params: &Parameters, level: usize) -> Result<&RnsBasis, CkksError> {
        Ok(match self {
            Self::Normal | Self::Product => params.row(level)?,
            Self::Extended => params.extended_row(level)?,
        })
    }
}

/// A ciphertext: two or three polynomials over the primes of a level; `c0 + c1 s (+ c2 s^2)` is the message plus noise.
#[derive(Clone, Debug, PartialEq)]
pub struct Ciphertext {
    parts: Vec<RnsPoly<Ntt>>,
    level: usize,
    form: CiphertextForm,
}

impl Ciphertext {
    /// A ciphertext from its polynomials.
    ///
    /// # Errors
    /// Unless the level exists and there are two or three parts over its primes (and the special primes, if extended).
    pub fn from_parts(
        params: &Parameters,
        parts: Vec<RnsPoly<Ntt>>,
        level: usize,
        extended: bool,
    ) -> Result<Self, CkksError> {
        let form = match (parts.len(), extended) {
            (2, false) => CiphertextForm::Normal,
            (3, false) => CiphertextForm::Product,
            (2, true) => CiphertextForm::Extended,
            (found, _) => return Err(CkksError::Parts { found }),
        };
        let ciphertext = Self { parts, level, form };
        ciphertext.check(params)?;
        Ok(ciphertext)
    }

    /// Parts known to fit.
    pub(super) fn new(parts: Vec<RnsPoly<Ntt>>, level: usize, form: CiphertextForm) -> Self {
        Self { parts, level, form }
    }

    /// # Errors
    /// When the parts are not polynomials of these parameters at this level.
    pub(super) fn check(&self, params: &Parameters) -> Result<(), CkksError> {
        let basis = self.form.basis(params, self.level)?;
        let fits = |part: &RnsPoly<Ntt>| part.basis() == basis && part.degree() == params.degree();
        if self.parts.iter().all(fits) {
            Ok(())
        } else {
            Err(CkksError::PartBasis { level: self.level })
        }
    }

    /// The polynomials of the ciphertext: `c0`, `c1` and, of a product, `c2`.
    pub fn parts(&self) -> &[RnsPoly<Ntt>] {
        &self.parts
    }

    /// The level of the ciphertext.
    pub fn level(&self) -> usize {
        self.level
    }

    /// The form of the ciphertext.
    pub fn form(&self) -> CiphertextForm {
        self.form
    }

    /// Whether the ciphertext is extended: modulo `Q_l P`.
    pub fn is_extended(&self) -> bool {
        self.form == CiphertextForm::Extended
    }

    /// Bytes that the polynomials take in memory.
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(RnsPoly::bytes).sum()
    }
}

/// A fresh ciphertext whose uniform polynomial is kept as a seed, which halves its size.
#[derive(Clone, Debug, PartialEq)]
pub struct SeededCiphertext {
    body: RnsPoly<Ntt>,
    seed: Seed,
    level: usize,
}

impl SeededCiphertext {
    /// A seeded ciphertext from its stored parts.
    ///
    /// # Errors
    /// Unless the level exists and the body is over its primes.
    pub fn from_parts(
        params: &Parameters,
        body: RnsPoly<Ntt>,
        seed: Seed,
        level: usize,
    ) -> Result<Self, CkksError> {
        if body.basis() != params.row(level)? || body.degree() != params.degree() {
            return Err(CkksError::PartBasis { level });
        }
        Ok(Self { body, seed, level })
    }

    /// The polynomial `c0`, which holds the message.
    pub fn body(&self) -> &RnsPoly<Ntt> {
        &self.body
    }

    /// The seed of the uniform polynomial `c1`; public.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// The level of the ciphertext.
    pub fn level(&self) -> usize {
        self.level
    }

    /// The ciphertext with both polynomials: stream `q` of the seed is `c1` modulo the prime `q`.
    ///
    /// # Errors
    /// When it was made under other parameters.
    pub fn expand(&self, params: &Parameters) -> Result<Ciphertext, CkksError> {
        let uniform = params
            .ring()
            .expand_uniform(params.row(self.level)?, self.seed, 0);
        Ciphertext::from_parts(params, vec![self.body.clone(), uniform], self.level, false)
    }
}
