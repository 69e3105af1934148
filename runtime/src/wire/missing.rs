//! Errors for evaluation keys and values that are in none of the files given.

use crate::bytes::Bytes;
use peregrine_ir::{KeyShape, Value, key_shape};
use std::fmt;

/// Evaluation keys that a circuit needs and no file has.
#[derive(Clone, Debug, PartialEq)]
pub struct MissingKeys {
    /// The shapes of the keys.
    pub keys: Vec<KeyShape>,
    /// The number of these for which a file has a key with other primes.
    pub other_primes: usize,
}

impl MissingKeys {
    /// Missing keys, beside the shapes of the keys that are there.
    pub(super) fn new(keys: Vec<KeyShape>, there: &[&KeyShape]) -> Self {
        let known = |wanted: &&KeyShape| there.iter().any(|shape| shape.is_kind_of(wanted));
        Self {
            other_primes: keys.iter().filter(known).count(),
            keys,
        }
    }

    /// Bytes of all missing keys in a file.
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

/// Values that a fragment takes, or a circuit gives, and no file has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingValues {
    /// Their names in the circuit that was cut.
    pub values: Vec<Value>,
}

impl MissingValues {
    /// Missing values with these names.
    pub(crate) fn of(values: impl IntoIterator<Item = Value>) -> Self {
        Self {
            values: values.into_iter().collect(),
        }
    }
}

/// The largest number of values that a message names.
const NAMED: usize = 8;

impl fmt::Display for MissingValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.values.iter().take(NAMED).map(Value::to_string);
        let named = named.collect::<Vec<_>>().join(", ");
        let (noun, verb) = match self.values.len() {
            1 => ("value", "is"),
            _ => ("values", "are"),
        };
        write!(
            f,
            "{} {noun} that come from other fragments {verb} missing: {named}",
            self.values.len()
        )?;
        match self.values.len().checked_sub(NAMED) {
            Some(more @ 1..) => write!(f, " and {more} more"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for MissingValues {}
