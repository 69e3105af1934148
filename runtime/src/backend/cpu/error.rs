//! Errors of the back end that computes on ciphertexts.

use crate::ckks::CkksError;
use crate::wire::WireError;
use peregrine_ir::{Form, Key, Level};

/// Why a circuit cannot be run on ciphertexts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CkksRunError {
    /// The circuit is over other rings.
    #[error("the circuit's ring is not the one the keys were made for")]
    Ring,
    /// A key that the circuit declares is missing.
    #[error("the {key} for level {level} is missing")]
    MissingKey {
        /// The key.
        key: Key,
        /// The level of use.
        level: Level,
    },
    /// A key was made for a lower level than that of its use.
    #[error("the {key} serves level {found}, level {level} is needed")]
    KeyLevel {
        /// The key.
        key: Key,
        /// The level that the key was made for.
        found: Level,
        /// The level of use.
        level: Level,
    },
    /// Several keys are wrong.
    #[error("{} keys are missing or too low; the first: {}", .0.len(), .0.first().map_or(String::new(), ToString::to_string))]
    Keys(Vec<CkksRunError>),
    /// A ciphertext does not have the type that the circuit states.
    #[error("the ciphertext is at level {found_level} in form {found_form:?}, expected {expected}")]
    Type {
        /// The level of the ciphertext.
        found_level: usize,
        /// The form of the ciphertext.
        found_form: Form,
        /// The type that the circuit states.
        expected: String,
    },
    /// The arithmetic of ciphertexts refused its operands.
    #[error(transparent)]
    Ckks(#[from] CkksError),
    /// A key could not be read.
    #[error(transparent)]
    Key(#[from] WireError),
}
