//! The secret keys of all rings, independent of each other.

use super::{RlweError, SecretKey};
use crate::params::{PerRing, Rings};
use crate::ring::Randomness;
use std::sync::Arc;

/// Secret keys for all rings of a circuit, one for each.
pub type SecretKeys = PerRing<Arc<SecretKey>>;

impl SecretKeys {
    /// Samples a secret key for each ring, see [`SecretKey::generate`].
    ///
    /// # Errors
    /// None that checked parameters allow.
    pub fn generate(rings: &Rings, randomness: &mut Randomness) -> Result<Self, RlweError> {
        let params = rings.params();
        params.try_map(|params| Ok(Arc::new(SecretKey::generate(params, randomness)?)))
    }
}
