//! Ring learning with errors: secret keys, encryptions of zero, evaluation keys and key switching. Knows levels, not scales.
//!
//! Notation: `s` the secret, dense ternary; a ciphertext `(c0, c1)` of `m` has phase `c0 + c1 s = m + e`. `Q_l` is the modulus
//! of level `l`, `P` the product of the special primes, `D_d` the digits that partition the pool.
//!
//! Key switching is hybrid, and its phases are separate functions, so that callers share and merge them:
//!
//! 1. [`decompose`]: the residues of `c` modulo each digit's primes of row `l`, raised to `Q_l P` as small integers `c_d`.
//! 2. [`key_inner_product`]: `sum_d c_d (b_d, a_d)`, where `b_d + a_d s = P g_d s' + e_d` with `g_d` 1 modulo the primes of digit
//!    d and 0 modulo the others: a pair modulo `Q_l P` of phase `P c s' + sum_d c_d e_d`.
//! 3. [`mod_down`]: division by P, which leaves the noise `sum_d c_d e_d / P` and a rounding error.
//!
//! [`key_switch`] is all three, for digits that are used once.
//!
//! The gadget `g_d` does not mention a level, so a key made for one level serves at every level whose primes are a subset. Nor does it
//! mention the numbers of primes: a [`Placement`] says how a key serves other parameters, whose digits have some of its primes.
//!
//! The key of a ring switch has the degree of the larger ring. To a smaller one it leads from `s` to `t(X^r)`, with `t` the secret there;
//! whoever could tell it from random could do so with `r` times as many samples of the smaller ring, so its primes are those of that ring.
//! To a larger one it leads from `s(X^r)` to the secret there, and is a key of that ring like any other.
//!
//! # References
//! - \[HK20\] Han, Ki, *Better bootstrapping for approximate homomorphic encryption*. <https://eprint.iacr.org/2019/688>
//! - \[GHPS12\] Gentry, Halevi, Peikert, Smart, *Ring switching in BGV-style homomorphic encryption*.
//!   <https://eprint.iacr.org/2012/240>
//! - \[BMTH21\] Bossuat, Mouchet, Troncoso-Pastoriza, Hubaux, *Efficient bootstrapping for approximate homomorphic encryption
//!   with non-sparse keys*. <https://eprint.iacr.org/2020/1203>

mod evaluation_key;
mod gadget;
mod key_switch;
mod secret_key;
mod secret_keys;
mod streamed_key;

pub use evaluation_key::{EvaluationKey, EvaluationKeys, KeyDigit, KeyKind};
pub use gadget::{Gadget, Placement};
pub use key_switch::{Digits, Switched, decompose, key_inner_product, key_switch, mod_down};
pub use secret_key::{SecretKey, encrypt_zero, phase};
pub use secret_keys::SecretKeys;
pub use streamed_key::{StoredBytes, StreamedKey, SwitchKey};

use crate::params::ParametersError;
use crate::ring::RingError;

/// Why a key could not be made or used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RlweError {
    /// The parameters have no such level.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// Polynomials of different rings or bases.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// A coefficient of a secret key other than -1, 0 and 1.
    #[error("coefficient {index} of the secret key is {value}, which is not -1, 0 or 1")]
    NotTernary {
        /// Index of the coefficient.
        index: usize,
        /// Value of the coefficient.
        value: i8,
    },
    /// Parameters without special primes, which have no evaluation keys.
    #[error("the parameters have no special primes, so nothing can be key-switched")]
    NoKeySwitching,
    /// One secret for a key that leads to another ring, which takes the secrets of both.
    #[error("the {kind} needs the secret of the ring that it leads to, too")]
    OneSecret {
        /// What the key would switch from.
        kind: KeyKind,
    },
    /// Two rings between which no key leads.
    #[error(
        "no key leads from ring {from} to ring {to}: they share their secret, one of them does not exist, or a raise would lead to a smaller degree"
    )]
    NoRingSwitch {
        /// The number of the ring that the key would lead from.
        from: usize,
        /// The number of the ring that the key would lead to.
        to: usize,
    },
    /// An evaluation key that lacks a digit.
    #[error("the {kind} has no digit {digit}")]
    MissingDigit {
        /// What the key switches from.
        kind: KeyKind,
        /// The number of the digit.
        digit: usize,
    },
    /// An evaluation key that lacks a prime: it was made for fewer levels.
    #[error("the {kind} does not cover prime {prime}: it was made for a lower level")]
    TrimmedTooFar {
        /// What the key switches from.
        kind: KeyKind,
        /// The missing prime.
        prime: u64,
    },
    /// An evaluation key that is not among the keys that were given.
    #[error("there is no {kind}")]
    MissingKey {
        /// What the missing key switches from.
        kind: KeyKind,
    },
    /// An evaluation key with a digit that is not over the primes of the key.
    #[error("digit {digit} of the {kind} is not over the primes of the key")]
    KeyBasis {
        /// What the key switches from.
        kind: KeyKind,
        /// The number of the digit.
        digit: usize,
    },
    /// An evaluation key whose primes do not include all special primes.
    #[error("the {kind} is not over all special primes")]
    NotExtended {
        /// What the key switches from.
        kind: KeyKind,
    },
}
