//! Residues and seeds as bytes.
//!
//! A residue modulo a prime of `b` bits takes `b` bits. Residue `i` of a limb is at bits `i b` to `(i + 1) b - 1`, bit `k` being bit
//! `k mod 8` of byte `k / 8`. A limb takes `N b / 8` bytes, a whole number because 8 divides N, so each begins with a byte; limbs
//! lie one after the other, ascending by prime index.

use super::{WireError, expect};
use crate::params::Parameters;
use crate::ring::{Basis, Modulus, Ntt, RingError, RnsPoly, Seed};
use rayon::prelude::*;

/// Residues handled together: they take `b` whole bytes.
const GROUP: usize = 8;

/// Bytes from the first of a group to the last that its loads and stores, 8 bytes each, can touch.
const WINDOW: usize = 72;

// A residue and the 7 bits that may be before it in its first byte fit a load.
const _: () = assert!(Parameters::MAX_PRIME <= 1 << 57);

/// Bytes of a seed.
pub(super) const SEED_BYTES: usize = 16;

/// Bytes of a limb.
fn limb_bytes(params: &Parameters, prime: usize) -> usize {
    params.degree() / GROUP * params.ring().modulus(prime).bits() as usize
}

/// Bytes of a polynomial.
fn poly_bytes(params: &Parameters, basis: &Basis) -> usize {
    let limbs = basis.primes().iter();
    limbs.map(|&prime| limb_bytes(params, prime)).sum()
}

/// Bytes of `count` polynomials.
pub(super) fn polys_bytes(params: &Parameters, basis: &Basis, count: usize) -> u64 {
    poly_bytes(params, basis) as u64 * count as u64
}

/// Appends a polynomial.
pub(super) fn put_poly(out: &mut Vec<u8>, params: &Parameters, poly: &RnsPoly<Ntt>) {
    out.reserve(poly_bytes(params, poly.basis()));
    for (&prime, limb) in poly.primes().iter().zip(poly.limbs()) {
        pack(out, limb, params.ring().modulus(prime));
    }
}

/// Appends a limb.
fn pack(out: &mut Vec<u8>, limb: &[u64], modulus: &Modulus) {
    let bits = modulus.bits() as usize;
    for group in limb.chunks_exact(GROUP) {
        let mut bytes = [0; WINDOW];
        let (mut at, mut before, mut pending) = (0, 0, 0u64);
        for word in group {
            pending |= word << before;
            // Never cut off: at most 7 residues of 57 bits are before this one. The mask says so to the compiler.
            bytes[at & 63..][..8].copy_from_slice(&pending.to_le_bytes());
            let whole = (before + bits) / 8;
            pending >>= 8 * whole;
            (at, before) = (at + whole, (before + bits) % 8);
        }
        out.extend_from_slice(&bytes[..bits]);
    }
}

/// Reads a limb; whether every residue is below its prime.
#[must_use]
fn unpack(limb: &mut [u64], bytes: &[u8], modulus: &Modulus) -> bool {
    let (bits, prime) = (modulus.bits() as usize, modulus.value());
    let mask = (1 << bits) - 1;
    let mut excess = 0;
    for (i, group) in limb.chunks_exact_mut(GROUP).enumerate() {
        let rest = bytes.get(i * bits..).unwrap_or_default();
        let mut last = [0; WINDOW];
        let window = rest.first_chunk().unwrap_or_else(|| {
            last[..rest.len()].copy_from_slice(rest);
            &last
        });
        for (j, word) in group.iter_mut().enumerate() {
            let at = j * bits;
            *word = load(window, at / 8) >> (at % 8) & mask;
            // Differences of numbers below 2^57: the top bit is their sign.
            excess |= (prime - 1).wrapping_sub(*word);
        }
    }
    excess >> 63 == 0
}

/// 8 bytes from `at < 64` on.
#[inline(always)]
fn load(window: &[u8; WINDOW], at: usize) -> u64 {
    let bytes = window[at & 63..].first_chunk();
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Words unpacked at a time to be looked at only.
const CHECKED: usize = 512;

/// Whether every residue of a limb is below its prime; allocates nothing.
fn is_reduced(bytes: &[u8], modulus: &Modulus) -> bool {
    let bits = modulus.bits() as usize;
    let mut words = [0; CHECKED];
    bytes.chunks(CHECKED / GROUP * bits).all(|bytes| {
        let count = bytes.len() / bits * GROUP;
        unpack(&mut words[..count], bytes, modulus)
    })
}

/// Reads polynomials from the front of a body, every residue of which was found to be below its prime.
pub(super) struct PolyReader<'b> {
    params: &'b Parameters,
    basis: &'b Basis,
    rest: &'b [u8],
}

impl<'b> PolyReader<'b> {
    /// Reads `count` polynomials over `basis`, which must be all there is.
    ///
    /// # Errors
    /// When the length is another, or a residue is not below its prime; before anything is allocated for them.
    pub(super) fn new(
        params: &'b Parameters,
        basis: &'b Basis,
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
            let reduced =
                |(prime, bytes): &&(usize, &[u8])| is_reduced(bytes, params.ring().modulus(*prime));
            if let Some((prime, _)) = limbs.par_iter().find_first(|limb| !reduced(limb)) {
                let prime = params.ring().modulus(*prime).value();
                return Err(RingError::Unreduced { prime }.into());
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
            let length = limb_bytes(self.params, prime).min(self.rest.len());
            let (bytes, rest) = self.rest.split_at(length);
            self.rest = rest;
            (prime, bytes)
        };
        self.basis.primes().iter().map(take).collect()
    }

    /// The next polynomial; its limbs in parallel.
    pub(super) fn poly(&mut self) -> RnsPoly<Ntt> {
        let (params, basis, limbs) = (self.params, self.basis, self.limbs());
        let mut poly = RnsPoly::zero(params.ring(), basis);
        poly.par_limbs_mut_heavy(params.ring(), |prime, limb| {
            if let Some((_, bytes)) = basis.position(prime).and_then(|i| limbs.get(i)) {
                let reduced = unpack(limb, bytes, params.ring().modulus(prime));
                debug_assert!(reduced, "residues that were not checked");
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
