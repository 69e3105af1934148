//! From the circuit's vocabulary to the engine's: rings, keys, forms.

use crate::ckks;
use crate::params::{Parameters, ParametersError, RingLiteral, Rings, RingsLiteral};
use crate::ring;
use crate::rlwe::{self, Gadget, Placement, RlweError};
use peregrine_ir::{Entity, Form, Key, KeyKind, KeyShape, Level, Prime, RingId, RingTable};
use std::sync::Arc;

/// The checked parameters of a circuit's rings, with all tables.
///
/// # Errors
/// When the engine cannot work in these rings.
pub fn rings(ring: &RingTable) -> Result<Arc<Rings>, ParametersError> {
    Rings::new(literal(ring))
}

/// The parameters of a circuit's rings, unchecked.
pub(crate) fn literal(ring: &RingTable) -> RingsLiteral {
    let rings = ring.rings.values().map(|spec| RingLiteral {
        log_n: spec.log_n,
        secret: spec.secret,
        special: spec.special.iter().map(|p| p.index()).collect(),
        // Of no use where nothing is key-switched.
        digits: match spec.special.as_slice() {
            [] => Vec::new(),
            _ => spec.digits.iter().map(|digit| indices(digit)).collect(),
        },
    });
    let levels = ring.levels.iter();
    RingsLiteral {
        pool: ring.primes.values().copied().collect(),
        special: ring.special.values().copied().collect(),
        rings: rings.collect(),
        levels: levels
            .map(|level| (level.ring.index(), indices(&level.primes)))
            .collect(),
    }
}

fn indices(primes: &[Prime]) -> Vec<usize> {
    primes.iter().map(|p| p.index()).collect()
}

/// The parameters of a key; none of a ring there is not.
pub(crate) fn key_parameters(rings: &Rings, key: Key) -> Option<&Arc<Parameters>> {
    let (from, to) = (key.from.index(), key.to.index());
    match key.kind {
        KeyKind::RingSwitch => rings.bridge(from, to),
        KeyKind::Relinearization
        | KeyKind::Conjugation
        | KeyKind::Rotation(_)
        | KeyKind::Raise(_) => rings.ring(to),
    }
}

/// What a key of a circuit is to the engine, in a ring of its degree.
pub(crate) fn key_kind(ring: &ring::Ring, kind: KeyKind) -> rlwe::KeyKind {
    match kind {
        KeyKind::Relinearization => rlwe::KeyKind::Relinearization,
        KeyKind::Conjugation => rlwe::KeyKind::Galois(ring.conjugation_exponent()),
        KeyKind::Rotation(k) => rlwe::KeyKind::Galois(ring.rotation_exponent(k.0)),
        KeyKind::RingSwitch => rlwe::KeyKind::RingSwitch,
        KeyKind::Raise(k) => rlwe::KeyKind::Raise(ring.rotation_exponent(k.0)),
    }
}

/// The primes of a key in the numbers of a ring.
///
/// # Errors
/// When the ring lacks one.
pub(crate) fn gadget(ring: &ring::Ring, shape: &KeyShape) -> Result<Gadget, RlweError> {
    let digits = shape.digits().iter().enumerate();
    let digits = digits.map(|(own, digit)| Ok((own, basis(ring, digit)?)));
    let digits = digits.collect::<Result<_, RlweError>>()?;
    Gadget::new(digits, basis(ring, shape.special())?)
}

fn basis(ring: &ring::Ring, primes: &[u64]) -> Result<ring::RnsBasis, RlweError> {
    let index = |&prime: &u64| {
        let index = ring.moduli().iter().position(|m| m.value() == prime);
        index.ok_or(ring::RingError::MissingPrime { prime })
    };
    let indices = primes.iter().map(index).collect::<Result<Vec<_>, _>>()?;
    Ok(ring::RnsBasis::new(indices))
}

/// How a key, stored or made with limbs of these primes, serves up to a level that it covers.
///
/// # Errors
/// When it lacks a prime, so does not cover that.
pub(crate) fn placement(
    params: &Parameters,
    (kind, level): (KeyKind, Level),
    (shape, primes): (&KeyShape, &[u64]),
) -> Result<Placement, RlweError> {
    let gadget = match kind {
        KeyKind::Raise(_) => Gadget::of_raise(params, self::level(level))?,
        _ => Gadget::at_level(params, self::level(level))?,
    };
    let value = |index: usize| params.ring().modulus(index).value();
    let limb = |&index: &usize| {
        let prime = value(index);
        let limb = primes.iter().position(|&known| known == prime);
        limb.ok_or(ring::RingError::MissingPrime { prime })
    };
    let limbs = gadget.basis().primes().iter().map(limb);
    let digit = |(number, digit): &(usize, ring::RnsBasis)| {
        let own = digit.primes().first().copied();
        Some((*number, shape.digit_of(value(own?))?))
    };
    Ok(Placement {
        kind: key_kind(params.ring(), kind),
        limbs: limbs.collect::<Result<_, _>>()?,
        digits: gadget.digits().iter().filter_map(digit).collect(),
        basis: gadget.basis().clone(),
    })
}

/// The circuit's name of the ring of a level.
pub(crate) fn ring_of(rings: &Rings, level: usize) -> RingId {
    RingId::new(rings.ring_of(level) as u32)
}

/// The engine's form of a ciphertext as the circuit has it.
pub(crate) fn form(form: ckks::CiphertextForm) -> Form {
    match form {
        ckks::CiphertextForm::Normal => Form::Normal,
        ckks::CiphertextForm::Product => Form::Product,
        ckks::CiphertextForm::Extended => Form::Extended,
    }
}

/// The engine's number of a level.
pub(crate) fn level(level: Level) -> usize {
    level.0 as usize
}
