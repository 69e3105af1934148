//! Evaluation keys: what a server needs to multiply and rotate. Public.
//!
//! A key holds, for each digit `d` that meets its row, the half `b_d = -a_d t + e_d + P g_d s'` over the row's primes and the
//! special primes; the uniform halves `a_d` are expanded from one seed when the key is made or loaded. Which secrets:
//!
//! | kind | from `s'` | to `t` | used for |
//! |---|---|---|---|
//! | relinearization | `s^2` | `s` | the third part of a product |
//! | Galois `g` | `s` | `s(X^(1/g))` | the result is then mapped by `X -> X^g`, which turns `t` into `s` |
//!
//! Mapping *after* the inner product lets all rotations of one ciphertext share its digits.
//!
//! Size: `digits * primes * N` words in a file, twice that in memory.

use super::{RlweError, SecretKey, encrypt_zero};
use crate::params::Parameters;
use crate::ring::{Basis, Halves, Ntt, Randomness, RnsPoly, Seed};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Streams of a key's seed reserved for each digit: more than there are primes.
const STREAMS_PER_DIGIT: u64 = 1 << 16;

/// What a key switches from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// From `s^2`.
    Relinearization,
    /// For the automorphism `X -> X^g`, by its exponent `g`.
    Galois(u64),
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relinearization => f.write_str("relinearization key"),
            Self::Galois(exponent) => write!(f, "Galois key of exponent {exponent}"),
        }
    }
}

/// One digit of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyDigit {
    digit: usize,
    b: RnsPoly<Ntt>,
    a: RnsPoly<Ntt>,
}

impl KeyDigit {
    /// Which digit of the parameters.
    pub fn digit(&self) -> usize {
        self.digit
    }

    /// The half that holds the secret.
    pub fn b(&self) -> &RnsPoly<Ntt> {
        &self.b
    }

    /// Both halves, the uniform one last.
    pub(super) fn halves(&self) -> Halves<'_> {
        [&self.b, &self.a]
    }
}

/// A key for one kind of key switch.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluationKey {
    kind: KeyKind,
    basis: Basis,
    seed: Seed,
    digits: Vec<KeyDigit>,
}

impl EvaluationKey {
    /// Makes the key for use at `level` and every level with a subset of its primes.
    ///
    /// Cost: for each digit one uniform expansion, one noise polynomial and a transform per limb; digits in sequence, limbs in
    /// parallel.
    ///
    /// # Errors
    /// When the level does not exist, the exponent is not that of an automorphism, or there are no special primes.
    pub fn generate(
        params: &Parameters,
        secret: &SecretKey,
        kind: KeyKind,
        level: usize,
        randomness: &mut Randomness,
    ) -> Result<Self, RlweError> {
        if params.special().is_empty() {
            return Err(RlweError::NoKeySwitching);
        }
        let basis = params.extended_row(level)?.clone();
        let ring = params.ring();
        let s = Zeroizing::new(secret.poly().restrict(ring, &basis)?);
        let (from, to) = match kind {
            KeyKind::Relinearization => (Zeroizing::new(ring.mul(&s, &s)?), s),
            KeyKind::Galois(exponent) => {
                ring.permutation(exponent)?;
                let to = Zeroizing::new(ring.automorphism(&s, ring.inverse_exponent(exponent))?);
                (s, to)
            }
        };
        let seed = randomness.seed();
        let mut digits = Vec::new();
        for (digit, primes) in params.digits_of(params.row(level)?) {
            let uniform = (seed, digit as u64 * STREAMS_PER_DIGIT);
            let (mut b, a) = encrypt_zero(params, &to, &basis, uniform, randomness)?;
            ring.add_multiple_assign(&mut b, &from, &primes, params.special())?;
            digits.push(KeyDigit { digit, b, a });
        }
        Ok(Self {
            kind,
            basis,
            seed,
            digits,
        })
    }

    /// A key from its stored parts: kind, primes, seed, and `(digit, b)` for each digit; expands the uniform halves.
    ///
    /// # Errors
    /// When the primes do not include the special primes, or a digit is over other primes, unknown or repeated.
    pub fn from_parts(
        params: &Parameters,
        kind: KeyKind,
        basis: Basis,
        seed: Seed,
        halves: Vec<(usize, RnsPoly<Ntt>)>,
    ) -> Result<Self, RlweError> {
        params.ring().check_basis(&basis)?;
        if params.special().is_empty() || !basis.is_superset(params.special()) {
            return Err(RlweError::NotExtended { kind });
        }
        if let KeyKind::Galois(exponent) = kind {
            params.ring().permutation(exponent)?;
        }
        let mut digits: Vec<KeyDigit> = Vec::new();
        for (digit, b) in halves {
            let known = digit < params.digits().len() && digits.iter().all(|d| d.digit != digit);
            if !known || b.basis() != &basis || b.degree() != params.degree() {
                return Err(RlweError::KeyBasis { kind, digit });
            }
            let a = params
                .ring()
                .expand_uniform(&basis, seed, digit as u64 * STREAMS_PER_DIGIT);
            digits.push(KeyDigit { digit, b, a });
        }
        Ok(Self {
            kind,
            basis,
            seed,
            digits,
        })
    }

    /// What it switches from.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The primes it covers: those of a level and the special primes.
    pub fn basis(&self) -> &Basis {
        &self.basis
    }

    /// The seed of the uniform halves; public.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Its digits.
    pub fn digits(&self) -> &[KeyDigit] {
        &self.digits
    }

    pub(super) fn digit(&self, digit: usize) -> Result<&KeyDigit, RlweError> {
        let missing = RlweError::MissingDigit {
            kind: self.kind,
            digit,
        };
        self.digits.iter().find(|d| d.digit == digit).ok_or(missing)
    }
}

/// The keys of a server, by kind.
#[derive(Clone, Debug, Default)]
pub struct EvaluationKeys(BTreeMap<KeyKind, Arc<EvaluationKey>>);

impl EvaluationKeys {
    /// Adds a key, replacing one of the same kind.
    pub fn insert(&mut self, key: EvaluationKey) {
        self.0.insert(key.kind, Arc::new(key));
    }

    /// The key of a kind.
    ///
    /// # Errors
    /// When there is none.
    pub fn get(&self, kind: KeyKind) -> Result<&EvaluationKey, RlweError> {
        self.0
            .get(&kind)
            .map(Arc::as_ref)
            .ok_or(RlweError::MissingKey { kind })
    }

    /// All keys.
    pub fn iter(&self) -> impl Iterator<Item = &EvaluationKey> {
        self.0.values().map(Arc::as_ref)
    }
}

impl FromIterator<EvaluationKey> for EvaluationKeys {
    fn from_iter<T: IntoIterator<Item = EvaluationKey>>(keys: T) -> Self {
        Self(
            keys.into_iter()
                .map(|key| (key.kind, Arc::new(key)))
                .collect(),
        )
    }
}
