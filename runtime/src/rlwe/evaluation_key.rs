//! Evaluation keys: what a server needs to multiply and rotate. Public.
//!
//! A key holds, for each digit `d` that meets its row, the half `b_d = -a_d t + e_d + P g_d s'` over the row's primes and the
//! special primes; the uniform halves `a_d` are expanded from one seed when the key is made or loaded. Which secrets:
//!
//! | kind | from `s'` | to `t` | used for |
//! |---|---|---|---|
//! | relinearization | `s^2` | `s` | the third part of a product |
//! | Galois `g` | `s` | `s(X^(1/g))` | the result is then mapped by `X -> X^g`, which turns `t` into `s` |
//! | ring switch | `s` | `t'(X^r)`, `t'` of the small ring | of the result every `r`-th coefficient is kept |
//!
//! Mapping *after* the inner product lets all rotations of one ciphertext share its digits.
//!
//! Size: `digits * primes * N` residues, packed, in a file; twice as many, a word each, once expanded.

use super::{RlweError, SecretKey, SecretKeys, SwitchKey, encrypt_zero};
use crate::params::{Parameters, Rings};
use crate::ring::{Basis, Halves, Ntt, Randomness, RnsPoly, Seed};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Streams of a key's seed reserved for each digit: more than there are primes.
pub(super) const STREAMS_PER_DIGIT: u64 = 1 << 16;

