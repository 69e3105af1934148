//! A set of primes, by index into the ring's moduli.

use std::sync::Arc;

/// A set of primes of a [`Ring`](super::Ring), by their indices in ascending order; the limbs of a polynomial are in this
/// order. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RnsBasis(Arc<[usize]>);

impl RnsBasis {
    /// The basis of the given prime indices, in any order, repeated or not.
    pub fn new(primes: impl IntoIterator<Item = usize>) -> Self {
        let mut primes: Vec<usize> = primes.into_iter().collect();
        primes.sort_unstable();
        primes.dedup();
        Self(primes.into())
    }

    /// The prime indices, ascending.
    pub fn primes(&self) -> &[usize] {
        &self.0
    }

    /// Number of primes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the basis has no primes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of the limb that holds a prime, for a prime of the basis.
    pub fn position(&self, prime: usize) -> Option<usize> {
        self.0.binary_search(&prime).ok()
    }

    /// Whether a prime, by its index, is in the basis.
    pub fn contains(&self, prime: usize) -> bool {
        self.position(prime).is_some()
    }

    /// Whether every prime of `other` is in this basis.
    pub fn is_superset(&self, other: &Self) -> bool {
        other.0.iter().all(|&p| self.contains(p))
    }

    /// The union of two bases.
    pub fn union(&self, other: &Self) -> Self {
        Self::new(self.0.iter().chain(other.0.iter()).copied())
    }

    /// The intersection of two bases.
    pub fn intersection(&self, other: &Self) -> Self {
        Self::new(self.0.iter().copied().filter(|&p| other.contains(p)))
    }

    /// The primes of this basis that `other` lacks.
    pub fn difference(&self, other: &Self) -> Self {
        Self::new(self.0.iter().copied().filter(|&p| !other.contains(p)))
    }
}
