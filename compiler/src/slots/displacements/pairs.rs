//! The table of displacements by pairs of ciphertexts.

use crate::slots::sets::ByPair;

/// Displacements of elements by (output ciphertext, input ciphertext), ascending, in `0 .. S` slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Displacements {
    /// The displacements of each pair of ciphertexts.
    pub pairs: ByPair,
}
