//! The phases of a key switch; see the module above for the formulas.

use super::{RlweError, SwitchKey};
use crate::params::Parameters;
use crate::ring::{Ntt, RnsBasis, RnsPoly, Then};
use rayon::prelude::*;

/// A polynomial of some level decomposed for key switching: a small polynomial modulo `Q_l P` for each digit that has primes
/// of the level.
#[derive(Clone, Debug, PartialEq)]
pub struct Digits {
    level: usize,
    polys: Vec<(usize, RnsPoly<Ntt>)>,
}

impl Digits {
    /// Digits of a level, each with its number; polynomials modulo `Q_l P`.
    pub(crate) fn from_polys(level: usize, polys: Vec<(usize, RnsPoly<Ntt>)>) -> Self {
        Self { level, polys }
    }

    /// The level of the polynomial that was decomposed.
    pub fn level(&self) -> usize {
        self.level
    }

    /// The small polynomials, each with the number of its digit.
    pub fn polys(&self) -> impl ExactSizeIterator<Item = (usize, &RnsPoly<Ntt>)> {
        self.polys.iter().map(|(digit, poly)| (*digit, poly))
    }
}

/// What [`key_inner_product`] does to its result in the same pass.
#[derive(Clone, Copy, Debug, Default)]
pub struct Switched<'a> {
    /// Polynomials that are added, times P, to the first and the second part.
    pub add: [Option<&'a RnsPoly<Ntt>>; 2],
    /// Exponent of the automorphism that is applied last; none for the identity.
    pub exponent: Option<u64>,
}

/// Decomposes a polynomial of a level into digits: `|c_d| <= D_d / 2` and `c_d = c` modulo the primes of the level in digit d,
/// whose product is `D_d`.
///
/// Cost for `k` primes in the row, `a` per digit, `t` special: `k` inverse and `k/a (k - a + t)` forward transforms.
///
/// # Errors
/// When the level does not exist or the polynomial lacks one of its primes.
pub fn decompose(
    params: &Parameters,
    poly: &RnsPoly<Ntt>,
    level: usize,
) -> Result<Digits, RlweError> {
    let (row, extended) = (params.row(level)?, params.extended_row(level)?);
    if params.special().is_empty() {
        return Err(RlweError::NoKeySwitching);
    }
    let digits: Vec<(usize, RnsBasis)> = params.digits_of(row).collect();
    let raise = |(digit, primes): &(usize, RnsBasis)| {
        Ok((*digit, params.ring().raise(poly, primes, extended)?))
    };
    let polys = digits
        .par_iter()
        .map(raise)
        .collect::<Result<_, RlweError>>()?;
    Ok(Digits { level, polys })
}

/// The inner product `sum_d c_d (b_d, a_d)` of digits and an evaluation key modulo `Q_l P`, in one pass over the key; then
/// what `then` asks for.
///
/// # Errors
/// When the key lacks a digit or a prime or has a residue that is not below its prime, or an addend lacks a prime of the row.
pub fn key_inner_product(
    params: &Parameters,
    digits: &Digits,
    key: &SwitchKey,
    then: Switched<'_>,
) -> Result<[RnsPoly<Ntt>; 2], RlweError> {
    let (extended, then) = prepared(params, digits.level, key, then)?;
    let pairs = digits
        .polys()
        .map(|(digit, poly)| Ok((poly, key.halves(digit)?)));
    let pairs = pairs.collect::<Result<Vec<_>, RlweError>>()?;
    Ok(params.ring().key_product(extended, &pairs, then)?)
}

/// A whole key switch: [`decompose`], [`key_inner_product`] with what is done `then`, [`mod_down`]. Neither digits nor the
/// inner product are kept, which takes less memory and time where nothing else needs them. The division by P goes on to a second level,
/// as [`Ring::divide_out`](crate::ring::Ring::divide_out) does, if that is another one.
///
/// # Errors
/// Those of the phases.
pub fn key_switch(
    params: &Parameters,
    poly: &RnsPoly<Ntt>,
    (level, to): (usize, usize),
    key: &SwitchKey,
    then: Switched<'_>,
) -> Result<[RnsPoly<Ntt>; 2], RlweError> {
    let (extended, then) = prepared(params, level, key, then)?;
    let target = params.row(to)?;
    let digits = params.digits_of(params.row(level)?);
    let digits = digits.map(|(digit, primes)| Ok((primes, key.halves(digit)?)));
    let digits = digits.collect::<Result<Vec<_>, RlweError>>()?;
    let bases = (extended, target);
    Ok(params.ring().key_switch(poly, bases, &digits, then)?)
}

/// The primes of an inner product at a level and what follows it, if the key covers them.
fn prepared<'a>(
    params: &'a Parameters,
    level: usize,
    key: &SwitchKey,
    then: Switched<'a>,
) -> Result<(&'a RnsBasis, Then<'a>), RlweError> {
    let (row, extended) = (params.row(level)?, params.extended_row(level)?);
    if params.special().is_empty() {
        return Err(RlweError::NoKeySwitching);
    }
    if let Some(&prime) = extended
        .primes()
        .iter()
        .find(|&&p| !key.basis().contains(p))
    {
        let prime = params.ring().modulus(prime).value();
        return Err(RlweError::TrimmedTooFar {
            kind: key.kind(),
            prime,
        });
    }
    let Switched { add, exponent } = then;
    Ok((extended, Then { add, row, exponent }))
}

/// Divides a polynomial modulo `Q_l P` by P, with rounding; the result is modulo `Q_l`.
///
/// # Errors
/// When the level does not exist.
pub fn mod_down(
    params: &Parameters,
    poly: &RnsPoly<Ntt>,
    level: usize,
) -> Result<RnsPoly<Ntt>, RlweError> {
    Ok(params.ring().divide_out(poly, params.row(level)?)?)
}
