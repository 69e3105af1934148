//! Words and seeds as bytes.

use super::{WireError, expect};
use crate::params::Parameters;
use crate::ring::{Basis, Ntt, RnsPoly, Seed};

/// Bytes of a polynomial.
pub(super) fn poly_bytes(params: &Parameters, basis: &Basis) -> usize {
    8 * basis.len() * params.degree()
}

/// Appends the words of a polynomial.
pub(super) fn put_poly(out: &mut Vec<u8>, poly: &RnsPoly<Ntt>) {
    out.reserve(poly.bytes());
    for word in poly.limbs().flatten() {
        out.extend_from_slice(&word.to_le_bytes());
    }
}

/// Reads polynomials from the front of a body.
pub(super) struct PolyReader<'b> {
    params: &'b Parameters,
    rest: &'b [u8],
    words: Vec<u64>,
}

impl<'b> PolyReader<'b> {
    /// Reads `count` polynomials over `basis`, which must be all there is.
    pub(super) fn new(
        params: &'b Parameters,
        basis: &Basis,
        count: usize,
        body: &'b [u8],
    ) -> Result<Self, WireError> {
        let expected = poly_bytes(params, basis) as u64 * count as u64;
        expect("the length of a chunk", body.len() as u64, expected)?;
        Ok(Self {
            params,
            rest: body,
            words: Vec::new(),
        })
    }

    /// The next polynomial.
    pub(super) fn poly(&mut self, basis: &Basis) -> Result<RnsPoly<Ntt>, WireError> {
        let length = poly_bytes(self.params, basis).min(self.rest.len());
        let (bytes, rest) = self.rest.split_at(length);
        self.rest = rest;
        self.words.clear();
        let (words, _) = bytes.as_chunks::<8>();
        self.words
            .extend(words.iter().map(|w| u64::from_le_bytes(*w)));
        Ok(RnsPoly::from_limbs(self.params.ring(), basis, &self.words)?)
    }
}

/// The bytes of a seed.
pub(super) fn seed_bytes(seed: Seed) -> [u8; 16] {
    seed.0.to_le_bytes()
}

/// A seed from its bytes.
pub(super) fn read_seed(bytes: &[u8]) -> Result<Seed, WireError> {
    let found = bytes.len();
    let bytes = bytes.try_into().map_err(|_| WireError::Seed { found })?;
    Ok(Seed(u128::from_le_bytes(bytes)))
}
