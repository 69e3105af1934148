//! Encryption and decryption under the secret key.
//!
//! Decrypted values carry the scheme's noise, which depends on the secret: handing them to others than the key's owner leaks it
//! (the IND-CPA-D attacks on CKKS) unless they are flooded first.
//!
//! # References
//! - \[LM21\] Li, Micciancio, *On the security of homomorphic encryption on approximate numbers*.
//!   <https://eprint.iacr.org/2020/1533>

use super::{Ciphertext, CkksError, Encoder, Plaintext, SeededCiphertext, Slots};
use crate::params::Parameters;
use crate::ring::{Coefficient, Randomness, RnsPoly};
use crate::rlwe::{SecretKey, encrypt_zero, phase};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Encrypts plaintexts under a secret key.
#[derive(Debug)]
pub struct Encryptor {
    params: Arc<Parameters>,
    secret: Arc<SecretKey>,
}

impl Encryptor {
    /// The encryptor of a secret key.
    pub fn new(params: &Arc<Parameters>, secret: &Arc<SecretKey>) -> Self {
        Self {
            params: params.clone(),
            secret: secret.clone(),
        }
    }

    /// Encrypts a plaintext at a level: `c0 = m - c1 s + e`, `c1` uniform from a fresh seed.
    ///
    /// # Errors
    /// When the level does not exist or the plaintext lacks one of its primes.
    pub fn encrypt(
        &self,
        plaintext: &Plaintext,
        level: usize,
        randomness: &mut Randomness,
    ) -> Result<SeededCiphertext, CkksError> {
        let (row, seed) = (self.params.row(level)?, randomness.seed());
        let (mut body, _) = encrypt_zero(
            self.params.ring(),
            self.secret.poly(),
            row,
            (seed, 0),
            randomness,
        )?;
        let ring = self.params.ring();
        ring.add_assign(&mut body, &*plaintext.poly(ring)?)?;
        SeededCiphertext::from_parts(&self.params, body, seed, level)
    }
}

/// Decrypts ciphertexts under a secret key.
#[derive(Debug)]
pub struct Decryptor {
    params: Arc<Parameters>,
    secret: Arc<SecretKey>,
    encoder: Encoder,
}

impl Decryptor {
    /// The decryptor of a secret key.
    pub fn new(params: &Arc<Parameters>, secret: &Arc<SecretKey>) -> Self {
        Self {
            params: params.clone(),
            secret: secret.clone(),
            encoder: Encoder::new(params),
        }
    }

    /// Decrypts the slots of a ciphertext at a scale. An extended ciphertext holds P times its message: give `P` times the
    /// scale.
    ///
    /// # Errors
    /// When the ciphertext is not of these parameters, or its message fills the modulus (wrong key, or overflow).
    pub fn decrypt(&self, ciphertext: &Ciphertext, scale: f64) -> Result<Slots, CkksError> {
        self.encoder.decode(&*self.phase(ciphertext)?, scale)
    }

    /// The phase of a ciphertext, which is its message plus noise; secret.
    ///
    /// # Errors
    /// When the ciphertext is not of these parameters.
    pub fn phase(
        &self,
        ciphertext: &Ciphertext,
    ) -> Result<Zeroizing<RnsPoly<Coefficient>>, CkksError> {
        ciphertext.check(&self.params)?;
        let phase = phase(&self.params, &self.secret, ciphertext.parts())?;
        Ok(Zeroizing::new(phase.to_coefficients(self.params.ring())))
    }
}
