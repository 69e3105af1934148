//! The back end that computes on ciphertexts.

use super::evaluator::{Encoding, Evaluator, ScaleValue, Site};
use super::keys::{KeyRing, KeySource};
use crate::binding;
use crate::ckks::{self, Ciphertext, CkksError, Encoder, Factor, Message, Plaintext};
use crate::params::Parameters;
use crate::ring::Basis;
use crate::rlwe::{Digits, EvaluationKeys};
use crate::wire::{KeyName, WireError};
use peregrine_ir::{Basis as IrBasis, Circuit, Form, KeyKind, Level, Rotation, Type};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Runs circuits on ciphertexts; never holds a secret key.
#[derive(Debug)]
pub struct CkksEvaluator {
    params: Arc<Parameters>,
    encoder: Encoder,
    keys: KeyRing,
    keyless: ckks::Evaluator,
}

impl CkksEvaluator {
    /// An evaluator that takes its keys from `source` when they are needed, and expands some of them for good.
    pub fn new(
        params: &Arc<Parameters>,
        source: Arc<dyn KeySource>,
        expanded: BTreeSet<KeyKind>,
    ) -> Self {
        let no_keys = Arc::new(EvaluationKeys::default());
        Self {
            params: params.clone(),
            encoder: Encoder::new(params),
            keys: KeyRing::new(source, expanded),
            keyless: ckks::Evaluator::new(params, &no_keys),
        }
    }

    /// The engine with one key.
    fn with(&self, kind: KeyKind) -> Result<ckks::Evaluator, CkksRunError> {
        Ok(ckks::Evaluator::new(&self.params, &self.keys.get(kind)?))
    }

    /// The primes of a constant.
    fn basis(&self, at: Encoding<'_>) -> Result<&Basis, CkksRunError> {
        let level = binding::level(at.level);
        let basis = match at.basis {
            IrBasis::Normal => self.params.row(level),
            IrBasis::Extended => self.params.extended_row(level),
        };
        Ok(basis.map_err(CkksError::from)?)
    }

    /// Whether the key of a kind covers every prime of a level.
    fn check_key(&self, kind: KeyKind, level: Level) -> Result<(), CkksRunError> {
        let found = self.keys.levels().get(&kind);
        let found = *found.ok_or(CkksRunError::MissingKey { kind, level })?;
        if found >= level {
            return Ok(());
        }
        Err(CkksRunError::KeyLevel { kind, found, level })
    }
}

/// An encoded constant.
#[derive(Clone, Debug)]
pub enum Plain {
    /// For any number of uses.
    Encoded(Plaintext),
    /// For a single one.
    Message(Message),
}

impl Plain {
    fn factor(&self) -> Factor<'_> {
        match self {
            Self::Encoded(plaintext) => plaintext.into(),
            Self::Message(message) => message.into(),
        }
    }
}

impl Evaluator for CkksEvaluator {
    type Cipher = Ciphertext;
    type Plain = Plain;
    type Digits = Digits;
    type Error = CkksRunError;

    fn accept(&self, circuit: &Circuit) -> Result<(), CkksRunError> {
        if binding::literal(&circuit.ring) != *self.params.literal() {
            return Err(CkksRunError::Ring);
        }
        let keys = circuit.keys.levels.iter();
        let missing: Vec<CkksRunError> = keys
            .filter_map(|(&kind, &level)| self.check_key(kind, level).err())
            .collect();
        match <[CkksRunError; 1]>::try_from(missing) {
            Ok([one]) => Err(one),
            Err(none) if none.is_empty() => Ok(()),
            Err(several) => Err(CkksRunError::Keys(several)),
        }
    }

