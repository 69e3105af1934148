//! The owner of a file: a circuit, or a pair of keys.

use super::Fingerprint;
use std::fmt;

/// Identifies a key pair, that is a secret key and the evaluation keys made from it: 32 public random bytes, drawn together with
/// the secret key, that tell nothing of it.
///
/// Ciphertexts carry their key pair, so whoever sees several ciphertexts knows which are of one key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPairId(pub [u8; 32]);

impl fmt::Display for KeyPairId {
    /// Prints the first eight bytes in hexadecimal: enough to tell pairs apart.
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

/// The owner that the header of a file names in 32 bytes: for keys their key pair, for any other file its circuit.
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
