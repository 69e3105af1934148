//! Evaluation keys that are not in the files given.

use crate::bytes::Bytes;
use peregrine_ir::{KeyShape, key_shape};
use std::fmt;

/// Evaluation keys that a circuit needs and nobody has.
#[derive(Clone, Debug, PartialEq)]
pub struct MissingKeys {
    /// What they must be.
    pub keys: Vec<KeyShape>,
    /// How many of them there are for other primes.
    pub other_primes: usize,
}

impl MissingKeys {
    /// Keys that are missing among some of these shapes.
    pub(super) fn new(keys: Vec<KeyShape>, there: &[&KeyShape]) -> Self {
        let known = |wanted: &&KeyShape| there.iter().any(|shape| shape.is_kind_of(wanted));
        Self {
            other_primes: keys.iter().filter(known).count(),
            keys,
        }
    }

    /// Bytes of all of them in a file.
    pub fn bytes(&self) -> u64 {
        self.keys.iter().map(KeyShape::bytes).sum()
    }
}

impl fmt::Display for MissingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, bytes) = (self.keys.len(), Bytes(self.bytes()));
        let (noun, verb) = match count {
            1 => ("key", "is"),
            _ => ("keys", "are"),
        };
        write!(
            f,
            "{count} evaluation {noun} that the circuit needs {verb} missing, {bytes} in a file: "
        )?;
        f.write_str(&key_shape::describe(&self.keys))?;
        match self.other_primes {
            0 => Ok(()),
            some => write!(
                f,
                "; {some} of them would be there if they were for the same primes"
            ),
        }
    }
}

impl std::error::Error for MissingKeys {}
