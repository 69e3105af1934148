//! Parameters: from an unchecked literal to an immutable value that owns all tables.
//!
//! Notation: the *pool* is the list of chain primes, by index `0..pool.len()`; the *special* primes, whose product is P, follow
//! at the indices after. *Row* `l` is the set of pool primes whose product is `Q_l`, the modulus of level `l`; rows need not
//! be nested. *Digits* partition the pool for key switching; at level `l` a digit counts with the primes it shares with row
//! `l`. An *extended* polynomial of level `l` is modulo `Q_l P`.
//!
//! [`Parameters::new`] refuses, naming the culprit, what would be wrong later: composite or repeated primes, primes without the
//! roots of unity, primes of 2^50 or more, a P smaller than a digit in use (key switching would drown the message in noise).
//! It does not judge security: circuits are verified against the security line where they are read.

mod error;
mod per_ring;
mod rings;
#[cfg(test)]
mod tests;

pub use error::{ParametersError, PrimeSet};
pub use per_ring::PerRing;
pub use rings::{RingLiteral, Rings, RingsLiteral};

use crate::ring::{Ring, RnsBasis, is_prime};
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

/// Parameters of one ring as a circuit or a file states them; unchecked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParametersLiteral {
    /// log2 of the ring degree N.
    pub log_n: u32,
    /// The chain primes.
    pub pool: Vec<u64>,
    /// The primes of P; none when nothing is key-switched.
    pub special: Vec<u64>,
    /// Partition of the pool's indices; empty when there are no special primes.
    pub digits: Vec<Vec<usize>>,
    /// For each level, the indices of its primes.
    pub rows: Vec<Vec<usize>>,
}

/// Checked parameters of one ring, with its transforms.
#[derive(Debug)]
pub struct Parameters {
    literal: ParametersLiteral,
    ring: Arc<Ring>,
    digits: Vec<RnsBasis>,
    rows: Vec<RnsBasis>,
    extended_rows: Vec<RnsBasis>,
    key_rows: Vec<RnsBasis>,
    special: RnsBasis,
    all: RnsBasis,
}

/// Primes for which `tfhe-ntt` 0.7.1 can pick twiddles and kernel that do not fit.
const UNSAFE_PRIMES: Range<u64> = 1_501_199_875_790_166..1 << 51;

/// Slack of comparisons of sizes in bits, for rounding in the logarithms.
const BITS_TOLERANCE: f64 = 1e-9;

impl Parameters {
    /// Supported degrees, as logarithms.
    pub const LOG_N: RangeInclusive<u32> = peregrine_ir::RingTable::LOG_N;
    /// Every prime is below this.
    pub const MAX_PRIME: u64 = peregrine_ir::RingTable::MAX_PRIME;

    /// Checks a literal and plans every transform, several at once; each transform tests itself.
    ///
    /// # Errors
    /// See [`ParametersError`].
    pub fn new(literal: ParametersLiteral) -> Result<Arc<Self>, ParametersError> {
        let count = literal.pool.len();
        for (level, row) in literal.rows.iter().enumerate() {
            check_set(row, count, PrimeSet::Level(level))?;
        }
        let switching = Switching {
            own: RnsBasis::new(0..count),
            special: RnsBasis::new(count..count + literal.special.len()),
        };
        Self::with(literal, switching, None)
    }

    /// [`Self::new`] for a ring whose literal has primes of other rings, too, and rows without primes for their levels.
    ///
    /// Tables are made unless there are some for these primes in this degree.
    fn with(
        literal: ParametersLiteral,
        of: Switching,
        tables: Option<Arc<Ring>>,
    ) -> Result<Arc<Self>, ParametersError> {
        check_primes(&literal)?;
        let count = literal.pool.len();
        for (i, digit) in literal.digits.iter().enumerate() {
            check_set(digit, count, PrimeSet::Digit(i))?;
        }
        if literal.rows.is_empty() {
            return Err(ParametersError::NoLevels);
        }
        let sets = |sets: &[Vec<usize>]| -> Vec<RnsBasis> {
            let set = |indices: &Vec<usize>| RnsBasis::new(indices.iter().copied());
            sets.iter().map(set).collect()
        };
        let (digits, rows) = (sets(&literal.digits), sets(&literal.rows));
        check_partition(&digits, &of)?;

        let primes: Vec<u64> = literal
            .pool
            .iter()
            .chain(&literal.special)
            .copied()
            .collect();
        let ring = match tables {
            Some(ring) => ring,
            None => Arc::new(Ring::new(literal.log_n, &primes)?),
        };
        let parameters = Self::over(ring, literal, (digits, rows, of.special));
        parameters.check_special()?;
        Ok(Arc::new(parameters))
    }

    /// Parameters in a ring that has the primes of the literal at their indices.
    fn over(
        ring: Arc<Ring>,
        literal: ParametersLiteral,
        (digits, rows, special): (Vec<RnsBasis>, Vec<RnsBasis>, RnsBasis),
    ) -> Self {
        let end = literal.pool.len() + literal.special.len();
        let extended_rows = rows.iter().map(|row| row.union(&special)).collect();
        let key_rows = rows.iter().scan(RnsBasis::new(0..0), |union, row| {
            *union = union.union(row);
            Some(union.clone())
        });
        let key_rows = key_rows.collect();
        Self {
            literal,
            ring,
            digits,
            rows,
            extended_rows,
            key_rows,
            special,
            all: RnsBasis::new(0..end),
        }
    }

    /// The ring.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// The ring, to be shared.
    pub(crate) fn shared_ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    /// What the parameters were made from.
    pub fn literal(&self) -> &ParametersLiteral {
        &self.literal
    }

