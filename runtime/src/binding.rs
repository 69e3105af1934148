//! From the circuit's vocabulary to the engine's: rings, keys, forms.

use crate::ckks;
use crate::params::{Parameters, ParametersError, ParametersLiteral, Rings};
use crate::params::{RingsLiteral, SmallLiteral};
use crate::rlwe;
use peregrine_ir::{Entity, Form, Key, KeyKind, Level, Prime, Ring, RingPart};
use std::sync::Arc;

/// The parameters of a circuit's rings, with all tables.
///
/// # Errors
/// When the engine cannot work in these rings.
pub fn rings(ring: &Ring) -> Result<Arc<Rings>, ParametersError> {
    Rings::new(literal(ring))
}

/// The parameters of a circuit's rings, unchecked.
pub(crate) fn literal(ring: &Ring) -> RingsLiteral {
    let main = ParametersLiteral {
        log_n: ring.log_n,
        pool: ring.primes.values().copied().collect(),
        special: ring.special.values().copied().collect(),
        digits: digits(ring, RingPart::Main),
        rows: sets(&ring.levels),
    };
    let small = ring.small.as_ref().map(|small| SmallLiteral {
        log_n: small.log_n,
        levels: small.levels as usize,
        special: small.special as usize,
        digits: digits(ring, RingPart::Small),
    });
    RingsLiteral { main, small }
}

fn sets(rows: &[Vec<Prime>]) -> Vec<Vec<usize>> {
    let indices = |row: &Vec<Prime>| row.iter().map(|p| p.index()).collect();
    rows.iter().map(indices).collect()
}

/// The digits of one of the rings: of no use where nothing is key-switched.
fn digits(ring: &Ring, part: RingPart) -> Vec<Vec<usize>> {
    let view = ring.view(part);
    match view.special {
        [] => Vec::new(),
        _ => sets(view.digits),
    }
}

/// The parameters of a key; none of a ring there is not.
pub(crate) fn key_parameters(rings: &Rings, key: Key) -> Option<&Arc<Parameters>> {
    match (key.kind, key.part) {
        (KeyKind::RingSwitch, _) => rings.bridge(),
        (_, RingPart::Main) => Some(rings.main()),
        (_, RingPart::Small) => rings.small(),
    }
}

/// What a key of a circuit is to the engine, in the parameters of the key.
pub(crate) fn key_kind(params: &Parameters, kind: KeyKind) -> rlwe::KeyKind {
    match kind {
        KeyKind::Relinearization => rlwe::KeyKind::Relinearization,
        KeyKind::Conjugation => rlwe::KeyKind::Galois(params.ring().conjugation_exponent()),
        KeyKind::Rotation(k) => rlwe::KeyKind::Galois(params.ring().rotation_exponent(k.0)),
        KeyKind::RingSwitch => rlwe::KeyKind::RingSwitch,
    }
}

/// The circuit's name of the ring of a level.
pub(crate) fn part(rings: &Rings, level: usize) -> RingPart {
    match rings.is_small(level) {
        true => RingPart::Small,
        false => RingPart::Main,
    }
}

/// The engine's form of a ciphertext as the circuit has it.
pub(crate) fn form(form: ckks::Form) -> Form {
    match form {
        ckks::Form::Normal => Form::Normal,
        ckks::Form::Product => Form::Product,
        ckks::Form::Extended => Form::Extended,
    }
}

/// The engine's number of a level.
pub(crate) fn level(level: Level) -> usize {
    level.0 as usize
}
