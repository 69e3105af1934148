//! Evaluation keys: what a server needs to multiply and rotate. Public.
//!
//! A key holds, for each digit `d` that meets its row, the half `b_d = -a_d t + e_d + P g_d s'` over the row's primes and the
//! special primes; the uniform halves `a_d` are expanded from one seed when the key is made or loaded. Which secrets:
//!
//! | kind | from `s'` | to `t` | used for |
//! |---|---|---|---|
//! | relinearization | `s^2` | `s` | the third part of a product |
//! | Galois `g` | `s` | `s(X^(1/g))` | the result is then mapped by `X -> X^g`, which turns `t` into `s` |
//! | ring switch | `s` | `t'(X^r)`, `t'` of a smaller ring | of the result every `r`-th coefficient is kept |
//! | ring switch | `s'(X^r)`, `s'` of a smaller ring | `t` | the operand is `c(X^r)` before |
//! | raise, Galois `g` | `s'(X^r)`, `s'` of a ring of the same degree or a smaller one | `t(X^(1/g))` | the result is then mapped by `X -> X^g` |
//!
//! Mapping *after* the inner product lets all rotations of one ciphertext share its digits.
//!
//! Size: `digits * primes * N` residues, packed, in a file; twice as many, a word each, once expanded.

use super::{Gadget, Placement, RlweError, SecretKey, SecretKeys, SwitchKey, encrypt_zero};
use crate::params::{Parameters, Rings};
use crate::ring::{Halves, Ntt, Randomness, Ring, RnsBasis, RnsPoly, Seed};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Streams of a key's seed reserved for each of its digits: streams are numbered by primes, which are below this.
pub(super) const STREAMS_PER_DIGIT: u64 = Parameters::MAX_PRIME;

/// What a key switches from: the secret, or product or image of a secret, that it leads away from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// The square `s^2` of the secret: a relinearization key.
    Relinearization,
    /// The image of the secret under the automorphism `X -> X^g`, by its exponent `g`.
    Galois(u64),
    /// The secret of another ring, of another degree or of another kind.
    RingSwitch,
    /// The secret of another ring for a raise of the modulus and the automorphism `X -> X^g`, by its exponent `g`.
    Raise(u64),
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relinearization => f.write_str("relinearization key"),
            Self::Galois(exponent) => write!(f, "Galois key of exponent {exponent}"),
            Self::RingSwitch => f.write_str("ring-switching key"),
            Self::Raise(exponent) => write!(f, "raising key of exponent {exponent}"),
        }
    }
}

/// One digit of an evaluation key: an encryption of the digit's gadget factor times the secret that the key switches from.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyDigit {
    digit: usize,
    b: RnsPoly<Ntt>,
    a: RnsPoly<Ntt>,
}

impl KeyDigit {
    /// The number of the digit in the parameters of the key.
    pub fn digit(&self) -> usize {
        self.digit
    }

    /// The half `b` of the digit, which holds the secret; the uniform half `a` follows from the seed of the key.
    pub fn b(&self) -> &RnsPoly<Ntt> {
        &self.b
    }

    /// Both halves, the uniform one last.
    pub(super) fn halves(&self) -> Halves<'_> {
        Halves::Expanded([&self.b, &self.a])
    }
}

/// An evaluation key, with expanded digits, for one kind of key switch.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluationKey {
    kind: KeyKind,
    basis: RnsBasis,
    seed: Seed,
    digits: Vec<KeyDigit>,
}

