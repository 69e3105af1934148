//! The ring `Z_Q[X] / (X^N + 1)` in residues: moduli, transforms, polynomials, base conversion, sampling.
//!
//! Notation: `N = 2^log_n`; a prime is named by its index into [`Ring::moduli`]; a [`RnsBasis`] is a set of such indices, and
//! [`RnsPoly`] a polynomial modulo each of them. Scheme-agnostic: nothing here knows of keys, levels or scales. The types of
//! `tfhe` and `tfhe-ntt` do not leave this module. The loops over words are those of `portable`, of `fma` or of `ifma`, see
//! `kernels`.
//!
//! Cost in limb passes of N words; a transform costs about `log2 N / 4` passes. Every operation runs its limbs in parallel.

mod arithmetic;
mod automorphism;
mod baseline;
mod basis;
mod convert;
#[cfg(target_arch = "x86_64")]
mod counter;
mod dot_parts;
mod dots;
#[cfg(target_arch = "x86_64")]
mod few;
#[cfg(target_arch = "x86_64")]
mod fma;
#[cfg(target_arch = "x86_64")]
mod ifma;
mod kernels;
mod key_limb;
mod key_product;
mod modulus;
mod packing;
#[cfg(target_arch = "x86_64")]
mod passes;
mod poly;
mod pool;
mod portable;
mod sampling;
mod subring;
mod transform;

#[cfg(test)]
mod tests;

pub use automorphism::Permutation;
pub use baseline::Baseline;
pub use basis::RnsBasis;
pub(crate) use modulus::is_prime;
pub use modulus::{Factor, Modulus};
pub use poly::{Coefficient, Ntt, RnsPoly, SecretPoly};
pub use sampling::{NOISE_DEVIATION, Randomness, Seed};
pub(crate) use sampling::{sample_sparse, sample_ternary};

pub(crate) use dot_parts::{FACTORS_AT_ONCE, Multiplier, Term};
pub(crate) use dots::{Row, Weight};
pub use kernels::kernels_in_use;
pub(crate) use key_limb::{Halves, PackedHalves};
pub(crate) use key_product::Then;
pub(crate) use transform::table_bytes as transform_table_bytes;

use convert::Conversions;
use kernels::Kernels;
use pool::{Buffer, Pool};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, RwLock};
use transform::Transform;

/// A ring `Z_Q[X]/(X^N + 1)` for each set of its primes: moduli and transforms of one degree, with tables that are built on
/// first use.
pub struct Ring {
    log_n: u32,
    kernels: Kernels,
    pool: Arc<Pool>,
    moduli: Vec<Modulus>,
    transforms: Vec<Transform>,
    permutations: RwLock<BTreeMap<u64, Arc<Permutation>>>,
    conversions: Conversions,
}

/// Why a polynomial could not be made or combined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RingError {
    /// No transform of this degree exists, or it failed its self-test.
    #[error("no working transform of degree 2^{log_n} modulo {prime}")]
    Transform {
        /// log2 of the degree.
        log_n: u32,
        /// The prime.
        prime: u64,
    },
    /// A prime index beyond the ring's moduli.
    #[error("prime index {index} is out of range (the ring has {count} primes)")]
    PrimeIndex {
        /// The index.
        index: usize,
        /// How many primes there are.
        count: usize,
    },
    /// A wrong number of words.
    #[error("{found} words were given, {expected} are needed")]
    Length {
        /// What the basis and degree ask for.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// A residue at or above its prime.
    #[error("a residue modulo {prime} is not reduced")]
    Unreduced {
        /// The prime.
        prime: u64,
    },
    /// An operand lacks the residues modulo a prime.
    #[error("an operand has no residues modulo {prime}")]
    MissingPrime {
        /// The prime.
        prime: u64,
    },
    /// A polynomial of another ring.
    #[error("an operand is of degree {found}, the ring is of degree {expected}")]
    Degree {
        /// N.
        expected: usize,
        /// The operand's degree.
        found: usize,
    },
    /// Two operands are over different primes.
    #[error("the operands are over different primes: {left:?} and {right:?}")]
    Basis {
        /// Prime indices of the first.
        left: Vec<usize>,
        /// Prime indices of the second.
        right: Vec<usize>,
    },
    /// An operation on no operands.
    #[error("there are no operands")]
    NoOperands,
    /// `X -> X^g` is an automorphism for odd `g` only.
    #[error("the exponent {exponent} of an automorphism is not an odd number below {limit}")]
    Exponent {
        /// The exponent.
        exponent: u64,
        /// 2N.
        limit: u64,
    },
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("log_n", &self.log_n)
            .field("kernels", &self.kernels.name())
            .field("moduli", &self.moduli)
            .finish_non_exhaustive()
    }
}

