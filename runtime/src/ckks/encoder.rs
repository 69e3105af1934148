//! Between slots and polynomials with residues.
//!
//! Precision: the embedding works in doubles, so an encoded coefficient is right to about `2^-50` of the largest coefficient,
//! and to 1 when that is smaller: it is rounded up or down at random ([`rounding`](super::rounding)). Coefficients of any size are reduced exactly.
//!
//! Cost: one complex transform of N/2 points, then a pass and a transform for each prime. For slots that repeat after a fraction of their
//! number, transforms of that fraction ([`short`](super::short)).

use super::embedding::{Embedding, Slots};
use super::integer::MixedRadix;
use super::rounding::Rounding;
use super::short::ShortRings;
use super::{CkksError, Complex64, Message, Plaintext};
use crate::params::Parameters;
use crate::ring::{Coefficient, Modulus, RnsBasis, RnsPoly};
use rayon::prelude::*;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Coefficients handled by one task when decoding.
const COEFFICIENTS_PER_TASK: usize = 1 << 10;

/// A decrypted coefficient beyond this part of the modulus is taken for an overflow: a uniformly random polynomial has one
/// almost surely, a message with a bit to spare has none.
const OVERFLOW_FRACTION: f64 = 0.49;

/// The CKKS encoder of some parameters: slots to polynomials, and back.
pub struct Encoder {
    params: Arc<Parameters>,
    embedding: Embedding,
    /// For slots that repeat.
    short: ShortRings,
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("log_n", &self.params.log_n())
            .finish_non_exhaustive()
    }
}

impl Encoder {
    /// The encoder of some parameters, with its tables.
    pub fn new(params: &Arc<Parameters>) -> Self {
        Self {
            params: params.clone(),
            embedding: Embedding::new(params.degree()),
            short: ShortRings::default(),
        }
    }

    /// Encodes at most N/2 complex slots (missing ones are 0) at a scale, modulo the primes of `basis`.
    ///
    /// # Errors
    /// When there are too many values, one is not finite, or the scaled message does not fit in the modulus.
    pub fn encode(
        &self,
        slots: &[Complex64],
        scale: f64,
        basis: &RnsBasis,
    ) -> Result<Plaintext, CkksError> {
        if let Some(bad) = slots.iter().find(|z| !z.is_finite()) {
            let value = if bad.re.is_finite() { bad.im } else { bad.re };
            return Err(CkksError::NotFinite {
                what: "a slot",
                value,
            });
        }
        if let Some(short) = self.short.of(self.params.ring(), slots)? {
            let slots = slots.iter().take(short.slots()).copied();
            let (integers, largest) = self.integers(&short.embedding, slots, scale, basis)?;
            return Ok(short.encoded(&Message::new(integers, largest), basis));
        }
        self.check_count(slots.len())?;
        let slots = slots.iter().copied();
        let (integers, largest) = self.integers(&self.embedding, slots, scale, basis)?;
        Ok(Message::new(integers, largest).encoded(&self.params, basis))
    }

    /// Encodes at most N/2 real slots at a scale; see [`Self::encode`].
    ///
    /// # Errors
    /// As for [`Self::encode`].
    pub fn encode_real(
        &self,
        slots: &[f64],
        scale: f64,
        basis: &RnsBasis,
    ) -> Result<Plaintext, CkksError> {
        if let Some(short) = self.encode_short(slots, scale, basis)? {
            return Ok(short);
        }
        let message = self.message(slots, scale, basis)?;
        Ok(message.encoded(&self.params, basis))
    }

    /// Encodes N/2 real slots that repeat soon enough for short transforms; others not.
    ///
    /// # Errors
    /// As for [`Self::encode`].
    pub fn encode_short(
        &self,
        slots: &[f64],
        scale: f64,
        basis: &RnsBasis,
    ) -> Result<Option<Plaintext>, CkksError> {
        let Some(short) = self.short.of(self.params.ring(), slots)? else {
            return Ok(None);
        };
        let slots = slots.get(..short.slots()).unwrap_or(slots);
        let message = self.real_message(&short.embedding, slots, scale, basis)?;
        Ok(Some(short.encoded(&message, basis)))
    }

    /// The integer coefficients that [`Self::encode_real`] transforms.
    ///
    /// # Errors
    /// As for [`Self::encode`].
    pub fn message(
        &self,
        slots: &[f64],
        scale: f64,
        basis: &RnsBasis,
    ) -> Result<Message, CkksError> {
        self.check_count(slots.len())?;
        self.real_message(&self.embedding, slots, scale, basis)
    }

    /// The integer coefficients of real slots in the ring of an embedding.
    fn real_message(
        &self,
        embedding: &Embedding,
        slots: &[f64],
        scale: f64,
        basis: &RnsBasis,
    ) -> Result<Message, CkksError> {
        if let Some(&value) = slots.iter().find(|x| !x.is_finite()) {
            return Err(CkksError::NotFinite {
                what: "a slot",
                value,
            });
        }
        let complex = slots.iter().map(|&x| Complex64::from(x));
        let (mut integers, largest) = self.integers(embedding, complex, scale, basis)?;
        // Conjugate to itself: c_(N-k) = -c_k. Rounding errors of the embedding must not break that.
        let (low, high) = integers.split_at_mut(embedding.slots());
        if let ([_, low @ ..], [middle, high @ ..]) = (low, high) {
            *middle = 0.0;
            for (high, low) in high.iter_mut().rev().zip(low) {
                *high = -*low;
            }
        }
        Ok(Message::new(integers, largest))
    }

