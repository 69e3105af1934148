//! The reference parameters: the same on every machine and in every version, so that times can be compared.
//!
//! All primes are the largest below 2^50 that are 1 modulo 2N; the special primes are the first of them. A chain is cut into
//! three digits, and P has as many primes as a digit: `2^16: 24 + 8`, `2^15: 12 + 4`, `2^14: 6 + 2`, `2^13: 3 + 1`. All of
//! these are within the line for 128-bit security. Level l has the first l + 1 primes of the chain.

use super::error::BenchError;
use peregrine_compiler::moduli::primes::largest_primes;
use peregrine_ir::Security;
use peregrine_runtime::params::ParametersLiteral;
use serde::Serialize;
use std::ops::RangeInclusive;

/// The reference parameters of one ring degree.
#[derive(Clone, Debug, Serialize)]
pub struct Reference {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Primes of the chain.
    pub chain: usize,
    /// Primes of P.
    pub special: usize,
    /// Digits of key switching.
    pub digits: usize,
    /// log2 of Q P.
    pub modulus_bits: f64,
    /// The largest `modulus_bits` that 128-bit security allows.
    pub modulus_limit_bits: u32,
    /// P first, then the chain.
    #[serde(skip)]
    primes: Vec<u64>,
}

impl Reference {
    /// Ring degrees that are measured, as logarithms.
    pub const LOG_N: RangeInclusive<u32> = 13..=16;
    /// Digits of key switching.
    const DIGITS: usize = 3;
    /// log2 of the bound of all primes.
    const PRIME_BITS: f64 = 50.0;
    /// Scale at which everything is encoded.
    pub(super) const SCALE: f64 = (1u64 << 40) as f64;

    /// The parameters of a degree.
    ///
    /// # Errors
    /// When there is no such degree.
    pub(super) fn at_degree(log_n: u32) -> Result<Self, BenchError> {
        let special = 1 << log_n.saturating_sub(*Self::LOG_N.start());
        let chain = Self::DIGITS * special;
        let count = chain + special;
        let primes = largest_primes(log_n, Self::PRIME_BITS, count);
        let primes = primes.ok_or(BenchError::Primes { count })?;
        let bits = primes.iter().map(|&p| (p as f64).log2()).sum();
        let limit = Security::max_modulus_bits(log_n).unwrap_or(0);
        if bits > f64::from(limit) {
            return Err(BenchError::Insecure { bits, limit });
        }
        Ok(Self {
            log_n,
            chain,
            special,
            digits: Self::DIGITS,
            modulus_bits: bits,
            modulus_limit_bits: limit,
            primes,
        })
    }

    /// For the engine.
    pub(super) fn literal(&self) -> ParametersLiteral {
        let (special, pool) = self.primes.split_at(self.special);
        let indices: Vec<usize> = (0..self.chain).collect();
        ParametersLiteral {
            log_n: self.log_n,
            pool: pool.to_vec(),
            special: special.to_vec(),
            digits: indices.chunks(self.special).map(<[_]>::to_vec).collect(),
            rows: (1..=self.chain).map(|count| (0..count).collect()).collect(),
        }
    }

    /// The highest level.
    pub(super) fn top(&self) -> usize {
        self.chain - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_within_the_security_line() {
        let shapes = Reference::LOG_N.map(|log_n| {
            let reference = Reference::at_degree(log_n).unwrap();
            assert!(reference.modulus_bits <= f64::from(reference.modulus_limit_bits));
            (
                reference.chain,
                reference.special,
                reference.literal().digits.len(),
            )
        });
        let expected = [(3, 1, 3), (6, 2, 3), (12, 4, 3), (24, 8, 3)];
        assert_eq!(shapes.collect::<Vec<_>>(), expected);
    }
}