/// What a key switches from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// From `s^2`.
    Relinearization,
    /// For the automorphism `X -> X^g`, by its exponent `g`.
    Galois(u64),
    /// From the secret of the main ring to that of the small one.
    RingSwitch,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relinearization => f.write_str("relinearization key"),
            Self::Galois(exponent) => write!(f, "Galois key of exponent {exponent}"),
            Self::RingSwitch => f.write_str("ring-switching key"),
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
        Halves::Expanded([&self.b, &self.a])
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
    /// Makes a key of one ring for use at `level`, every level before it, and every level with a subset of their primes.
    ///
    /// Cost: for each digit one uniform expansion, one noise polynomial and a transform per limb; digits and limbs in parallel.
    /// The key depends on what `randomness` gives and on nothing else.
    ///
    /// # Errors
    /// When the level does not exist, the exponent is not that of an automorphism, there are no special primes, or the key is one
    /// for switching rings.
    pub fn generate(
        params: &Parameters,
        secret: &SecretKey,
        kind: KeyKind,
        level: usize,
        randomness: &mut Randomness,
    ) -> Result<Self, RlweError> {
        let basis = key_basis(params, level)?;
        let (ring, s) = (params.ring(), secret.poly());
        let other = Zeroizing::new(match kind {
            KeyKind::Relinearization => ring.dot(&basis, &[(s, s)])?,
            KeyKind::Galois(exponent) => {
                ring.permutation(exponent)?;
                let s = Zeroizing::new(s.restrict(ring, &basis)?);
                ring.automorphism(&s, ring.inverse_exponent(exponent))?
            }
            KeyKind::RingSwitch => return Err(RlweError::OneSecret),
        });
        let secrets = match kind {
            KeyKind::Relinearization => (&*other, s),
            KeyKind::Galois(_) | KeyKind::RingSwitch => (s, &*other),
        };
        Self::between(params, kind, secrets, level, randomness)
    }

    /// Makes the key that leads from the main ring to a level of the small one, and to every level before it.
    ///
    /// Cost: as for [`Self::generate`].
    ///
    /// # Errors
    /// When the small ring or the level does not exist, or the small ring has no special primes.
    pub fn for_ring_switch(
        rings: &Rings,
        secrets: &SecretKeys,
        level: usize,
        randomness: &mut Randomness,
    ) -> Result<Self, RlweError> {
        let (params, small) = (rings.bridge(), rings.small().zip(secrets.small()));
        let (params, (small, to)) = params.zip(small).ok_or(RlweError::NoSmallRing)?;
        let basis = key_basis(params, level)?;
        let to = params.ring().spread(small.ring(), to.poly(), &basis)?;
        let to = Zeroizing::new(to);
        let secrets = (secrets.main().poly(), &*to);
        Self::between(params, KeyKind::RingSwitch, secrets, level, randomness)
    }

    /// The key from one secret to another, both over the primes of the key at least.
    fn between(
        params: &Parameters,
        kind: KeyKind,
        (from, to): (&RnsPoly<Ntt>, &RnsPoly<Ntt>),
        level: usize,
        randomness: &mut Randomness,
    ) -> Result<Self, RlweError> {
        let (ring, basis) = (params.ring(), key_basis(params, level)?);
        let row = params.key_row(level)?;
        let seed = randomness.seed();
        let digits = params.digits_of(row);
        let digits: Vec<_> = digits.map(|digit| (digit, randomness.fork())).collect();
        let make = |((digit, primes), mut randomness): ((usize, Basis), Randomness)| {
            let uniform = (seed, digit as u64 * STREAMS_PER_DIGIT);
            let (mut b, a) = encrypt_zero(params, to, &basis, uniform, &mut randomness)?;
            ring.add_multiple_assign(&mut b, from, &primes, params.special())?;
            Ok(KeyDigit { digit, b, a })
        };
        let digits: Result<_, RlweError> = digits.into_par_iter().map(make).collect();
        Ok(Self {
            kind,
            seed,
            digits: digits?,
            basis,
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
        let digits: Vec<usize> = halves.iter().map(|(digit, _)| *digit).collect();
        check_parts(params, kind, &basis, &digits)?;
        let fits = |b: &RnsPoly<Ntt>| b.basis() == &basis && b.degree() == params.degree();
        if let Some(&(digit, _)) = halves.iter().find(|(_, b)| !fits(b)) {
            return Err(RlweError::KeyBasis { kind, digit });
        }
        let expand = |(digit, b)| {
            let first_stream = digit as u64 * STREAMS_PER_DIGIT;
            let a = params.ring().expand_uniform(&basis, seed, first_stream);
            KeyDigit { digit, b, a }
        };
        Ok(Self {
            kind,
            seed,
            digits: halves.into_par_iter().map(expand).collect(),
            basis,
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

    pub(super) fn halves(&self, digit: usize) -> Option<Halves<'_>> {
        let digit = self.digits.iter().find(|d| d.digit == digit);
        digit.map(KeyDigit::halves)
    }
}

/// The primes of a key that serves up to a level.
///
/// # Errors
/// When the level does not exist or there are no special primes.
fn key_basis(params: &Parameters, level: usize) -> Result<Basis, RlweError> {
    if params.special().is_empty() {
        return Err(RlweError::NoKeySwitching);
    }
    Ok(params.key_row(level)?.union(params.special()))
}

/// # Errors
/// When the primes do not include the special primes, the kind is none, or a digit is unknown or repeated.
pub(super) fn check_parts(
    params: &Parameters,
    kind: KeyKind,
    basis: &Basis,
    digits: &[usize],
) -> Result<(), RlweError> {
    params.ring().check_basis(basis)?;
    if params.special().is_empty() || !basis.is_superset(params.special()) {
        return Err(RlweError::NotExtended { kind });
    }
    if let KeyKind::Galois(exponent) = kind {
        params.ring().permutation(exponent)?;
    }
    for (i, &digit) in digits.iter().enumerate() {
        if digit >= params.digits().len() || digits[..i].contains(&digit) {
            return Err(RlweError::KeyBasis { kind, digit });
        }
    }
    Ok(())
}

/// The keys of a server, by kind.
#[derive(Clone, Debug, Default)]
pub struct EvaluationKeys(BTreeMap<KeyKind, Arc<SwitchKey>>);

impl EvaluationKeys {
    /// Adds a key, replacing one of the same kind.
    pub fn insert(&mut self, key: impl Into<SwitchKey>) {
        let key = key.into();
        self.0.insert(key.kind(), Arc::new(key));
    }

    /// The key of a kind.
    ///
    /// # Errors
    /// When there is none.
    pub fn get(&self, kind: KeyKind) -> Result<&SwitchKey, RlweError> {
        self.0
            .get(&kind)
            .map(Arc::as_ref)
            .ok_or(RlweError::MissingKey { kind })
    }

    /// All keys.
    pub fn iter(&self) -> impl Iterator<Item = &SwitchKey> {
        self.0.values().map(Arc::as_ref)
    }
}
