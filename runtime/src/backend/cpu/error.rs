//! Why ciphertexts cannot be computed on.

use crate::ckks::CkksError;
use crate::wire::WireError;
use peregrine_ir::{Form, Key, Level};

/// Why ciphertexts cannot be computed on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CkksRunError {
    /// The circuit is over another ring.
    #[error("the circuit's ring is not the one the keys were made for")]
    Ring,
    /// A key that the circuit declares is not there.
    #[error("the {key} for level {level} is missing")]
    MissingKey {
        /// Which one.
        key: Key,
        /// The level of use.
        level: Level,
    },
    /// A key that does not reach the level of its use.
    #[error("the {key} serves level {found}, level {level} is needed")]
    KeyLevel {
        /// Which one.
        key: Key,
        /// The level it was made for.
        found: Level,
        /// The level of use.
        level: Level,
    },
    /// Several keys are wrong.
    #[error("{} keys are missing or too low; the first: {}", .0.len(), .0.first().map_or(String::new(), ToString::to_string))]
    Keys(Vec<CkksRunError>),
    /// A ciphertext of another type.
    #[error("the ciphertext is at level {found_level} in form {found_form:?}, expected {expected}")]
    Type {
        /// Its level.
        found_level: usize,
        /// Its form.
        found_form: Form,
        /// The type.
        expected: String,
    },
    /// The engine refused.
    #[error(transparent)]
    Ckks(#[from] CkksError),
    /// A key could not be read.
    #[error(transparent)]
    Key(#[from] WireError),
}
