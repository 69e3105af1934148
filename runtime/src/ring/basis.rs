//! A set of primes, by index into the ring's moduli.

use std::sync::Arc;

/// A set of prime indices, ascending; the limbs of a polynomial are in this order. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Basis(Arc<[usize]>);

impl Basis {
    /// The set of the given indices.
    pub fn new(primes: impl IntoIterator<Item = usize>) -> Self {
        let mut primes: Vec<usize> = primes.into_iter().collect();
        primes.sort_unstable();
        primes.dedup();
        Self(primes.into())
    }

    /// The indices, ascending.
    pub fn primes(&self) -> &[usize] {
        &self.0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Which limb holds a prime.
    pub fn position(&self, prime: usize) -> Option<usize> {
        self.0.binary_search(&prime).ok()
    }

    /// Whether a prime is in the set.
    pub fn contains(&self, prime: usize) -> bool {
        self.position(prime).is_some()
    }

    /// Whether every prime of `other` is in the set.
    pub fn is_superset(&self, other: &Self) -> bool {
        other.0.iter().all(|&p| self.contains(p))
    }

    /// The primes of either.
    pub fn union(&self, other: &Self) -> Self {
        Self::new(self.0.iter().chain(other.0.iter()).copied())
    }

    /// The primes of both.
    pub fn intersection(&self, other: &Self) -> Self {
        Self::new(self.0.iter().copied().filter(|&p| other.contains(p)))
    }

    /// The primes of `self` that `other` lacks.
    pub fn difference(&self, other: &Self) -> Self {
        Self::new(self.0.iter().copied().filter(|&p| !other.contains(p)))
    }
}
