//! From a ring to one of another degree, or of the same degree under a secret of another kind; and to more modulus on the way.
//!
//! A polynomial of the smaller ring is one in `X^r` of the larger one. The second part is switched from `s` to `t(X^r)`; then both parts
//! keep every `r`-th coefficient, which maps `c0 + c1 t(X^r)` to the phase of the result because it is linear over polynomials in
//! `X^r`. Keeping these is the mean over the automorphisms `X -> X^g`, `g = 1` modulo `2n`, and those rotate slots by multiples of
//! `n/2`: slot `j` of the result is the mean of slots `j`, `j + n/2`, `j + n`, ... The other way `c0(X^r) + c1(X^r) t(X^r)` is the message in
//! `X^r`, whose slots repeat, and the second part is switched from `t(X^r)` to `s`.

use super::{Ciphertext, CiphertextForm, CkksError};
use crate::params::Rings;
use crate::ring::RingError;
use crate::rlwe::{Digits, EvaluationKeys, KeyKind, Switched, key_inner_product, key_switch};

/// Switches a ciphertext to a level of another ring: in one of smaller degree slots are averaged, in one of larger degree they repeat; the
/// scale and the primes of the level are kept. One key switch in the larger degree, whose noise is averaged like the slots.
///
/// # Errors
/// Unless the ciphertext has two parts, the level is of a ring with another secret and has no other primes, and the key covers it.
pub fn switch_ring(
    rings: &Rings,
    keys: &EvaluationKeys,
    a: &Ciphertext,
    to: usize,
) -> Result<Ciphertext, CkksError> {
    let (from, own, into) = (a.level(), rings.at(a.level()), rings.at(to));
    let row = into.row(to)?;
    let Some(bridge) = rings.bridge(rings.ring_of(from), rings.ring_of(to)) else {
        return Err(CkksError::SameSecret { from, to });
    };
    a.check(own)?;
    let (CiphertextForm::Normal, [c0, c1]) = (a.form(), a.parts()) else {
        return Err(CkksError::CiphertextForm {
            op: OP,
            expected: CiphertextForm::Normal,
            found: a.form(),
        });
    };
    let key = keys.get(KeyKind::RingSwitch)?;
    let switch = |c0, c1| {
        let then = Switched {
            add: [Some(c0), None],
            exponent: None,
        };
        key_switch(bridge, c1, (to, to), key, then)
    };
    if own.degree() < into.degree() {
        let spread = |part| match into.ring().spread(own.ring(), part, row) {
            Err(RingError::MissingPrime { .. }) => Err(CkksError::NotBelow { op: OP, from, to }),
            spread => Ok(spread?),
        };
        let switched = switch(&spread(c0)?, &spread(c1)?)?;
        return Ok(Ciphertext::new(switched.into(), to, CiphertextForm::Normal));
    }
    if !own.row(from)?.is_superset(bridge.row(to)?) {
        return Err(CkksError::NotBelow { op: OP, from, to });
    }
    let switched = switch(c0, c1)?;
    if own.degree() == into.degree() {
        // Rings of one degree number their primes alike.
        return Ok(Ciphertext::new(switched.into(), to, CiphertextForm::Normal));
    }
    let parts = switched
        .iter()
        .map(|part| bridge.ring().gather(into.ring(), part, row));
    let parts = parts.collect::<Result<_, _>>()?;
    Ok(Ciphertext::new(parts, to, CiphertextForm::Normal))
}

const OP: &str = "switch_ring";

/// Reads the residues of a ciphertext as integers of least magnitude, modulo the primes of a level of another ring, whose degree is no
/// smaller, and rotates to the left by `rotation` slots: the message becomes `m + Q_l I` for an integer polynomial `I`, repeated, and the result
/// is extended.
///
/// What is switched is small, so it is all its digits at once: a transform for each prime, and a product with a key of one digit.
///
/// # Errors
/// Unless the ciphertext has two parts, the level is of such a ring with another secret, has all primes of that of the ciphertext and more,
/// and the key covers it.
pub fn raise_ext(
    rings: &Rings,
    keys: &EvaluationKeys,
    a: &Ciphertext,
    rotation: u32,
    to: usize,
) -> Result<Ciphertext, CkksError> {
    let op = "raise_ext";
    let (from, own, into) = (a.level(), rings.at(a.level()), rings.at(to));
    let extended = into.extended_row(to)?;
    let leads = rings.bridge(rings.ring_of(from), rings.ring_of(to));
    if leads.is_none() || own.degree() > into.degree() {
        return Err(CkksError::NoRaise { from, to });
    }
    a.check(own)?;
    let (CiphertextForm::Normal, [c0, c1]) = (a.form(), a.parts()) else {
        return Err(CkksError::CiphertextForm {
            op,
            expected: CiphertextForm::Normal,
            found: a.form(),
        });
    };
    let (row, not_below) = (into.row(to)?, CkksError::NotBelow { op, from, to });
    let primes = into.ring().basis_of(own.ring(), own.row(from)?);
    let primes = primes.filter(|primes| row.is_superset(primes) && row.len() > primes.len());
    let primes = primes.ok_or(not_below)?;
    let raised = |part, basis| -> Result<_, CkksError> {
        let spread = into.ring().spread(own.ring(), part, &primes)?;
        Ok(into.ring().raise(&spread, &primes, basis)?)
    };
    let (c0, digit) = (raised(c0, row)?, raised(c1, extended)?);
    let exponent = into.ring().rotation_exponent(rotation);
    let key = keys.get(KeyKind::Raise(exponent))?;
    let then = Switched {
        add: [Some(&c0), None],
        exponent: Some(exponent),
    };
    let digits = Digits::from_polys(to, vec![(0, digit)]);
    let parts = key_inner_product(into, &digits, key, then)?;
    Ok(Ciphertext::new(parts.into(), to, CiphertextForm::Extended))
}

#[cfg(test)]
mod tests;
