//! The secret keys of all rings, independent of each other.

use super::{RlweError, SecretKey};
use crate::params::{Parameters, PerRing, Rings};
use crate::ring::Randomness;
use peregrine_ir::SecretKind;
use std::sync::Arc;

/// Secret keys for all rings of a circuit, one for each.
pub type SecretKeys = PerRing<Arc<SecretKey>>;

impl SecretKeys {
    /// Samples a secret key of its kind for each ring, see [`SecretKey::generate`] and [`SecretKey::generate_sparse`].
    ///
    /// # Errors
    /// None that checked parameters allow.
    pub fn generate(rings: &Rings, randomness: &mut Randomness) -> Result<Self, RlweError> {
        let mut kinds = rings.literal().rings.iter().map(|ring| ring.secret);
        let secret = |params: &Arc<Parameters>| {
            Ok(Arc::new(match kinds.next().unwrap_or_default() {
                SecretKind::Ternary => SecretKey::generate(params, randomness)?,
                SecretKind::Sparse { weight } => {
                    SecretKey::generate_sparse(params, weight, randomness)?
                }
            }))
        };
        rings.params().try_map(secret)
    }
}
