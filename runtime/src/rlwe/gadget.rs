//! The primes of a key: those it is made for, and those of other parameters that it serves.

use super::{KeyKind, RlweError};
use crate::params::Parameters;
use crate::ring::RnsBasis;

/// The gadget of an evaluation key, in the prime numbering of a ring: the digits that its primes are divided into, and the
/// special primes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gadget {
    digits: Vec<(usize, RnsBasis)>,
    special: RnsBasis,
    basis: RnsBasis,
}

impl Gadget {
    /// The gadget of numbered digits and special primes.
    ///
    /// # Errors
    /// When there are no special primes.
    pub fn new(digits: Vec<(usize, RnsBasis)>, special: RnsBasis) -> Result<Self, RlweError> {
        if special.is_empty() {
            return Err(RlweError::NoKeySwitching);
        }
        let primes = digits.iter().flat_map(|(_, digit)| digit.primes());
        let basis = RnsBasis::new(primes.copied()).union(&special);
        Ok(Self {
            digits,
            special,
            basis,
        })
    }

    /// The gadget of the keys that serve a level of some parameters and every level before it.
    ///
    /// # Errors
    /// When the level does not exist or there are no special primes.
    pub fn at_level(params: &Parameters, level: usize) -> Result<Self, RlweError> {
        let row = params.key_row(level)?;
        Self::new(params.digits_of(row).collect(), params.special().clone())
    }

    /// The gadget of the keys that raise moduli to a level of some parameters and every level before it: all primes are one digit.
    ///
    /// # Errors
    /// When the level does not exist or there are no special primes.
    pub fn of_raise(params: &Parameters, level: usize) -> Result<Self, RlweError> {
        let row = params.key_row(level)?.clone();
        Self::new(vec![(0, row)], params.special().clone())
    }

    /// The digits, each with its number and its primes.
    pub fn digits(&self) -> &[(usize, RnsBasis)] {
        &self.digits
    }

    /// The special primes, whose product is P.
    pub fn special(&self) -> &RnsBasis {
        &self.special
    }

    /// All primes: those of the digits and the special primes.
    pub fn basis(&self) -> &RnsBasis {
        &self.basis
    }
}

/// How a key that was made under other parameters serves these: which of its limbs and digits correspond to which of theirs.
/// The key may have more of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// What the key switches from, in the degree of the parameters.
    pub kind: KeyKind,
    /// The primes that the key serves, in the numbering of the parameters.
    pub basis: RnsBasis,
    /// The limb of the key for each of these primes.
    pub limbs: Vec<usize>,
    /// For each digit of the parameters, by number, the digit of the key that has its primes.
    pub digits: Vec<(usize, usize)>,
}

impl Placement {
    /// # Errors
    /// When the primes do not include the special primes, there is not one limb for each, the kind is none, or a digit is unknown or
    /// repeated.
    pub(super) fn check(&self, params: &Parameters) -> Result<(), RlweError> {
        let Self {
            kind,
            basis,
            limbs,
            digits,
        } = self;
        let kind = *kind;
        params.ring().check_basis(basis)?;
        if params.special().is_empty() || !basis.is_superset(params.special()) {
            return Err(RlweError::NotExtended { kind });
        }
        if limbs.len() != basis.len() {
            return Err(RlweError::KeyBasis { kind, digit: 0 });
        }
        if let KeyKind::Galois(exponent) | KeyKind::Raise(exponent) = kind {
            params.ring().permutation(exponent)?;
        }
        for (i, &(digit, own)) in digits.iter().enumerate() {
            let repeated = |&(known, other): &(usize, usize)| known == digit || other == own;
            if digit >= params.digits().len() || digits.iter().take(i).any(repeated) {
                return Err(RlweError::KeyBasis { kind, digit });
            }
        }
        Ok(())
    }
}
