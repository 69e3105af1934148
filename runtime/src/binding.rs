//! From the circuit's vocabulary to the engine's: rings, keys, forms.

use crate::ckks;
use crate::params::{Parameters, ParametersError, ParametersLiteral};
use crate::rlwe;
use peregrine_ir::{Entity, Form, KeyKind, Level, Prime, Ring};
use std::sync::Arc;

/// The parameters of a circuit's ring, with all tables.
///
/// # Errors
/// When the engine cannot work in this ring.
pub fn parameters(ring: &Ring) -> Result<Arc<Parameters>, ParametersError> {
    Parameters::new(literal(ring))
}

/// The parameters of a circuit's ring, unchecked.
pub(crate) fn literal(ring: &Ring) -> ParametersLiteral {
    let sets = |rows: &[Vec<Prime>]| {
        let indices = |row: &Vec<Prime>| row.iter().map(|p| p.index()).collect();
        rows.iter().map(indices).collect()
    };
    // Digits are of no use where nothing is key-switched.
    let digits = if ring.special.is_empty() {
        Vec::new()
    } else {
        sets(&ring.digits)
    };
    ParametersLiteral {
        log_n: ring.log_n,
        pool: ring.primes.values().copied().collect(),
        special: ring.special.values().copied().collect(),
        digits,
        rows: sets(&ring.levels),
    }
}

/// What a key of a circuit is to the engine.
pub(crate) fn key_kind(params: &Parameters, kind: KeyKind) -> rlwe::KeyKind {
    match kind {
        KeyKind::Relinearization => rlwe::KeyKind::Relinearization,
        KeyKind::Conjugation => rlwe::KeyKind::Galois(params.ring().conjugation_exponent()),
        KeyKind::Rotation(k) => rlwe::KeyKind::Galois(params.ring().rotation_exponent(k.0)),
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
