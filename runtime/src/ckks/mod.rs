//! CKKS: approximate arithmetic on vectors of N/2 complex slots.
//!
//! A message of slots `z` at scale `s` is the integer polynomial nearest to `s` times the real polynomial that takes the value
//! `z_j` at `zeta^(5^j)`, `zeta = exp(i pi / N)`; the automorphism `X -> X^(5^k)` rotates slots to the left by `k`.
//! Ciphertexts carry a level but no scale: in a circuit the scale is part of a value's type, and equal scales are its
//! verifier's business.
//!
//! [`Encoder`] moves between slots and polynomials, [`Encryptor`] and [`Decryptor`] hold the secret key, and [`Evaluator`]
//! computes with evaluation keys alone. All of their methods leave operands as they are and make a new result; what does not fit
//! (level, number of parts, missing key) is a typed error.
//!
//! # References
//! - \[CKKS17\] Cheon, Kim, Kim, Song, *Homomorphic encryption for arithmetic of approximate numbers*.
//!   <https://eprint.iacr.org/2016/421>
//! - \[CHKKS18\] Cheon et al., *A full RNS variant of approximate homomorphic encryption*. <https://eprint.iacr.org/2018/931>

mod ciphertext;
mod embedding;
mod encoder;
mod encryption;
mod evaluator;
mod integer;
mod message;
#[cfg(test)]
mod noise_tests;
mod plaintext;
mod ring_switch;
mod rounding;
mod short;

pub use ciphertext::{Ciphertext, CiphertextForm, SeededCiphertext};
pub(crate) use embedding::Embedding;
pub use embedding::Slots;
pub use encoder::Encoder;
pub use encryption::{Decryptor, Encryptor};
pub use evaluator::Evaluator;
pub use message::{Factor, Message};
pub use plaintext::Plaintext;
pub use ring_switch::{raise_ext, switch_ring};
pub use rustfft::num_complex::Complex64;
pub(crate) use short::LEAST_LOG_RATIO;

use crate::params::ParametersError;
use crate::ring::RingError;
use crate::rlwe::RlweError;

/// Why an operation on ciphertexts or plaintexts was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CkksError {
    /// No such level.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// Polynomials do not fit together.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// Key switching failed.
    #[error(transparent)]
    Rlwe(#[from] RlweError),
    /// More values than slots.
    #[error("{found} values do not fit in {slots} slots")]
    TooManySlots {
        /// N / 2.
        slots: usize,
        /// How many were given.
        found: usize,
    },
    /// A value or scale that is infinite, not a number, or a scale that is not positive.
    #[error("{what} is {value}, which cannot be encoded")]
    NotFinite {
        /// What it is: a slot, a scale, a scalar.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// Coefficients that reach half the modulus.
    #[error("coefficients of 2^{bits:.1} do not fit in a modulus of 2^{modulus_bits:.1}")]
    EncodeOverflow {
        /// log2 of the largest.
        bits: f64,
        /// log2 of the modulus.
        modulus_bits: f64,
    },
    /// A decrypted polynomial that fills its modulus.
    #[error(
        "the decrypted coefficients fill the modulus of 2^{modulus_bits:.1}: wrong key, or the message overflowed"
    )]
    DecodeOverflow {
        /// log2 of the modulus.
        modulus_bits: f64,
    },
    /// A binary operation on different levels.
    #[error("{op}: operands are at levels {left} and {right}")]
    Level {
        /// The operation.
        op: &'static str,
        /// Level of the first operand.
        left: usize,
        /// Level of the other.
        right: usize,
    },
    /// An operand of the wrong form.
    #[error("{op}: {expected} is needed, not {found}")]
    CiphertextForm {
        /// The operation.
        op: &'static str,
        /// What it takes.
        expected: CiphertextForm,
        /// What it was given.
        found: CiphertextForm,
    },
    /// Rescaling or dropping to a level that does not allow it.
    #[error("{op}: cannot go from level {from} to level {to}, which has a prime the other lacks")]
    NotBelow {
        /// The operation.
        op: &'static str,
        /// Level of the operand.
        from: usize,
        /// Requested level.
        to: usize,
    },
    /// Raising a modulus to a level whose ring has the same secret, or a smaller degree.
    #[error(
        "raise_ext: goes to a ring with another secret, of no smaller degree; that of level {to} is none for level {from}"
    )]
    NoRaise {
        /// Level of the operand.
        from: usize,
        /// Requested level.
        to: usize,
    },
    /// Switching rings to a level whose ring has the same secret.
    #[error("switch_ring: the ring of level {to} has the secret of that of level {from}")]
    SameSecret {
        /// Level of the operand.
        from: usize,
        /// Requested level.
        to: usize,
    },
    /// A sum or inner product of nothing.
    #[error("{op}: there are no operands")]
    NoOperands {
        /// The operation.
        op: &'static str,
    },
    /// An inner product of lists of different lengths.
    #[error("dot: {ciphertexts} ciphertexts with {plaintexts} plaintexts")]
    DotLengths {
        /// Length of one list.
        ciphertexts: usize,
        /// Length of the other.
        plaintexts: usize,
    },
    /// A sum of scalar products with lists of different lengths.
    #[error("dot_scalar: {ciphertexts} ciphertexts and {scalars} scalars")]
    ScalarLengths {
        /// Length of one list.
        ciphertexts: usize,
        /// Length of the other.
        scalars: usize,
    },
    /// Parts that make no ciphertext.
    #[error("{found} parts make no ciphertext (2 or 3 do, and 3 not modulo P)")]
    Parts {
        /// How many there are.
        found: usize,
    },
    /// Parts over other primes than their level's.
    #[error("the parts of a ciphertext at level {level} are not over the primes of that level")]
    PartBasis {
        /// The level.
        level: usize,
    },
}