    fn check_count(&self, found: usize) -> Result<(), CkksError> {
        let slots = self.embedding.slots();
        match found > slots {
            true => Err(CkksError::TooManySlots { slots, found }),
            false => Ok(()),
        }
    }

    /// The integers of finite slots in the ring of an embedding, and the largest magnitude of one.
    fn integers(
        &self,
        embedding: &Embedding,
        slots: impl Iterator<Item = Complex64>,
        scale: f64,
        basis: &RnsBasis,
    ) -> Result<(Vec<f64>, f64), CkksError> {
        if !(scale.is_finite() && scale > 0.0) {
            return Err(CkksError::NotFinite {
                what: "a scale",
                value: scale,
            });
        }
        self.params.ring().check_basis(basis)?;
        let mut rounding = Rounding::default();
        let slots = slots.inspect(|&slot| rounding.slot(slot));
        let mut coefficients = embedding.coefficients(slots, scale);
        rounding.round(&mut coefficients);
        let (mut largest, mut finite) = (0.0, true);
        for x in &coefficients {
            largest = x.abs().max(largest);
            finite &= x.is_finite();
        }
        let modulus_bits = self.params.ring().log2_product(basis);
        if !finite || largest.log2() >= modulus_bits - 1.0 {
            return Err(CkksError::EncodeOverflow {
                bits: largest.log2(),
                modulus_bits,
            });
        }
        Ok((coefficients, largest))
    }

    /// Decodes the N/2 slots of a polynomial at a scale: its coefficients of least magnitude, embedded and divided by the
    /// scale.
    ///
    /// # Errors
    /// When the scale is not positive, or a coefficient fills the modulus.
    pub fn decode(&self, poly: &RnsPoly<Coefficient>, scale: f64) -> Result<Slots, CkksError> {
        if !(scale.is_finite() && scale > 0.0) {
            return Err(CkksError::NotFinite {
                what: "a scale",
                value: scale,
            });
        }
        let coefficients = self.centred(poly)?;
        Ok(self.embedding.values(&coefficients, 1.0 / scale))
    }

