//! Why parameters are refused.

use super::{Parameters, UNSAFE_PRIMES};
use crate::ring::RingError;

/// Why parameters that were stated cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParametersError {
    /// A degree that is not supported.
    #[error("log_n = {log_n} is not supported (only {} to {})", Parameters::LOG_N.start(), Parameters::LOG_N.end())]
    Degree {
        /// log2 of the degree N.
        log_n: u32,
    },
    /// A prime in the range where transforms of the underlying library are silently wrong.
    #[error("prime {prime} is in [{}, 2^51), where fast transforms can be silently wrong", UNSAFE_PRIMES.start)]
    UnsafePrime {
        /// The prime.
        prime: u64,
    },
    /// A prime of 2^50 or more.
    #[error("prime {prime} is not below 2^50")]
    LargePrime {
        /// The prime.
        prime: u64,
    },
    /// A modulus that is no prime.
    #[error("{value} is not prime")]
    Composite {
        /// The modulus.
        value: u64,
    },
    /// A prime without a primitive 2N-th root of unity.
    #[error("prime {prime} is not 1 modulo 2N = {order}")]
    RootOfUnity {
        /// The prime.
        prime: u64,
        /// The order 2N of the missing root.
        order: u64,
    },
    /// A prime listed twice.
    #[error("prime {prime} appears twice")]
    RepeatedPrime {
        /// The prime.
        prime: u64,
    },
    /// Parameters without levels.
    #[error("there are no levels")]
    NoLevels,
    /// A level or digit without primes.
    #[error("{set} has no primes")]
    EmptySet {
        /// The level or digit.
        set: PrimeSet,
    },
    /// A prime index beyond the pool of chain primes.
    #[error("{set} names prime {index}, but the pool has {count}")]
    PrimeIndex {
        /// The level or digit.
        set: PrimeSet,
        /// The prime index.
        index: usize,
        /// Number of primes in the pool.
        count: usize,
    },
    /// A prime index that a level repeats, or that is in two digits.
    #[error("{set} names prime {index}, which is already named")]
    RepeatedIndex {
        /// The level or digit.
        set: PrimeSet,
        /// The prime index.
        index: usize,
    },
    /// A chain prime that is in no digit.
    #[error("prime {index} of the pool is in no digit")]
    NotInDigit {
        /// The index of the prime.
        index: usize,
    },
    /// Digits without special primes, or the reverse.
    #[error("{digits} digits with {special} special primes: key switching needs both")]
    HalfKeySwitching {
        /// Number of digits.
        digits: usize,
        /// Number of special primes.
        special: usize,
    },
    /// A special modulus P that is smaller than a digit in use.
    #[error(
        "P has {special_bits:.1} bits but digit {digit} has {digit_bits:.1} at level {level}; P must not be smaller"
    )]
    SmallSpecial {
        /// log2 P.
        special_bits: f64,
        /// The number of the digit.
        digit: usize,
        /// The level.
        level: usize,
        /// log2 of the product of the digit's primes at that level.
        digit_bits: f64,
    },
    /// A level that does not exist.
    #[error("level {level} does not exist (there are {count})")]
    Level {
        /// The level that was asked for.
        level: usize,
        /// Number of levels.
        count: usize,
    },
    /// A level whose ring does not exist.
    #[error("level {level} is of ring {ring}, there are {count}")]
    NoRing {
        /// The level.
        level: usize,
        /// The number of the ring.
        ring: usize,
        /// Number of rings.
        count: usize,
    },
    /// The index of a special prime that does not exist.
    #[error("ring {ring} names special prime {index}, there are {count}")]
    NoSpecial {
        /// The number of the ring.
        ring: usize,
        /// The index.
        index: usize,
        /// Number of special primes.
        count: usize,
    },
    /// A digit of a ring with a prime that none of the ring's levels has.
    #[error("digit {digit} of ring {ring} names prime {index}, which none of its levels has")]
    NotInRing {
        /// The number of the ring.
        ring: usize,
        /// The number of the digit.
        digit: usize,
        /// The index of the prime.
        index: usize,
    },
    /// A transform that could not be made.
    #[error(transparent)]
    Ring(#[from] RingError),
}

/// The set of primes that an error about indices is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrimeSet {
    /// The primes of a level, by its number.
    Level(usize),
    /// The primes of a digit, by its number.
    Digit(usize),
}

impl std::fmt::Display for PrimeSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Level(level) => write!(f, "level {level}"),
            Self::Digit(digit) => write!(f, "digit {digit}"),
        }
    }
}