impl EvaluationKey {
    /// Makes an evaluation key of one ring for use at `level`, every level before it, and every level with a subset of their
    /// primes.
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
        let gadget = Gadget::at_level(params, level)?;
        Self::within(params.ring(), secret, kind, &gadget, randomness)
    }

    /// Makes an evaluation key, see [`Self::generate`], over primes of a ring that are no level's.
    ///
    /// # Errors
    /// As for [`Self::generate`].
    pub(crate) fn within(
        ring: &Ring,
        secret: &SecretKey,
        kind: KeyKind,
        gadget: &Gadget,
        randomness: &mut Randomness,
    ) -> Result<Self, RlweError> {
        let s = secret.poly();
        let other = Zeroizing::new(match kind {
            KeyKind::Relinearization => ring.dot(gadget.basis(), &[(s, s)])?,
            KeyKind::Galois(exponent) => {
                ring.permutation(exponent)?;
                let s = Zeroizing::new(s.restrict(ring, gadget.basis())?);
                ring.automorphism(&s, ring.inverse_exponent(exponent))?
            }
            KeyKind::RingSwitch | KeyKind::Raise(_) => return Err(RlweError::OneSecret { kind }),
        });
        let secrets = match kind {
            KeyKind::Relinearization => (&*other, s),
            KeyKind::Galois(_) | KeyKind::RingSwitch | KeyKind::Raise(_) => (s, &*other),
        };
        Self::between(ring, kind, secrets, gadget, randomness)
    }

    /// Makes the key that leads from a ring, by its number, to a level of another ring, and to every level of that ring before it.
    ///
    /// Cost: as for [`Self::generate`].
    ///
    /// # Errors
    /// When a ring or the level does not exist, the secret of the level is the one that it would lead from, or its ring has no special
    /// primes.
    pub fn for_ring_switch(
        rings: &Rings,
        secrets: &SecretKeys,
        (from, level): (usize, usize),
        randomness: &mut Randomness,
    ) -> Result<Self, RlweError> {
        let (into, to) = (rings.at(level), rings.ring_of(level));
        let bridge = rings.bridge(from, to).zip(rings.ring(from));
        let known = bridge.zip(secrets.get(from));
        let ((params, own), secret) = known.ok_or(RlweError::NoRingSwitch { from, to })?;
        let gadget = Gadget::at_level(params, level)?;
        let to = (into.ring(), &**secrets.at(level));
        let kind = KeyKind::RingSwitch;
        Self::leading(kind, (own.ring(), &**secret), to, &gadget, randomness)
    }

    /// Makes the key that raises moduli from a ring, by its number, to a level of another ring of the same degree or a larger one, and to
    /// every level of that ring before it, and then maps by `X -> X^exponent`.
    ///
    /// Cost: as for [`Self::generate`], of one digit.
    ///
    /// # Errors
    /// When a ring or the level does not exist, the secret of the level is the one that it would lead from, its ring has no special
    /// primes or a smaller degree, or the exponent is not that of an automorphism.
    pub fn for_raise(
        rings: &Rings,
        secrets: &SecretKeys,
        (from, level): (usize, usize),
        exponent: u64,
        randomness: &mut Randomness,
    ) -> Result<Self, RlweError> {
        let (into, to) = (rings.at(level), rings.ring_of(level));
        let own = rings.bridge(from, to).and_then(|_| rings.ring(from));
        let own = own.filter(|own| own.degree() <= into.degree());
        let known = own.zip(secrets.get(from));
        let (own, secret) = known.ok_or(RlweError::NoRingSwitch { from, to })?;
        let gadget = Gadget::of_raise(into, level)?;
        let to = (into.ring(), &**secrets.at(level));
        let kind = KeyKind::Raise(exponent);
        Self::leading(kind, (own.ring(), &**secret), to, &gadget, randomness)
    }

    /// Makes the key that leads from a secret in one ring to a secret in another. The ring of larger degree has the primes of the gadget, whose
    /// numbers are its own; the other one has them, too, where it is the one that the key leads to.
    ///
    /// # Errors
    /// When one of them lacks a prime, or the exponent of a raise is not that of an automorphism.
    pub(crate) fn leading(
        kind: KeyKind,
        from: (&Ring, &SecretKey),
        to: (&Ring, &SecretKey),
        gadget: &Gadget,
        randomness: &mut Randomness,
    ) -> Result<Self, RlweError> {
        let ring = match from.0.degree() < to.0.degree() {
            true => to.0,
            false => from.0,
        };
        let brought = |(own, secret): (&Ring, &SecretKey)| {
            Ok::<_, RlweError>(Zeroizing::new(match own.degree() == ring.degree() {
                true => secret.poly().restrict(ring, gadget.basis())?,
                false => (secret.spread(ring)?.poly()).restrict(ring, gadget.basis())?,
            }))
        };
        let (from, mut to) = (brought(from)?, brought(to)?);
        if let KeyKind::Raise(exponent) = kind {
            ring.permutation(exponent)?;
            to = Zeroizing::new(ring.automorphism(&to, ring.inverse_exponent(exponent))?);
        }
        Self::between(ring, kind, (&from, &to), gadget, randomness)
    }

    /// The key from one secret to another, both over the primes of the key at least.
    fn between(
        ring: &Ring,
        kind: KeyKind,
        (from, to): (&RnsPoly<Ntt>, &RnsPoly<Ntt>),
        gadget: &Gadget,
        randomness: &mut Randomness,
    ) -> Result<Self, RlweError> {
        let seed = randomness.seed();
        let digits = gadget.digits().iter().enumerate();
        let digits: Vec<_> = digits.map(|digit| (digit, randomness.fork())).collect();
        let make = |((own, (digit, primes)), mut randomness): (
            (usize, &(usize, RnsBasis)),
            Randomness,
        )| {
            let uniform = (seed, own as u64 * STREAMS_PER_DIGIT);
            let (mut b, a) = encrypt_zero(ring, to, gadget.basis(), uniform, &mut randomness)?;
            ring.add_multiple_assign(&mut b, from, primes, gadget.special())?;
            let digit = *digit;
            Ok(KeyDigit { digit, b, a })
        };
        let digits: Result<_, RlweError> = digits.into_par_iter().map(make).collect();
        Ok(Self {
            kind,
            seed,
            digits: digits?,
            basis: gadget.basis().clone(),
        })
    }

    /// A key of expanded digits, each over the primes of `basis`.
    pub(super) fn of_digits(
        kind: KeyKind,
        basis: RnsBasis,
        seed: Seed,
        digits: Vec<(usize, [RnsPoly<Ntt>; 2])>,
    ) -> Self {
        let digit = |(digit, [b, a]): (usize, [RnsPoly<Ntt>; 2])| KeyDigit { digit, b, a };
        let digits = digits.into_iter().map(digit).collect();
        Self {
            kind,
            basis,
            seed,
            digits,
        }
    }

    /// This key for other parameters of its degree, whose primes it has; shares the words.
    ///
    /// # Errors
    /// When the primes do not include the special primes, or a digit is unknown or repeated.
    pub(crate) fn placed(
        &self,
        params: &Parameters,
        placement: &Placement,
    ) -> Result<Self, RlweError> {
        placement.check(params)?;
        let (kind, basis) = (placement.kind, &placement.basis);
        let digits = placement.digits.iter().map(|&(digit, own)| {
            let known = self.digits.get(own);
            let known = known.ok_or(RlweError::MissingDigit { kind, digit: own })?;
            let half = |half: &RnsPoly<Ntt>| half.renumbered(basis.clone(), &placement.limbs);
            Ok((digit, [half(&known.b), half(&known.a)]))
        });
        let digits = digits.collect::<Result<_, RlweError>>()?;
        Ok(Self::of_digits(kind, basis.clone(), self.seed, digits))
    }

    /// What the key switches from.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The primes of the key: those of its levels and the special primes.
    pub fn basis(&self) -> &RnsBasis {
        &self.basis
    }

    /// The seed of the uniform halves of all digits; public.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// The digits of the key.
    pub fn digits(&self) -> &[KeyDigit] {
        &self.digits
    }

    pub(super) fn halves(&self, digit: usize) -> Option<Halves<'_>> {
        let digit = self.digits.iter().find(|d| d.digit == digit);
        digit.map(KeyDigit::halves)
    }
}

/// A set of evaluation keys, at most one of each kind.
#[derive(Clone, Debug, Default)]
pub struct EvaluationKeys(BTreeMap<KeyKind, Arc<SwitchKey>>);

impl EvaluationKeys {
    /// Adds a key, replacing one of the same kind.
    pub fn insert(&mut self, key: impl Into<SwitchKey>) {
        let key = key.into();
        self.0.insert(key.kind(), Arc::new(key));
    }

    /// The evaluation key of a kind.
    ///
    /// # Errors
    /// When there is none.
    pub fn get(&self, kind: KeyKind) -> Result<&SwitchKey, RlweError> {
        self.0
            .get(&kind)
            .map(Arc::as_ref)
            .ok_or(RlweError::MissingKey { kind })
    }

    /// All evaluation keys of the set, by kind.
    pub fn iter(&self) -> impl Iterator<Item = &SwitchKey> {
        self.0.values().map(Arc::as_ref)
    }
}