    /// The N coefficients of a polynomial, each the representative of least magnitude modulo the product of its primes.
    ///
    /// # Errors
    /// When one fills the modulus.
    pub fn centred(&self, poly: &RnsPoly<Coefficient>) -> Result<Zeroizing<Vec<f64>>, CkksError> {
        let ring = self.params.ring();
        ring.check_basis(poly.basis())?;
        poly.check_degree(ring)?;
        let moduli: Vec<&Modulus> = poly.primes().iter().map(|&p| ring.modulus(p)).collect();
        let limbs: Vec<&[u64]> = poly.limbs().collect();
        let radix = MixedRadix::new(moduli);
        let mut out = Zeroizing::new(vec![0.0; poly.degree()]);
        out.par_chunks_mut(COEFFICIENTS_PER_TASK)
            .enumerate()
            .for_each(|(task, chunk)| {
                let mut digits = Zeroizing::new(vec![0; limbs.len()]);
                for (i, out) in chunk.iter_mut().enumerate() {
                    let at = task * COEFFICIENTS_PER_TASK + i;
                    *out = radix.centred(|limb| limbs[limb][at], &mut digits);
                }
            });
        let largest = out.iter().fold(0.0, |max: f64, x| max.max(x.abs()));
        let modulus_bits = ring.log2_product(poly.basis());
        if largest > OVERFLOW_FRACTION * modulus_bits.exp2() {
            return Err(CkksError::DecodeOverflow { modulus_bits });
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Setup, precision, toy_literal};

    #[test]
    fn encoding_is_undone_by_decoding() {
        for (log_n, scale_bits, level, bits) in [
            (3, 40, 0, 38.0),
            (4, 40, 4, 38.0),
            (9, 40, 1, 35.0),
            (13, 40, 1, 33.0),
            (13, 60, 4, 47.0),
            (13, 100, 4, 47.0),
        ] {
            let s = Setup::new(toy_literal(log_n), &[], 0);
            let (slots, scale) = (s.slots(1), 2f64.powi(scale_bits));
            let encoded = s
                .encoder
                .encode(&slots, scale, s.params.row(level).unwrap())
                .unwrap();
            let coefficients = encoded
                .poly(s.params.ring())
                .unwrap()
                .to_coefficients(s.params.ring());
            let decoded = s.encoder.decode(&coefficients, scale).unwrap();
            let found = precision(&decoded, &slots);
            assert!(
                found >= bits,
                "log_n = {log_n}, scale 2^{scale_bits}: {found:.1} bits, not {bits}"
            );
        }
    }

    #[test]
    fn constants_are_encoded_exactly_at_any_scale() {
        let s = Setup::new(toy_literal(5), &[], 0);
        for scale_bits in [0, 30, 61, 62, 63, 64, 100, 150] {
            let scale = 2f64.powi(scale_bits);
            let encoded = s
                .encoder
                .encode_real(&[-3.0; 16], scale, s.params.all_primes())
                .unwrap();
            let encoded = encoded.poly(s.params.ring()).unwrap();
            for (&prime, limb) in encoded.primes().iter().zip(encoded.limbs()) {
                let m = s.params.ring().modulus(prime);
                let expected = m.neg(m.mul(3, m.pow(2, scale_bits as u64)));
                assert_eq!(limb, [expected; 32], "2^{scale_bits}");
            }
        }
    }

    #[test]
    fn errors_of_slots_and_of_their_rotation_have_nothing_in_common() {
        let s = Setup::new(toy_literal(9), &[], 0);
        let (slots, scale) = (1 << 8, 2f64.powi(20));
        let errors = |values: &[f64]| -> Vec<f64> {
            let basis = s.params.row(0).unwrap();
            let encoded = s.encoder.encode_real(values, scale, basis).unwrap();
            let encoded = encoded.poly(s.params.ring()).unwrap();
            let coefficients = encoded.to_coefficients(s.params.ring());
            let decoded = s.encoder.decode(&coefficients, scale).unwrap();
            decoded.iter().zip(values).map(|(z, x)| z.re - x).collect()
        };
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        // Over several vectors, each compared with its rotation turned back.
        let (mut common, mut squares) = (0.0, 0.0);
        for seed in 1..=16 {
            let values: Vec<f64> = s.slots(seed).iter().map(|z| z.re).collect();
            let by = 16 * seed as usize % slots;
            let mut turned = values.clone();
            turned.rotate_left(by);
            let (own, mut other) = (errors(&values), errors(&turned));
            other.rotate_right(by);
            common += product(&own, &other);
            squares += product(&own, &own);
        }
        let correlation = common / squares;
        assert!(correlation.abs() < 0.1, "{correlation:.3}");
    }

    #[test]
    fn missing_slots_are_zero() {
        let s = Setup::new(toy_literal(5), &[], 0);
        let row = s.params.row(0).unwrap();
        let mut slots = vec![0.0; 16];
        slots[0] = 1.0;
        let encode = |slots: &[f64]| s.encoder.encode_real(slots, 2f64.powi(30), row).unwrap();
        assert_eq!(encode(&[1.0]), encode(&slots));
    }

    #[test]
    fn what_cannot_be_encoded_is_refused() {
        let s = Setup::new(toy_literal(4), &[], 0);
        let row = s.params.row(0).unwrap();
        let encode =
            |slots: &[f64], scale: f64| s.encoder.encode_real(slots, scale, row).unwrap_err();
        assert!(matches!(
            encode(&[f64::NAN], 1.0),
            CkksError::NotFinite { what: "a slot", .. }
        ));
        assert!(matches!(
            encode(&[f64::INFINITY], 1.0),
            CkksError::NotFinite { what: "a slot", .. }
        ));
        assert!(matches!(
            encode(&[1.0], 0.0),
            CkksError::NotFinite {
                what: "a scale",
                ..
            }
        ));
        assert!(matches!(
            encode(&[1.0], f64::NAN),
            CkksError::NotFinite {
                what: "a scale",
                ..
            }
        ));
        assert_eq!(
            encode(&[0.0; 9], 1.0),
            CkksError::TooManySlots { slots: 8, found: 9 }
        );
        assert!(matches!(
            encode(&[1.0; 8], 2f64.powi(49)),
            CkksError::EncodeOverflow { .. }
        ));
        assert!(matches!(
            encode(&[1e300; 8], 1e300),
            CkksError::EncodeOverflow { .. }
        ));
        let complex = s
            .encoder
            .encode(&[Complex64::new(0.0, f64::NAN)], 1.0, row)
            .unwrap_err();
        assert!(matches!(
            complex,
            CkksError::NotFinite { what: "a slot", .. }
        ));
    }

    #[test]
    fn a_wrong_key_is_noticed() {
        let mut s = Setup::new(toy_literal(9), &[], 0);
        let ciphertext = s.encrypt(&s.slots(1), 2);
        let other = crate::rlwe::SecretKey::generate(&s.params, &mut s.randomness).unwrap();
        let decryptor = crate::ckks::Decryptor::new(&s.params, &Arc::new(other));
        let error = decryptor.decrypt(&ciphertext, 1.0).unwrap_err();
        assert!(matches!(error, CkksError::DecodeOverflow { .. }));
        let key = crate::rlwe::SecretKey::from_coefficients(
            &s.params,
            s.secret.coefficients().to_vec().into(),
        )
        .unwrap();
        assert_eq!(key.coefficients(), s.secret.coefficients());
        let error =
            crate::rlwe::SecretKey::from_coefficients(&s.params, vec![2; 512].into()).unwrap_err();
        assert_eq!(
            error,
            crate::rlwe::RlweError::NotTernary { index: 0, value: 2 }
        );
    }
}