impl Ring {
    /// Plans the transforms, several at once; each tests itself.
    ///
    /// # Errors
    /// When a prime has no transform of this degree.
    pub(crate) fn new(log_n: u32, primes: &[u64]) -> Result<Self, RingError> {
        Self::with_kernels(log_n, primes, Kernels::detect(log_n))
    }

    /// [`Self::new`] with a choice of loops.
    fn with_kernels(log_n: u32, primes: &[u64], kernels: Kernels) -> Result<Self, RingError> {
        let moduli: Vec<Modulus> = primes.iter().map(|&p| Modulus::new(p)).collect();
        let plan = |&m: &Modulus| {
            Transform::new(log_n, m, kernels).ok_or(RingError::Transform {
                log_n,
                prime: m.value(),
            })
        };
        let transforms = moduli.par_iter().map(plan).collect::<Result<_, _>>()?;
        let (permutations, conversions) = (RwLock::default(), Conversions::default());
        Ok(Self {
            log_n,
            kernels,
            pool: Pool::new(1 << log_n),
            moduli,
            transforms,
            permutations,
            conversions,
        })
    }

    /// The ring of another degree with the same primes, in the same order.
    ///
    /// # Errors
    /// When a prime has no transform of that degree.
    pub(crate) fn of_degree(&self, log_n: u32) -> Result<Self, RingError> {
        let primes: Vec<u64> = self.moduli.iter().map(Modulus::value).collect();
        Self::new(log_n, &primes)
    }

    /// log2 of the ring degree N.
    pub fn log_n(&self) -> u32 {
        self.log_n
    }

    /// The ring degree N.
    pub fn degree(&self) -> usize {
        1 << self.log_n
    }

    /// A buffer of N words to be overwritten.
    fn buffer(&self) -> Buffer {
        self.pool.take()
    }

    /// Gives the memory of buffers back that nothing uses now.
    pub(crate) fn free_buffers(&self) {
        self.pool.shrink();
    }

    /// The moduli of all primes, by index.
    pub fn moduli(&self) -> &[Modulus] {
        &self.moduli
    }

    /// The prime of an index that is in a checked [`RnsBasis`].
    pub(crate) fn modulus(&self, prime: usize) -> &Modulus {
        &self.moduli[prime]
    }

    fn transform(&self, prime: usize) -> &Transform {
        &self.transforms[prime]
    }

    /// # Errors
    /// When an index is out of range.
    pub(crate) fn check_basis(&self, basis: &RnsBasis) -> Result<(), RingError> {
        let count = self.moduli.len();
        match basis.primes().last() {
            Some(&index) if index >= count => Err(RingError::PrimeIndex { index, count }),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// When `basis` has a prime that `covering` lacks; names it.
    fn check_covers(&self, covering: &RnsBasis, basis: &RnsBasis) -> Result<(), RingError> {
        match basis.primes().iter().find(|&&p| !covering.contains(p)) {
            None => Ok(()),
            Some(&prime) => Err(RingError::MissingPrime {
                prime: self.moduli.get(prime).map_or(0, |m| m.value()),
            }),
        }
    }

    /// The product of a set of primes modulo one prime.
    fn product_mod(&self, basis: &RnsBasis, prime: usize) -> u64 {
        self.modulus(prime)
            .product(basis.primes().iter().map(|&p| self.modulus(p).value()))
    }

    /// log2 of the product of a set of primes.
    pub(crate) fn log2_product(&self, basis: &RnsBasis) -> f64 {
        basis
            .primes()
            .iter()
            .map(|&p| (self.modulus(p).value() as f64).log2())
            .sum()
    }
}
