//! The secret key, encryptions of zero under it, and phases.

use super::RlweError;
use crate::params::Parameters;
use crate::ring::{Ntt, Randomness, Ring, RnsBasis, RnsPoly, SecretPoly, Seed, sample_sparse};
use std::fmt;
use zeroize::Zeroizing;

/// The secret of one ring, with coefficients -1, 0 and 1; wiped when dropped.
pub struct SecretKey {
    coefficients: Zeroizing<Vec<i8>>,
    /// Modulo every prime.
    ntt: SecretPoly,
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl SecretKey {
    /// Samples a secret key, each coefficient -1, 0 or 1 with probability 1/3.
    ///
    /// # Errors
    /// None that checked parameters allow.
    pub fn generate(params: &Parameters, randomness: &mut Randomness) -> Result<Self, RlweError> {
        Self::from_coefficients(params, params.ring().sample_ternary(randomness.seed()))
    }

    /// Samples a sparse secret key: `weight` of its N coefficients are 1 or -1, all others 0.
    ///
    /// # Errors
    /// None that checked parameters allow.
    pub fn generate_sparse(
        params: &Parameters,
        weight: u32,
        randomness: &mut Randomness,
    ) -> Result<Self, RlweError> {
        let coefficients = sample_sparse(randomness.seed(), params.degree(), weight);
        Self::from_coefficients(params, coefficients)
    }

    /// A secret key from its N coefficients.
    ///
    /// # Errors
    /// When there are not N, or one is not -1, 0 or 1.
    pub fn from_coefficients(
        params: &Parameters,
        coefficients: Zeroizing<Vec<i8>>,
    ) -> Result<Self, RlweError> {
        Self::over(params.ring(), coefficients)
    }

    /// A secret key from its N coefficients, reduced modulo every prime of a ring.
    pub(crate) fn over(ring: &Ring, coefficients: Zeroizing<Vec<i8>>) -> Result<Self, RlweError> {
        if let Some((index, &value)) = coefficients
            .iter()
            .enumerate()
            .find(|&(_, c)| !(-1..=1).contains(c))
        {
            return Err(RlweError::NotTernary { index, value });
        }
        let wide: Zeroizing<Vec<i64>> =
            Zeroizing::new(coefficients.iter().map(|&c| i64::from(c)).collect());
        let all = RnsBasis::new(0..ring.moduli().len());
        let ntt = RnsPoly::from_signed(ring, &all, &wide)?.into_ntt(ring);
        Ok(Self {
            coefficients,
            ntt: Zeroizing::new(ntt),
        })
    }

    /// The secret `s(X^r)` in a ring of `r` times the degree.
    ///
    /// # Errors
    /// When that ring has no such degree.
    pub(super) fn spread(&self, ring: &Ring) -> Result<Self, RlweError> {
        let ratio = (ring.degree() / self.coefficients.len().max(1)).max(1);
        let mut spread = Zeroizing::new(vec![0; self.coefficients.len() * ratio]);
        let places = spread.iter_mut().step_by(ratio);
        places
            .zip(self.coefficients.iter())
            .for_each(|(place, &c)| *place = c);
        Self::over(ring, spread)
    }

    /// The N coefficients of the secret, each -1, 0 or 1.
    pub fn coefficients(&self) -> &[i8] {
        &self.coefficients
    }

    /// The key modulo every prime.
    pub(crate) fn poly(&self) -> &RnsPoly<Ntt> {
        &self.ntt
    }
}

/// An encryption of zero under the secret `s` (any polynomial over at least the primes of `basis`), without its uniform half,
/// which is stream `first_stream + q` of the public seed for each prime `q`: `-a s + e`.
///
/// # Errors
/// When `s` lacks a prime.
pub fn encrypt_zero(
    ring: &Ring,
    s: &RnsPoly<Ntt>,
    basis: &RnsBasis,
    uniform: (Seed, u64),
    randomness: &mut Randomness,
) -> Result<(RnsPoly<Ntt>, RnsPoly<Ntt>), RlweError> {
    let a = ring.expand_uniform(basis, uniform.0, uniform.1);
    let mut noise = ring.sample_noise(basis, randomness.seed());
    let nothing = RnsPoly::zero(ring, &RnsBasis::new([]));
    // Taken out and transformed in place: no copy stays behind.
    let noise = Zeroizing::new(std::mem::replace(&mut *noise, nothing).into_ntt(ring));
    let product = Zeroizing::new(ring.mul(&a, s)?);
    Ok((ring.sub(&noise, &product)?, a))
}

/// The phase of a ciphertext, `c0 + c1 s + c2 s^2 + ..`, over the primes of `c0`: message plus noise. Secret.
///
/// # Errors
/// When there are no parts or they are over different primes.
pub fn phase(
    params: &Parameters,
    key: &SecretKey,
    parts: &[RnsPoly<Ntt>],
) -> Result<SecretPoly, RlweError> {
    let (last, others) = parts
        .split_last()
        .ok_or(crate::ring::RingError::NoOperands)?;
    let mut acc = Zeroizing::new(last.clone());
    for part in others.iter().rev() {
        let product = Zeroizing::new(params.ring().mul(&acc, key.poly())?);
        acc = Zeroizing::new(params.ring().add(&product, part)?);
    }
    Ok(acc)
}
