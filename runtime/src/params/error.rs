//! Why parameters are refused.

use super::{Parameters, UNSAFE_PRIMES};
use crate::ring::RingError;

/// Why a literal describes no usable parameters.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParametersError {
    /// The degree is not supported.
    #[error("log_n = {log_n} is not supported (only {} to {})", Parameters::LOG_N.start(), Parameters::LOG_N.end())]
    Degree {
        /// log2 N.
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
    /// Not a prime.
    #[error("{value} is not prime")]
    Composite {
        /// The number.
        value: u64,
    },
    /// A prime without a primitive 2N-th root of unity.
    #[error("prime {prime} is not 1 modulo 2N = {order}")]
    RootOfUnity {
        /// The prime.
        prime: u64,
        /// 2N.
        order: u64,
    },
    /// A prime listed twice.
    #[error("prime {prime} appears twice")]
    RepeatedPrime {
        /// The prime.
        prime: u64,
    },
    /// There are no levels.
    #[error("there are no levels")]
    NoLevels,
    /// A level or digit without primes.
    #[error("{set} has no primes")]
    EmptySet {
        /// The level or digit.
        set: PrimeSet,
    },
    /// An index beyond the pool.
    #[error("{set} names prime {index}, but the pool has {count}")]
    PrimeIndex {
        /// The level or digit.
        set: PrimeSet,
        /// The index.
        index: usize,
        /// Size of the pool.
        count: usize,
    },
    /// An index that a level repeats, or that is in two digits.
    #[error("{set} names prime {index}, which is already named")]
    RepeatedIndex {
        /// The level or digit.
        set: PrimeSet,
        /// The index.
        index: usize,
    },
    /// A pool prime in no digit.
    #[error("prime {index} of the pool is in no digit")]
    NotInDigit {
        /// The index.
        index: usize,
    },
    /// Digits without special primes, or the reverse.
    #[error("{digits} digits with {special} special primes: key switching needs both")]
    HalfKeySwitching {
        /// How many digits.
        digits: usize,
        /// How many special primes.
        special: usize,
    },
    /// P is smaller than a digit in use.
    #[error(
        "P has {special_bits:.1} bits but digit {digit} has {digit_bits:.1} at level {level}; P must not be smaller"
    )]
    SmallSpecial {
        /// log2 P.
        special_bits: f64,
        /// The digit.
        digit: usize,
        /// The level.
        level: usize,
        /// log2 of the digit's primes of that level.
        digit_bits: f64,
    },
    /// No such level.
    #[error("level {level} does not exist (there are {count})")]
    Level {
        /// The level.
        level: usize,
        /// How many there are.
        count: usize,
    },
    /// A level of a ring that there is not.
    #[error("level {level} is of ring {ring}, there are {count}")]
    NoRing {
        /// The level.
        level: usize,
        /// The number of the ring.
        ring: usize,
        /// How many rings there are.
        count: usize,
    },
    /// A special prime that there is not.
    #[error("ring {ring} names special prime {index}, there are {count}")]
    NoSpecial {
        /// The ring.
        ring: usize,
        /// The index.
        index: usize,
        /// How many special primes there are.
        count: usize,
    },
    /// A digit of a ring with a prime that none of its levels has.
    #[error("digit {digit} of ring {ring} names prime {index}, which none of its levels has")]
    NotInRing {
        /// The ring.
        ring: usize,
        /// The digit.
        digit: usize,
        /// The index.
        index: usize,
    },
    /// A transform could not be made.
    #[error(transparent)]
    Ring(#[from] RingError),
}

/// What an error about indices is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrimeSet {
    /// A level's row.
    Level(usize),
    /// A digit.
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