    /// log2 N.
    pub fn log_n(&self) -> u32 {
        self.literal.log_n
    }

    /// N.
    pub fn degree(&self) -> usize {
        self.ring.degree()
    }

    /// Slots of a ciphertext, N / 2.
    pub fn slots(&self) -> usize {
        self.degree() / 2
    }

    /// How many levels there are, those of other rings included.
    pub fn levels(&self) -> usize {
        self.rows.len()
    }

    /// The primes of a level.
    ///
    /// # Errors
    /// When there is no such level.
    pub fn row(&self, level: usize) -> Result<&RnsBasis, ParametersError> {
        self.of_level(&self.rows, level)
    }

    /// The primes of a level and the special primes.
    ///
    /// # Errors
    /// When there is no such level.
    pub fn extended_row(&self, level: usize) -> Result<&RnsBasis, ParametersError> {
        self.of_level(&self.extended_rows, level)
    }

    /// The pool primes of an evaluation key for a level and every level before it in the table: rows need not be nested.
    ///
    /// # Errors
    /// When there is no such level.
    pub fn key_row(&self, level: usize) -> Result<&RnsBasis, ParametersError> {
        self.of_level(&self.key_rows, level)
    }

    /// A row of a table by level; none for levels of other rings, which have no primes here.
    fn of_level<'t>(
        &self,
        table: &'t [RnsBasis],
        level: usize,
    ) -> Result<&'t RnsBasis, ParametersError> {
        let own = self.rows.get(level).filter(|row| !row.is_empty());
        let row = own.and_then(|_| table.get(level));
        row.ok_or(ParametersError::Level {
            level,
            count: self.levels(),
        })
    }

    /// The special primes.
    pub fn special(&self) -> &RnsBasis {
        &self.special
    }

    /// Pool and special primes, those that only other rings use included.
    pub fn all_primes(&self) -> &RnsBasis {
        &self.all
    }

    /// All digits of key switching.
    pub fn digits(&self) -> &[RnsBasis] {
        &self.digits
    }

    /// The digits that share primes with a set, as `(digit, shared primes)`.
    pub fn digits_of<'a>(
        &'a self,
        row: &'a RnsBasis,
    ) -> impl Iterator<Item = (usize, RnsBasis)> + 'a {
        let shared = self
            .digits
            .iter()
            .map(|digit| digit.intersection(row))
            .enumerate();
        shared.filter(|(_, primes)| !primes.is_empty())
    }

    fn check_special(&self) -> Result<(), ParametersError> {
        let special_bits = self.ring.log2_product(&self.special);
        for (level, row) in self.rows.iter().enumerate() {
            for (digit, shared) in self.digits_of(row) {
                let digit_bits = self.ring.log2_product(&shared);
                if digit_bits > special_bits + BITS_TOLERANCE {
                    return Err(ParametersError::SmallSpecial {
                        special_bits,
                        digit,
                        level,
                        digit_bits,
                    });
                }
            }
        }
        Ok(())
    }
}

fn check_primes(literal: &ParametersLiteral) -> Result<(), ParametersError> {
    let log_n = literal.log_n;
    if !Parameters::LOG_N.contains(&log_n) {
        return Err(ParametersError::Degree { log_n });
    }
    let order = 2u64 << log_n;
    let mut seen = std::collections::BTreeSet::new();
    for &prime in literal.pool.iter().chain(&literal.special) {
        if UNSAFE_PRIMES.contains(&prime) {
            return Err(ParametersError::UnsafePrime { prime });
        }
        if prime >= Parameters::MAX_PRIME {
            return Err(ParametersError::LargePrime { prime });
        }
        if !is_prime(prime) {
            return Err(ParametersError::Composite { value: prime });
        }
        if prime % order != 1 {
            return Err(ParametersError::RootOfUnity { prime, order });
        }
        if !seen.insert(prime) {
            return Err(ParametersError::RepeatedPrime { prime });
        }
    }
    Ok(())
}

/// A set has indices below `count`, at least one, none twice.
fn check_set(indices: &[usize], count: usize, set: PrimeSet) -> Result<(), ParametersError> {
    if indices.is_empty() {
        return Err(ParametersError::EmptySet { set });
    }
    for (position, &index) in indices.iter().enumerate() {
        if index >= count {
            return Err(ParametersError::PrimeIndex { set, index, count });
        }
        if indices[..position].contains(&index) {
            return Err(ParametersError::RepeatedIndex { set, index });
        }
    }
    Ok(())
}

/// Of the primes of a literal those that key switching in its ring is about.
struct Switching {
    /// The primes of the pool that digits partition.
    own: RnsBasis,
    /// The special primes, after the pool.
    special: RnsBasis,
}

/// The digits partition their primes, unless there is no key switching at all.
fn check_partition(digits: &[RnsBasis], of: &Switching) -> Result<(), ParametersError> {
    if digits.is_empty() && of.special.is_empty() {
        return Ok(());
    }
    if digits.is_empty() || of.special.is_empty() {
        return Err(ParametersError::HalfKeySwitching {
            digits: digits.len(),
            special: of.special.len(),
        });
    }
    for &index in of.own.primes() {
        let mut holders = digits
            .iter()
            .enumerate()
            .filter(|(_, digit)| digit.contains(index));
        if holders.next().is_none() {
            return Err(ParametersError::NotInDigit { index });
        }
        if let Some((second, _)) = holders.next() {
            return Err(ParametersError::RepeatedIndex {
                set: PrimeSet::Digit(second),
                index,
            });
        }
    }
    Ok(())
}