    fn prepare(&self, keys: &[KeyKind]) -> Result<(), CkksRunError> {
        let read = keys.par_iter().map(|&k| self.keys.prepare(k).err());
        let failure = read.collect::<Vec<_>>().into_iter().flatten().next();
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    fn release(&self, keys: &[KeyKind]) {
        keys.iter().for_each(|&kind| self.keys.release(kind));
    }

    fn seal(&self, site: Site<'_>, a: Ciphertext) -> Result<Ciphertext, CkksRunError> {
        let found = (a.level(), binding::form(a.form()));
        match site.ty {
            Type::Cipher { level, form, .. } if found == (binding::level(*level), *form) => Ok(a),
            other => Err(CkksRunError::Type {
                found_level: found.0,
                found_form: found.1,
                expected: other.display(site.circuit.ring.unit_bits),
            }),
        }
    }

    fn encode(&self, slots: &[f64], at: Encoding<'_>) -> Result<Plain, CkksRunError> {
        let basis = self.basis(at)?;
        let encoded = self.encoder.encode_real(slots, at.scale.value, basis);
        Ok(encoded.map(Plain::Encoded)?)
    }

    fn encode_for_dot(&self, slots: &[f64], at: Encoding<'_>) -> Result<Plain, CkksRunError> {
        let message = self.encoder.message(slots, at.scale.value, self.basis(at)?);
        Ok(message.map(Plain::Message)?)
    }

    fn add(&self, terms: &[&Ciphertext]) -> Result<Ciphertext, CkksRunError> {
        Ok(self.keyless.sum(terms)?)
    }

    fn sub(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, CkksRunError> {
        Ok(self.keyless.sub(a, b)?)
    }

    fn negate(&self, a: &Ciphertext) -> Result<Ciphertext, CkksRunError> {
        Ok(self.keyless.negate(a)?)
    }

    fn add_plain(&self, a: &Ciphertext, p: &Plain) -> Result<Ciphertext, CkksRunError> {
        Ok(match p {
            Plain::Encoded(p) => self.keyless.add_plain(a, p)?,
            Plain::Message(message) => {
                let basis = self.params.row(a.level()).map_err(CkksError::from)?;
                let p = message.encoded(&self.params, basis);
                self.keyless.add_plain(a, &p)?
            }
        })
    }

    fn mul_plain(&self, a: &Ciphertext, p: &Plain) -> Result<Ciphertext, CkksRunError> {
        self.dot(&[a], &[p])
    }

    fn mul_scalar(
        &self,
        a: &Ciphertext,
        factor: f64,
        scale: ScaleValue<'_>,
    ) -> Result<Ciphertext, CkksRunError> {
        Ok(self.keyless.mul_scalar(a, factor, scale.value)?)
    }

    fn dot(&self, ciphers: &[&Ciphertext], plains: &[&Plain]) -> Result<Ciphertext, CkksRunError> {
        let factors: Vec<Factor<'_>> = plains.iter().map(|p| p.factor()).collect();
        Ok(self.keyless.dot(ciphers, &factors)?)
    }

    fn dot_scalar(
        &self,
        ciphers: &[&Ciphertext],
        factors: &[f64],
        scale: ScaleValue<'_>,
    ) -> Result<Ciphertext, CkksRunError> {
        Ok(self.keyless.dot_scalar(ciphers, factors, scale.value)?)
    }

    fn mul(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, CkksRunError> {
        Ok(self.keyless.mul(a, b)?)
    }

    fn square(&self, a: &Ciphertext) -> Result<Ciphertext, CkksRunError> {
        Ok(self.keyless.square(a)?)
    }

    fn relinearize(&self, a: &Ciphertext) -> Result<Ciphertext, CkksRunError> {
        Ok(self.with(KeyKind::Relinearization)?.relinearize(a)?)
    }

    fn relinearize_ext(&self, a: &Ciphertext, digits: &Digits) -> Result<Ciphertext, CkksRunError> {
        let engine = self.with(KeyKind::Relinearization)?;
        Ok(engine.relinearize_ext(a, digits)?)
    }

    fn rescale(&self, a: &Ciphertext, to: Level) -> Result<Ciphertext, CkksRunError> {
        Ok(self.keyless.rescale(a, binding::level(to))?)
    }

    fn drop_level(&self, a: &Ciphertext, to: Level) -> Result<Ciphertext, CkksRunError> {
        Ok(self.keyless.drop_level(a, binding::level(to))?)
    }

    fn decompose(&self, a: &Ciphertext) -> Result<Digits, CkksRunError> {
        Ok(self.keyless.decompose(a)?)
    }

    fn rotate_ext(
        &self,
        a: &Ciphertext,
        digits: &Digits,
        rotation: Rotation,
    ) -> Result<Ciphertext, CkksRunError> {
        let engine = self.with(KeyKind::Rotation(rotation))?;
        Ok(engine.rotate_ext(a, digits, rotation.0)?)
    }

    fn mod_down(&self, a: &Ciphertext) -> Result<Ciphertext, CkksRunError> {
        Ok(self.keyless.mod_down(a)?)
    }

    fn rotate(&self, a: &Ciphertext, rotation: Rotation) -> Result<Ciphertext, CkksRunError> {
        let engine = self.with(KeyKind::Rotation(rotation))?;
        Ok(engine.rotate(a, rotation.0)?)
    }

    fn conjugate(&self, a: &Ciphertext) -> Result<Ciphertext, CkksRunError> {
        Ok(self.with(KeyKind::Conjugation)?.conjugate(a)?)
    }

    fn mul_monomial(&self, a: &Ciphertext, exponent: u32) -> Result<Ciphertext, CkksRunError> {
        Ok(self.keyless.mul_monomial(a, exponent.into())?)
    }
}

/// Why ciphertexts cannot be computed on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CkksRunError {
    /// The circuit is over another ring.
    #[error("the circuit's ring is not the one the keys were made for")]
    Ring,
    /// A key that the circuit declares is not there.
    #[error("the {} for level {level} is missing", KeyName(*kind))]
    MissingKey {
        /// Its kind.
        kind: KeyKind,
        /// The level of use.
        level: Level,
    },
    /// A key that does not reach the level of its use.
    #[error("the {} serves level {found}, level {level} is needed", KeyName(*kind))]
    KeyLevel {
        /// Its kind.
        kind: KeyKind,
        /// The level it was made for.
        found: Level,
        /// The level of use.
        level: Level,
    },
    /// Several keys are wrong.
    #[error("{} keys are missing or too low; the first: {}", .0.len(), .0.first().map_or(String::new(), ToString::to_string))]
    Keys(Vec<CkksRunError>),
    /// A ciphertext of another type.
    #[error("the ciphertext is at level {found_level} in form {found_form:?}, expected {expected}")]
    Type {
        /// Its level.
        found_level: usize,
        /// Its form.
        found_form: Form,
        /// The type.
        expected: String,
    },
    /// The engine refused.
    #[error(transparent)]
    Ckks(#[from] CkksError),
    /// A key could not be read.
    #[error(transparent)]
    Key(#[from] WireError),
}
