//! What a file belongs to: a circuit, or a pair of keys.

use super::Fingerprint;
use std::fmt;

/// Names a secret key and the evaluation keys made from it: public random bytes, drawn when the secret is, that tell nothing of it.
///
/// Ciphertexts carry it, too, so whoever sees several of them knows which are of one key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPairId(pub [u8; 32]);

impl fmt::Display for KeyPairId {
    /// The first eight bytes in hexadecimal: enough to tell pairs apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().take(8);
        shown.copied().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyPairId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The 32 bytes in the header of a file that say what it belongs to: of keys their pair, of anything else its circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(pub [u8; 32]);

impl From<Fingerprint> for Owner {
    fn from(Fingerprint(bytes): Fingerprint) -> Self {
        Self(bytes)
    }
}

impl From<KeyPairId> for Owner {
    fn from(KeyPairId(bytes): KeyPairId) -> Self {
        Self(bytes)
    }
}
