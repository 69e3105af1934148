//! Ciphertexts and plaintexts: polynomials with a level and a form.

use super::CkksError;
use crate::params::Parameters;
use crate::ring::{Basis, Ntt, RnsPoly, Seed};
use std::fmt;

/// What a ciphertext's polynomials are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// Two parts modulo `Q_l`.
    Normal,
    /// Three parts modulo `Q_l`: a product before relinearization.
    Product,
    /// Two parts modulo `Q_l P`, of P times the message: a key switch before its division by P.
    Extended,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "a ciphertext of two parts",
            Self::Product => "a ciphertext of three parts",
            Self::Extended => "an extended ciphertext",
        })
    }
}

impl Form {
    /// How many parts it has.
    pub fn parts(self) -> usize {
        match self {
            Self::Normal | Self::Extended => 2,
            Self::Product => 3,
        }
    }

    /// The primes of its polynomials at a level.
    ///
    /// # Errors
    /// When there is no such level.
    pub fn basis(self, params: &Parameters, level: usize) -> Result<&Basis, CkksError> {
        Ok(match self {
            Self::Normal | Self::Product => params.row(level)?,
            Self::Extended => params.extended_row(level)?,
        })
    }
}

/// Two or three polynomials over the primes of a level: `c0 + c1 s (+ c2 s^2)` is the message plus noise.
#[derive(Clone, Debug, PartialEq)]
pub struct Ciphertext {
    parts: Vec<RnsPoly<Ntt>>,
    level: usize,
    form: Form,
}

impl Ciphertext {
    /// A ciphertext from its parts.
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
            (2, false) => Form::Normal,
            (3, false) => Form::Product,
            (2, true) => Form::Extended,
            (found, _) => return Err(CkksError::Parts { found }),
        };
        let ciphertext = Self { parts, level, form };
        ciphertext.check(params)?;
        Ok(ciphertext)
    }

    /// Parts known to fit.
    pub(super) fn new(parts: Vec<RnsPoly<Ntt>>, level: usize, form: Form) -> Self {
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

    /// Its polynomials.
    pub fn parts(&self) -> &[RnsPoly<Ntt>] {
        &self.parts
    }

    /// Its level.
    pub fn level(&self) -> usize {
        self.level
    }

    /// Its form.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Whether it is modulo `Q_l P`.
    pub fn is_extended(&self) -> bool {
        self.form == Form::Extended
    }

    /// Bytes of its words in memory.
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(RnsPoly::bytes).sum()
    }
}

/// A fresh ciphertext with its uniform half as a seed: half the size.
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

    /// The half that holds the message.
    pub fn body(&self) -> &RnsPoly<Ntt> {
        &self.body
    }

    /// The seed of the other half; public.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Its level.
    pub fn level(&self) -> usize {
        self.level
    }

    /// The whole ciphertext: stream `q` of the seed is the second part modulo the prime `q`.
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

/// An encoded plaintext; operations use the residues modulo the primes of the ciphertext they meet.
#[derive(Clone, Debug, PartialEq)]
pub struct Plaintext {
    poly: RnsPoly<Ntt>,
}

impl Plaintext {
    /// A plaintext of a polynomial.
    pub fn new(poly: RnsPoly<Ntt>) -> Self {
        Self { poly }
    }

    /// The polynomial.
    pub fn poly(&self) -> &RnsPoly<Ntt> {
        &self.poly
    }

    /// Bytes of its words in memory.
    pub fn bytes(&self) -> usize {
        self.poly.bytes()
    }
}
