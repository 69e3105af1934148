//! Polynomials and seeds as bytes.
//!
//! Packed limbs (see [`crate::ring`]) lie one after the other, ascending by prime index, so each begins at a whole
//! byte.

use super::error::{WireError, expect};
use crate::params::Parameters;
use crate::ring::{Ntt, RnsBasis, RnsPoly, Seed};
use rayon::prelude::*;

/// Bytes of a seed.
pub(super) const SEED_BYTES: usize = 16;

/// Bytes of one polynomial over `basis`.
fn poly_bytes(params: &Parameters, basis: &RnsBasis) -> usize {
    let limbs = basis.primes().iter();
    limbs
        .map(|&prime| params.ring().packed_limb_bytes(prime))
        .sum()
}

/// Bytes of `count` polynomials over `basis`.
pub(super) fn polys_bytes(params: &Parameters, basis: &RnsBasis, count: usize) -> u64 {
    poly_bytes(params, basis) as u64 * count as u64
}

/// Appends a polynomial.
pub(super) fn put_poly(out: &mut Vec<u8>, params: &Parameters, poly: &RnsPoly<Ntt>) {
    out.reserve(poly_bytes(params, poly.basis()));
    for (&prime, limb) in poly.primes().iter().zip(poly.limbs()) {
        params.ring().pack(out, prime, limb);
    }
}

/// Reads polynomials from the front of a body whose residues have all been found to be below their primes.
pub(super) struct PolyReader<'b> {
    params: &'b Parameters,
    basis: &'b RnsBasis,
    rest: &'b [u8],
}

impl<'b> PolyReader<'b> {
    /// A reader of `count` polynomials over `basis`, which must fill the body.
    ///
    /// # Errors
    /// When the body has another length, or a residue is not below its prime; nothing has been allocated for the
    /// polynomials then.
    pub(super) fn new(
        params: &'b Parameters,
        basis: &'b RnsBasis,
        count: usize,
        body: &'b [u8],
    ) -> Result<Self, WireError> {
        let expected = polys_bytes(params, basis, count);
        expect("the length of a chunk", body.len() as u64, expected)?;
        let mut reader = Self {
            params,
            basis,
            rest: body,
        };
        for _ in 0..count {
            let limbs = reader.limbs();
            let failure = |(prime, bytes): &(usize, &[u8])| {
                let checked = params.ring().check_packed(*prime, bytes);
                checked.err()
            };
            if let Some(error) = limbs.par_iter().find_map_first(failure) {
                return Err(error.into());
            }
        }
        Ok(Self {
            rest: body,
            ..reader
        })
    }

    /// The next limbs, with their primes.
    fn limbs(&mut self) -> Vec<(usize, &'b [u8])> {
        let take = |&prime: &usize| {
            let length = self
                .params
                .ring()
                .packed_limb_bytes(prime)
                .min(self.rest.len());
            let (bytes, rest) = self.rest.split_at(length);
            self.rest = rest;
            (prime, bytes)
        };
        self.basis.primes().iter().map(take).collect()
    }

    /// The next polynomial; its limbs are read in parallel.
    pub(super) fn poly(&mut self) -> RnsPoly<Ntt> {
        let (params, basis, limbs) = (self.params, self.basis, self.limbs());
        let mut poly = RnsPoly::any(params.ring(), basis);
        poly.par_limbs_mut_heavy(params.ring(), |prime, limb| {
            if let Some((_, bytes)) = basis.position(prime).and_then(|i| limbs.get(i)) {
                let read = params.ring().unpack(limb, prime, bytes);
                debug_assert_eq!(read, Ok(()), "residues that were not checked");
            }
        });
        poly
    }
}

/// The bytes of a seed.
pub(super) fn seed_bytes(seed: Seed) -> [u8; SEED_BYTES] {
    seed.0.to_le_bytes()
}

/// A seed from its bytes.
pub(super) fn read_seed(bytes: &[u8]) -> Result<Seed, WireError> {
    let found = bytes.len();
    let bytes = bytes.try_into().map_err(|_| WireError::Seed { found })?;
    Ok(Seed(u128::from_le_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::ParametersLiteral;
    use crate::ring::RingError;
    use crate::testing::primes_below;
    use proptest::prelude::*;
    use std::sync::Arc;

    /// One prime of each size there is.
    fn params(log_n: u32) -> Arc<Parameters> {
        let sizes = 12..=50;
        let mut pool: Vec<u64> = sizes.flat_map(|b| primes_below(b, log_n, 1)).collect();
        pool.dedup();
        let rows = vec![(0..pool.len()).collect()];
        let literal = ParametersLiteral {
            log_n,
            pool,
            rows,
            ..ParametersLiteral::default()
        };
        Parameters::new(literal).unwrap()
    }

    /// Bit by bit.
    fn reference(limb: &[u64], bits: u32) -> Vec<u8> {
        let mut bytes = vec![0; limb.len() * bits as usize / 8];
        for (i, word) in limb.iter().enumerate() {
            for bit in 0..bits as usize {
                let at = i * bits as usize + bit;
                bytes[at / 8] |= ((word >> bit & 1) as u8) << (at % 8);
            }
        }
        bytes
    }

    proptest! {
        #[test]
        fn polynomials_come_back(seed in any::<u128>(), log_n in 3..7u32) {
            let params = params(log_n);
            let basis = params.row(0).unwrap();
            let poly = params.ring().expand_uniform(basis, Seed(seed), 0);
            let mut bytes = Vec::new();
            put_poly(&mut bytes, &params, &poly);
            let expected = basis.primes().iter().zip(poly.limbs());
            let expected = expected.map(|(&p, limb)| reference(limb, params.ring().modulus(p).bits()));
            prop_assert_eq!(&bytes, &expected.collect::<Vec<_>>().concat());
            let mut reader = PolyReader::new(&params, basis, 1, &bytes).unwrap();
            prop_assert_eq!(reader.poly(), poly);
        }

        #[test]
        fn words_beyond_a_prime_are_refused_wherever_they_are(log_n in 3..6u32, limb in 0..64usize, word in 0..64usize) {
            let params = params(log_n);
            let basis = params.row(0).unwrap();
            let (limb, word) = (limb % basis.len(), word % params.degree());
            let mut poly = params.ring().expand_uniform(basis, Seed(1), 0);
            let prime = params.ring().modulus(limb).value();
            poly.par_limbs_mut_heavy(params.ring(), |p, words| {
                if p == limb {
                    words[word] = prime;
                }
            });
            let mut bytes = Vec::new();
            put_poly(&mut bytes, &params, &poly);
            let refused = PolyReader::new(&params, basis, 1, &bytes).map(|_| ()).unwrap_err();
            prop_assert_eq!(refused.to_string(), RingError::Unreduced { prime }.to_string());
        }
    }
}
