//! Fingerprints: how the name of a circuit follows from its encoding.

use crate::fingerprint::Fingerprint;
use sha2::{Digest, Sha256};

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
