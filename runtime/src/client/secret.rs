//! Secret keys: made, written, read.

use super::{Client, ClientError};
use crate::ring::Randomness;
use crate::rlwe::SecretKeys;
use crate::wire;
use peregrine_ir::binary::Fingerprint;
use zeroize::Zeroizing;

/// The secret key of each ring of one circuit.
#[derive(Clone, Debug)]
pub struct Secret {
    pub(super) fingerprint: Fingerprint,
    pub(super) keys: SecretKeys,
}

impl Client {
    /// A fresh secret key.
    ///
    /// # Errors
    /// None that a valid interface allows.
    pub fn generate_secret(&self, randomness: &mut Randomness) -> Result<Secret, ClientError> {
        let keys = SecretKeys::generate(&self.rings, randomness)?;
        Ok(self.secret(keys))
    }

    /// Reads a secret key made for this circuit.
    ///
    /// # Errors
    /// When it was made for another one, or is damaged.
    pub fn read_secret(&self, file: &[u8]) -> Result<Secret, ClientError> {
        let fingerprint = self.interface.fingerprint();
        let keys = wire::read_secret_keys(file, &self.rings, fingerprint)?;
        Ok(self.secret(keys))
    }

    fn secret(&self, keys: SecretKeys) -> Secret {
        Secret {
            fingerprint: self.interface.fingerprint(),
            keys,
        }
    }

    /// A secret key as a file.
    ///
    /// # Errors
    /// When it was made for another circuit.
    pub fn write_secret(&self, secret: &Secret) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        let (keys, fingerprint) = (self.own(secret)?, secret.fingerprint);
        Ok(wire::write_secret_keys(keys, &self.rings, fingerprint))
    }
}
