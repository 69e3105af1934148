//! From a ring to one of smaller degree.
//!
//! A polynomial of the smaller ring is one in `X^r` of the larger one. The second part is switched from `s` to `t(X^r)`; then both parts
//! keep every `r`-th coefficient, which maps `c0 + c1 t(X^r)` to the phase of the result because it is linear over polynomials in
//! `X^r`. Keeping these is the mean over the automorphisms `X -> X^g`, `g = 1` modulo `2n`, and those rotate slots by multiples of
//! `n/2`: slot `j` of the result is the mean of slots `j`, `j + n/2`, `j + n`, ...

use super::{Ciphertext, CiphertextForm, CkksError};
use crate::params::Rings;
use crate::rlwe::{EvaluationKeys, KeyKind, Switched, key_switch};

/// Switches a ciphertext to a level of a ring of smaller degree: slots are averaged; the scale and the primes of the level are
/// kept. One key switch in the degree of the ring that it leads from, whose noise is averaged like the slots.
///
/// # Errors
/// Unless the ciphertext has two parts, the level is of a ring of smaller degree and has no other primes, and the key covers it.
pub fn switch_ring(
    rings: &Rings,
    keys: &EvaluationKeys,
    a: &Ciphertext,
    to: usize,
) -> Result<Ciphertext, CkksError> {
    let (from, large, small) = (a.level(), rings.at(a.level()), rings.at(to));
    small.row(to)?;
    let Some(bridge) = rings.bridge(rings.ring_of(from), rings.ring_of(to)) else {
        return Err(CkksError::NotSmaller { from, to });
    };
    a.check(large)?;
    let (CiphertextForm::Normal, [c0, c1]) = (a.form(), a.parts()) else {
        return Err(CkksError::CiphertextForm {
            op: OP,
            expected: CiphertextForm::Normal,
            found: a.form(),
        });
    };
    if !large.row(from)?.is_superset(bridge.row(to)?) {
        return Err(CkksError::NotBelow { op: OP, from, to });
    }
    let then = Switched {
        add: [Some(c0), None],
        exponent: None,
    };
    let switched = key_switch(bridge, c1, to, keys.get(KeyKind::RingSwitch)?, then)?;
    let row = small.row(to)?;
    let parts = switched
        .iter()
        .map(|part| bridge.ring().gather(small.ring(), part, row));
    let parts = parts.collect::<Result<_, _>>()?;
    Ok(Ciphertext::new(parts, to, CiphertextForm::Normal))
}

const OP: &str = "switch_ring";

#[cfg(test)]
mod tests;
