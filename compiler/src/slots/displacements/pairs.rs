//! Displacements as they are kept.

use crate::slots::sets::ByPair;

/// Displacements by (output ciphertext, input ciphertext), ascending, in `0 .. S`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Displacements {
    /// By pair.
    pub pairs: ByPair,
}
