//! Secret keys: made, written, read.

use super::{Client, ClientError};
use crate::params::Parameters;
use crate::ring::{Randomness, Ring, Seed, sample_sparse, sample_ternary};
use crate::rlwe::{SecretKey, SecretKeys};
use crate::wire::{self, SecretCoefficients};
use peregrine_ir::{KeyPairId, SecretKind, Security};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The secret key of a client: ternary coefficients for each ring degree, independent of each other. It serves every circuit;
/// wiped when dropped.
#[derive(Clone)]
pub struct Secret {
    pub(super) key_pair: KeyPairId,
    pub(super) security: Security,
    coefficients: SecretCoefficients,
}

/// Leaves the coefficients out.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("key_pair", &self.key_pair)
            .finish_non_exhaustive()
    }
}

impl Secret {
    /// Makes a secret key, with the identity of a new key pair, for circuits that promise 128 bits of security: it is used
    /// with no modulus beyond the line, since that would give it away for all others.
    pub fn generate(randomness: &mut Randomness) -> Self {
        Self::promising(Security::Classical128, randomness)
    }

    /// Makes a secret key, with the identity of a new key pair, for circuits some of which promise no security.
    pub fn without_security(randomness: &mut Randomness) -> Self {
        Self::promising(Security::None, randomness)
    }

    pub(super) fn promising(security: Security, randomness: &mut Randomness) -> Self {
        let halves = [(); 2].map(|()| randomness.seed().0.to_le_bytes());
        let mut key_pair = [0; 32];
        for (byte, drawn) in key_pair.iter_mut().zip(halves.as_flattened()) {
            *byte = *drawn;
        }
        let coefficients = peregrine_ir::RingTable::LOG_N.map(|log_n| {
            let drawn = sample_ternary(randomness.seed(), 1 << log_n);
            (log_n, Arc::new(drawn))
        });
        Self {
            key_pair: KeyPairId(key_pair),
            security,
            coefficients: coefficients.collect(),
        }
    }

    /// Reads a secret key from the bytes of a file.
    ///
    /// # Errors
    /// When the file is damaged or of another kind.
    pub fn read(file: &[u8]) -> Result<Self, ClientError> {
        let ((key_pair, security), coefficients) = wire::read_secret(file)?;
        Ok(Self {
            key_pair,
            security,
            coefficients,
        })
    }

    /// The secret key as the bytes of a file.
    pub fn write(&self) -> Zeroizing<Vec<u8>> {
        let about = (self.key_pair, self.security);
        wire::write_secret(about, &self.coefficients)
    }

    /// The identity of the key pair: public, and carried by everything made with it.
    pub fn key_pair(&self) -> KeyPairId {
        self.key_pair
    }

    /// The key of a kind modulo every prime of a ring. A sparse one follows from the ternary one of its degree: whoever does not know
    /// that one cannot tell it from one that is drawn by itself.
    pub(super) fn over(&self, ring: &Ring, kind: SecretKind) -> Result<SecretKey, ClientError> {
        let log_n = ring.log_n();
        let coefficients = self.coefficients.get(&log_n);
        let ternary = &**coefficients.ok_or(ClientError::NoDegree { log_n })?;
        let coefficients = match kind {
            SecretKind::Ternary => ternary.clone(),
            SecretKind::Sparse { weight } => {
                sample_sparse(sparse_seed(ternary, weight), ternary.len(), weight)
            }
        };
        Ok(SecretKey::over(ring, coefficients)?)
    }
}

/// The seed of a sparse secret.
fn sparse_seed(ternary: &[i8], weight: u32) -> Seed {
    let mut hasher = blake3::Hasher::new_derive_key("peregrine sparse secret 1");
    hasher.update(&weight.to_le_bytes());
    let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(ternary.iter().map(|&c| c as u8).collect());
    hasher.update(&bytes);
    let mut seed = [0; 16];
    hasher.finalize_xof().fill(&mut seed);
    Seed(u128::from_le_bytes(seed))
}

impl Client {
    /// Makes a secret key that promises what the circuit does, see [`Secret::generate`].
    ///
    /// # Errors
    /// None.
    pub fn generate_secret(&self, randomness: &mut Randomness) -> Result<Secret, ClientError> {
        let security = self.interface.security();
        Ok(Secret::promising(security, randomness))
    }

    /// Reads a secret key from the bytes of a file, see [`Secret::read`].
    ///
    /// # Errors
    /// When the file is damaged or of another kind.
    pub fn read_secret(&self, file: &[u8]) -> Result<Secret, ClientError> {
        Secret::read(file)
    }

    /// A secret key as the bytes of a file, see [`Secret::write`].
    ///
    /// # Errors
    /// None.
    pub fn write_secret(&self, secret: &Secret) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        Ok(secret.write())
    }

    /// The key of each ring of the circuit.
    pub(super) fn own(&self, secret: &Secret) -> Result<SecretKeys, ClientError> {
        let mut kinds = self
            .interface
            .rings()
            .rings
            .values()
            .map(|spec| spec.secret);
        let own = |params: &Arc<Parameters>| {
            let kind = kinds.next().unwrap_or_default();
            Ok(Arc::new(secret.over(params.ring(), kind)?))
        };
        self.rings.params().try_map(own)
    }
}
