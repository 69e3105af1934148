//! What the tests of several modules share.

use crate::ckks::{Ciphertext, Complex64, Decryptor, Encoder, Encryptor, Evaluator};
use crate::params::{Parameters, ParametersLiteral};
use crate::ring::{Randomness, is_prime};
use crate::rlwe::{EvaluationKey, EvaluationKeys, KeyKind, SecretKey};
use std::sync::Arc;

/// The largest primes below `2^bits` that are 1 modulo `2^(log_n + 1)`.
pub(crate) fn primes_below(bits: u32, log_n: u32, count: usize) -> Vec<u64> {
    let step = 2u64 << log_n;
    let candidates =
        std::iter::successors(Some((1u64 << bits) + 1 - step), |p| p.checked_sub(step));
    let primes: Vec<u64> = candidates.filter(|&p| is_prime(p)).take(count).collect();
    assert_eq!(
        primes.len(),
        count,
        "too few primes of {bits} bits for degree 2^{log_n}"
    );
    primes
}

/// Six chain primes of 40 bits under one of 49, in digits of three sizes, two special primes; levels 0 to 4 are prefixes, 5 and 6
/// are not nested in them.
pub(crate) fn toy_literal(log_n: u32) -> ParametersLiteral {
    let mut pool = primes_below(49, log_n, 1);
    pool.extend(primes_below(40, log_n, 5));
    ParametersLiteral {
        log_n,
        pool,
        special: primes_below(50, log_n, 2),
        digits: vec![vec![0, 1], vec![2, 3], vec![4], vec![5]],
        rows: vec![
            vec![0],
            vec![0, 1],
            vec![0, 1, 2],
            vec![0, 1, 2, 3],
            vec![0, 1, 2, 3, 4, 5],
            vec![0, 3, 5],
            vec![0, 4],
        ],
    }
}

/// The scale the toy parameters are made for.
pub(crate) const SCALE: f64 = (1u64 << 40) as f64;

/// All roles in one place.
pub(crate) struct Setup {
    pub(crate) params: Arc<Parameters>,
    pub(crate) secret: Arc<SecretKey>,
    pub(crate) encoder: Encoder,
    pub(crate) encryptor: Encryptor,
    pub(crate) decryptor: Decryptor,
    pub(crate) evaluator: Evaluator,
    pub(crate) randomness: Randomness,
}

impl Setup {
    /// Parameters and secret with a relinearization key, a conjugation key and keys for rotations, all made for `level`.
    pub(crate) fn new(literal: ParametersLiteral, rotations: &[u32], level: usize) -> Self {
        let params = Parameters::new(literal).unwrap();
        let mut randomness = Randomness::from_seed_for_tests(u128::from(params.log_n()));
        let secret = SecretKey::generate(&params, &mut randomness).unwrap();
        let ring = params.ring();
        let galois = rotations
            .iter()
            .map(|&k| KeyKind::Galois(ring.rotation_exponent(k)));
        let kinds = galois.chain([
            KeyKind::Relinearization,
            KeyKind::Galois(ring.conjugation_exponent()),
        ]);
        let keys: EvaluationKeys = kinds
            .map(|kind| {
                EvaluationKey::generate(&params, &secret, kind, level, &mut randomness).unwrap()
            })
            .collect();
        let secret = Arc::new(secret);
        Self {
            encoder: Encoder::new(&params),
            encryptor: Encryptor::new(&params, &secret),
            decryptor: Decryptor::new(&params, &secret),
            evaluator: Evaluator::new(&params, &Arc::new(keys)),
            randomness,
            params,
            secret,
        }
    }

    /// Random slots in the unit square, the same for the same seed.
    pub(crate) fn slots(&self, seed: u64) -> Vec<Complex64> {
        random_slots(seed, self.params.slots())
    }

    /// A fresh ciphertext at [`SCALE`].
    pub(crate) fn encrypt(&mut self, slots: &[Complex64], level: usize) -> Ciphertext {
        let plaintext = self
            .encoder
            .encode(slots, SCALE, self.params.row(level).unwrap())
            .unwrap();
        let seeded = self
            .encryptor
            .encrypt(&plaintext, level, &mut self.randomness)
            .unwrap();
        seeded.expand(&self.params).unwrap()
    }

    /// log2 of the product of a level's primes.
    pub(crate) fn level_bits(&self, level: usize) -> f64 {
        self.params
            .ring()
            .log2_product(self.params.row(level).unwrap())
    }

    /// P.
    pub(crate) fn special(&self) -> f64 {
        self.params
            .ring()
            .log2_product(self.params.special())
            .exp2()
    }

    /// Asserts that a ciphertext decrypts to the expected slots within `2^-bits`.
    pub(crate) fn assert_close(
        &self,
        what: &str,
        found: &Ciphertext,
        scale: f64,
        expected: &[Complex64],
        bits: f64,
    ) {
        let found = self.decryptor.decrypt(found, scale).unwrap();
        let precision = precision(&found, expected);
        assert!(
            precision >= bits,
            "{what}, log_n = {}: {precision:.1} bits, not {bits}",
            self.params.log_n()
        );
    }
}

/// Random slots in the unit square, the same for the same seed.
pub(crate) fn random_slots(seed: u64, count: usize) -> Vec<Complex64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / 2f64.powi(52) - 1.0
    };
    (0..count).map(|_| Complex64::new(next(), next())).collect()
}

/// -log2 of the largest error.
pub(crate) fn precision(found: &[Complex64], expected: &[Complex64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    -found
        .iter()
        .zip(expected)
        .fold(0.0, |max: f64, (a, b)| max.max((a - b).norm()))
        .log2()
}

/// Slots rotated to the left.
pub(crate) fn rotated(slots: &[Complex64], steps: usize) -> Vec<Complex64> {
    (0..slots.len())
        .map(|i| slots[(i + steps) % slots.len()])
        .collect()
}
