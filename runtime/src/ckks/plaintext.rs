//! Plaintexts, ready to be multiplied by.

use crate::ring::{Ntt, Ring, RingError, RnsPoly};
use std::borrow::Cow;

/// An encoded plaintext; an operation uses its residues modulo the primes of the ciphertext that it meets.
///
/// Slots that repeat are a polynomial in a power of X, which has the values of a polynomial of smaller degree, each as many times in a
/// row as the degree is smaller. Only that one is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Plaintext {
    poly: RnsPoly<Ntt>,
}

impl Plaintext {
    /// The plaintext of an encoded polynomial, or of one of smaller degree in a power of X.
    pub fn new(poly: RnsPoly<Ntt>) -> Self {
        Self { poly }
    }

    /// The polynomial of the plaintext, of the degree of a ring.
    ///
    /// # Errors
    /// When it is of a larger one.
    pub fn poly(&self, ring: &Ring) -> Result<Cow<'_, RnsPoly<Ntt>>, RingError> {
        if self.poly.degree() == ring.degree() {
            return Ok(Cow::Borrowed(&self.poly));
        }
        ring.written_out(&self.poly).map(Cow::Owned)
    }

    /// Its polynomial, which may be of smaller degree than the ring.
    pub(super) fn short(&self) -> &RnsPoly<Ntt> {
        &self.poly
    }

    /// Bytes that the polynomial takes in memory.
    pub fn bytes(&self) -> usize {
        self.poly.bytes()
    }
}
