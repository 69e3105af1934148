//! The name of a circuit by its content.

use sha2::{Digest, Sha256};
use std::fmt;

/// Identifies a circuit; files that belong together carry the same one.
///
/// SHA-256 over a domain tag, the length of the encoded public part, the encoded public part and the SHA-256 of the
/// encoded private part: whoever holds the public part and that hash can check it without seeing a weight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// SHA-256 of the encoded private part of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PrivateHash(pub(crate) [u8; 32]);

impl PrivateHash {
    pub(crate) fn of(private: &[u8]) -> Self {
        Self(Sha256::digest(private).into())
    }
}

impl Fingerprint {
    pub(crate) fn of(public: &[u8], private: PrivateHash) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"peregrine circuit 1");
        hash.update((public.len() as u64).to_le_bytes());
        hash.update(public);
        hash.update(private.0);
        Self(hash.finalize().into())
    }
}

impl fmt::Display for Fingerprint {
    /// The first eight bytes in hexadecimal: enough to tell files apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().take(8);
        shown.copied().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
