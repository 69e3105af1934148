//! Plaintexts before they are transformed: one word for each coefficient, whatever the modulus.

use super::Plaintext;
use super::integer::PowersOfTwo;
use crate::params::Parameters;
use crate::ring::{Ntt, Ring, RnsBasis, RnsPoly};

/// A plaintext of real slots as its integer coefficients, before any transform. It is equal to its conjugate, so that
/// [`Evaluator::dot`] transforms two at a time where it multiplies by them; a plaintext that is used once is best kept so.
///
/// [`Evaluator::dot`]: super::Evaluator::dot
#[derive(Clone, Debug, PartialEq)]
pub struct Message(Integers);

#[derive(Clone, Debug, PartialEq)]
enum Integers {
    /// Integers of magnitude below 2^61: two such may be added.
    Small(Vec<i64>),
    /// Integers of any magnitude, in doubles; with the largest magnitude.
    Large(Vec<f64>, f64),
}

impl Message {
    /// The message with these integer coefficients, given in doubles with their largest magnitude.
    pub(super) fn new(integers: Vec<f64>, largest: f64) -> Self {
        Self(if largest < 2f64.powi(61) {
            Integers::Small(integers.iter().map(|&x| x as i64).collect())
        } else {
            Integers::Large(integers, largest)
        })
    }

    /// The integers of `a + X^(N/2) b`, if they fit a word.
    pub(super) fn two(a: &Self, b: &Self) -> Option<Vec<i64>> {
        let (Integers::Small(a), Integers::Small(b)) = (&a.0, &b.0) else {
            return None;
        };
        let ((low, high), (b_low, b_high)) = (a.split_at(a.len() / 2), b.split_at(b.len() / 2));
        let low = low.iter().zip(b_high).map(|(a, b)| a - b);
        let high = high.iter().zip(b_low).map(|(a, b)| a + b);
        Some(low.chain(high).collect())
    }

    /// The residues of the coefficients modulo a prime of the ring.
    pub(super) fn residues(&self, ring: &Ring, prime: usize, out: &mut [u64]) {
        match &self.0 {
            Integers::Small(integers) => ring.reduce_signed(out, prime, integers),
            Integers::Large(integers, largest) => {
                let powers = PowersOfTwo::up_to(ring.modulus(prime), *largest);
                for (out, &x) in out.iter_mut().zip(integers) {
                    *out = powers.residue(x);
                }
            }
        }
    }

    /// The plaintext of a message modulo the primes of a basis of the ring.
    pub fn encoded(&self, params: &Parameters, basis: &RnsBasis) -> Plaintext {
        Plaintext::new(self.transformed(params.ring(), basis))
    }

    /// The polynomial of a message of a ring, modulo the primes of a basis.
    pub(super) fn transformed(&self, ring: &Ring, basis: &RnsBasis) -> RnsPoly<Ntt> {
        ring.transformed(basis, |prime, out| self.residues(ring, prime, out))
    }
}

/// What [`Evaluator::dot`](super::Evaluator::dot) multiplies a ciphertext by, slot by slot.
#[derive(Clone, Copy, Debug)]
pub enum Factor<'a> {
    /// A plaintext in the NTT domain.
    Plaintext(&'a Plaintext),
    /// A message, which is transformed where it is multiplied by.
    Message(&'a Message),
}

impl<'a> From<&'a Plaintext> for Factor<'a> {
    fn from(plaintext: &'a Plaintext) -> Self {
        Self::Plaintext(plaintext)
    }
}

impl<'a> From<&'a Message> for Factor<'a> {
    fn from(message: &'a Message) -> Self {
        Self::Message(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ckks::Ciphertext;
    use crate::ring::FACTORS_AT_ONCE;
    use crate::testing::{Setup, toy_literal};

    /// Its modulus is large enough for integers that do not fit a word.
    const LEVEL: usize = 4;

    #[test]
    fn dots_of_messages_and_plaintexts_are_sums_of_products() {
        for (log_n, scale_bits) in [(3, 30), (9, 40), (9, 70)] {
            let mut s = Setup::new(toy_literal(log_n), &[], 0);
            let basis = s.params.row(LEVEL).unwrap().clone();
            for count in [1, 3, FACTORS_AT_ONCE, 2 * FACTORS_AT_ONCE + 1] {
                let slots: Vec<_> = (0..count as u64).map(|seed| s.slots(seed + 1)).collect();
                let ciphers: Vec<Ciphertext> =
                    slots.iter().map(|slots| s.encrypt(slots, LEVEL)).collect();
                let ciphers: Vec<&Ciphertext> = ciphers.iter().collect();
                let message = |slots: &Vec<crate::ckks::Complex64>| {
                    let real: Vec<f64> = slots.iter().map(|z| z.im).collect();
                    let scale = 2f64.powi(scale_bits);
                    s.encoder.message(&real, scale, &basis).unwrap()
                };
                let messages: Vec<Message> = slots.iter().map(message).collect();
                let encoded = messages.iter().map(|m| m.encoded(&s.params, &basis));
                let plaintexts: Vec<Plaintext> = encoded.collect();

                let products = ciphers.iter().zip(&plaintexts);
                let products: Vec<_> = products
                    .map(|(a, p)| s.evaluator.mul_plain(a, p).unwrap())
                    .collect();
                let expected = s.evaluator.sum(&products.iter().collect::<Vec<_>>());
                let expected = expected.unwrap();
                for every in [1, 2, count + 1] {
                    let factors = messages.iter().zip(&plaintexts).enumerate();
                    let factors: Vec<Factor<'_>> = factors
                        .map(|(i, (message, plaintext))| match i % every {
                            0 => message.into(),
                            _ => plaintext.into(),
                        })
                        .collect();
                    let found = s.evaluator.dot(&ciphers, &factors).unwrap();
                    assert!(found == expected, "{count} at 2^{scale_bits}, {every}");
                }
            }
        }
    }
}
