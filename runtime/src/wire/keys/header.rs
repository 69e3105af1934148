//! The header of a file of evaluation keys, which describes each key.
//!
//! The header is a list of words of 64 bits, little endian. For each key, in the order of the chunks:
//!
//! | words | what |
//! |---|---|
//! | 1 | the secret that it leads from: log2 of the degree, and above 2^32 the weight of a sparse one |
//! | 1 | the secret that it leads to |
//! | 1 | kind: 1 relinearization, 2 conjugation, 3 rotation, 4 ring switch, 5 raise |
//! | 1 | the rotation, 0 where there is none |
//! | 2 | the seed, lower half first |
//! | 1 | number of special primes |
//! | 1 | number of primes of all digits |
//! | | the special primes, ascending |
//! | | the primes of the digits, ascending within each digit; digits ascending by their first primes |
//! | | for each of these its digit, counted from 0 |
//!
//! The words are read in place. A key is built from its words once the length of its chunk is known to be right, so that a
//! refused file costs no more memory than it is long.

use crate::ring::Seed;
use crate::wire::error::{WireError, expect};
use peregrine_ir::{KeyKind, KeyShape, Rotation, SecretId, SecretKind};

/// The number of words of a key beside its primes.
const FIXED: usize = 8;

/// A key of a file: its shape, and the seed of its uniform halves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) shape: KeyShape,
    pub(super) seed: Seed,
}

/// Appends the words of a key.
pub(super) fn words(out: &mut Vec<u8>, Described { shape, seed }: &Described) {
    let (kind, rotation) = match shape.kind() {
        KeyKind::Relinearization => (1, 0),
        KeyKind::Conjugation => (2, 0),
        KeyKind::Rotation(Rotation(rotation)) => (3, rotation),
        KeyKind::RingSwitch => (4, 0),
        KeyKind::Raise(Rotation(rotation)) => (5, rotation),
    };
    let digits = shape.digits();
    let count: usize = digits.iter().map(Vec::len).sum();
    let fixed = [
        secret_word(shape.from_secret()),
        secret_word(shape.to_secret()),
        kind,
        rotation.into(),
        seed.0 as u64,
        (seed.0 >> 64) as u64,
        shape.special().len() as u64,
        count as u64,
    ];
    let owners = (0u64..).zip(digits);
    let owners = owners.flat_map(|(digit, primes)| primes.iter().map(move |_| digit));
    let words = fixed.into_iter().chain(shape.special().iter().copied());
    let words = words.chain(digits.iter().flatten().copied()).chain(owners);
    words.for_each(|word| out.extend(word.to_le_bytes()));
}

/// A secret as a word: log2 of its degree in the lower half, its weight in the upper half, 0 for a ternary one.
fn secret_word(secret: SecretId) -> u64 {
    let weight = match secret.kind {
        SecretKind::Ternary => 0,
        SecretKind::Sparse { weight } => weight,
    };
    u64::from(weight) << 32 | u64::from(secret.log_n)
}

fn secret_of(word: u64) -> SecretId {
    SecretId {
        log_n: word as u32,
        kind: match (word >> 32) as u32 {
            0 => SecretKind::Ternary,
            weight => SecretKind::Sparse { weight },
        },
    }
}

/// A header that is being read.
pub(super) struct Words<'h>(&'h [[u8; 8]]);

/// The words of one key, from which nothing has been built yet.
pub(super) struct KeyWords<'h> {
    index: usize,
    fixed: [u64; FIXED],
    special: &'h [[u8; 8]],
    primes: &'h [[u8; 8]],
    owners: &'h [[u8; 8]],
}

impl<'h> Words<'h> {
    /// A header as words.
    ///
    /// # Errors
    /// When the bytes are not whole words.
    pub(super) fn new(header: &'h [u8]) -> Result<Self, WireError> {
        match header.as_chunks() {
            (words, []) => Ok(Self(words)),
            _ => Err(WireError::KeyHeader {
                index: 0,
                what: "ends within a word",
            }),
        }
    }

