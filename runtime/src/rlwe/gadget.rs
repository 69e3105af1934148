//! The primes of a key: those it is made for, and those of other parameters that it serves.

use super::{KeyKind, RlweError};
use crate::params::Parameters;
use crate::ring::Basis;

/// What a key is made over, in the numbers of a ring: digits of primes, and special primes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gadget {
    digits: Vec<(usize, Basis)>,
    special: Basis,
    basis: Basis,
}

impl Gadget {
    /// Digits with the numbers by which they are found, and special primes.
    ///
    /// # Errors
    /// When there are no special primes.
    pub fn new(digits: Vec<(usize, Basis)>, special: Basis) -> Result<Self, RlweError> {
        if special.is_empty() {
            return Err(RlweError::NoKeySwitching);
        }
        let primes = digits.iter().flat_map(|(_, digit)| digit.primes());
        let basis = Basis::new(primes.copied()).union(&special);
        Ok(Self {
            digits,
            special,
            basis,
        })
    }

    /// For use at a level of some parameters and at every level before it.
    ///
    /// # Errors
    /// When the level does not exist or there are no special primes.
    pub fn of(params: &Parameters, level: usize) -> Result<Self, RlweError> {
        let row = params.key_row(level)?;
        Self::new(params.digits_of(row).collect(), params.special().clone())
    }

    /// The digits with their numbers.
    pub fn digits(&self) -> &[(usize, Basis)] {
        &self.digits
    }

    /// The special primes.
    pub fn special(&self) -> &Basis {
        &self.special
    }

    /// All primes.
    pub fn basis(&self) -> &Basis {
        &self.basis
    }
}

/// How a key made elsewhere serves parameters: which of its limbs and digits are which of theirs. It may have more of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// What it switches from, in the degree of the parameters.
    pub kind: KeyKind,
    /// The primes it serves, in the numbers of the parameters.
    pub basis: Basis,
    /// Which of its limbs are those of these primes.
    pub limbs: Vec<usize>,
    /// For each digit of the parameters, by number, which of its digits has these primes.
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
        if let KeyKind::Galois(exponent) = kind {
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