    /// The words of the next key.
    ///
    /// # Errors
    /// When fewer words are left than the first ones promise.
    pub(super) fn key(&mut self, index: usize) -> Result<KeyWords<'h>, WireError> {
        let cut = || WireError::KeyHeader {
            index,
            what: "has fewer words than it promises",
        };
        let mut fixed = [0; FIXED];
        for (word, bytes) in fixed
            .iter_mut()
            .zip(self.take(FIXED as u64).ok_or_else(cut)?)
        {
            *word = u64::from_le_bytes(*bytes);
        }
        let [.., special, count] = fixed;
        let mut part = |count| self.take(count).ok_or_else(cut);
        Ok(KeyWords {
            index,
            fixed,
            special: part(special)?,
            primes: part(count)?,
            owners: part(count)?,
        })
    }

    /// Checks that no word is left.
    ///
    /// # Errors
    /// When words are left.
    pub(super) fn finish(self, keys: usize) -> Result<(), WireError> {
        match self.0 {
            [] => Ok(()),
            _ => Err(WireError::KeyHeader {
                index: keys,
                what: "is none: words follow those of the last key",
            }),
        }
    }

    fn take(&mut self, count: u64) -> Option<&'h [[u8; 8]]> {
        let count = usize::try_from(count).ok()?;
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
}

impl KeyWords<'_> {
    /// The key that the words describe, if its chunk has the length that they ask for.
    ///
    /// # Errors
    /// When the chunk has another length, or the words describe no key.
    pub(super) fn described(&self, length: u64) -> Result<Described, WireError> {
        let [from, to, kind, rotation, low, high, ..] = self.fixed;
        let (from, to) = (secret_of(from), secret_of(to));
        let expected = self
            .bytes(from.log_n.max(to.log_n))
            .ok_or(self.refused("is too large"))?;
        expect("the length of a chunk", length, expected)?;
        let kind = match (kind, u32::try_from(rotation)) {
            (1, Ok(0)) => KeyKind::Relinearization,
            (2, Ok(0)) => KeyKind::Conjugation,
            (3, Ok(rotation)) => KeyKind::Rotation(Rotation(rotation)),
            (4, Ok(0)) => KeyKind::RingSwitch,
            (5, Ok(rotation)) => KeyKind::Raise(Rotation(rotation)),
            _ => return Err(WireError::NoKind { index: self.index }),
        };
        let shape = KeyShape::new(kind, (from, to), self.digits()?, list(self.special))?;
        let described = Described {
            seed: Seed(u128::from(high) << 64 | u128::from(low)),
            shape,
        };
        // One form for each key, so that nothing depends on the order of primes in a file.
        let mut canonical = Vec::with_capacity(8 * FIXED);
        words(&mut canonical, &described);
        let (canonical, _) = canonical.as_chunks();
        let fixed = canonical.get(FIXED..).unwrap_or_default().iter();
        match fixed.eq(self.special.iter().chain(self.primes).chain(self.owners)) {
            true => Ok(described),
            false => Err(self.refused("has primes or digits out of order")),
        }
    }

    /// Bytes of the key in a file.
    fn bytes(&self, log_n: u32) -> Option<u64> {
        let residues = 1u64.checked_shl(log_n)?;
        let bits =
            |word: &[u8; 8]| u64::from(u64::BITS - u64::from_le_bytes(*word).leading_zeros());
        let primes = self.primes.iter().chain(self.special);
        let bits: u64 = primes.map(bits).sum();
        bits.checked_mul(residues / 8)?
            .checked_mul(self.digit_count())
    }

    fn digit_count(&self) -> u64 {
        let last = self.owners.last().copied().map(u64::from_le_bytes);
        last.map_or(0, |last| last.saturating_add(1))
    }

    /// The digits of the key.
    ///
    /// # Errors
    /// Unless the indices of digits ascend from 0 and each digit has a prime.
    fn digits(&self) -> Result<Vec<Vec<u64>>, WireError> {
        let mut digits: Vec<Vec<u64>> = Vec::new();
        for (prime, owner) in self.primes.iter().zip(self.owners) {
            let (prime, owner) = (u64::from_le_bytes(*prime), u64::from_le_bytes(*owner));
            let count = digits.len() as u64;
            match digits.last_mut() {
                Some(digit) if owner.checked_add(1) == Some(count) => digit.push(prime),
                _ if owner == count => digits.push(vec![prime]),
                _ => return Err(self.refused("has primes or digits out of order")),
            }
        }
        Ok(digits)
    }

    fn refused(&self, what: &'static str) -> WireError {
        let index = self.index;
        WireError::KeyHeader { index, what }
    }
}

fn list(words: &[[u8; 8]]) -> Vec<u64> {
    words.iter().map(|word| u64::from_le_bytes(*word)).collect()
}
