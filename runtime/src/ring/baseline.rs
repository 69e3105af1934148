//! The transform of `tfhe-ntt`, to compare with: no engine code uses it through this type.

use std::fmt;
use tfhe_ntt::prime64::Plan;

/// The forward transform of `tfhe-ntt` modulo one prime: the yardstick of benchmarks.
pub struct Baseline(Plan);

impl fmt::Debug for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Baseline")
            .field("degree", &self.0.ntt_size())
            .field("modulus", &self.0.modulus())
            .finish()
    }
}

impl Baseline {
    /// The `tfhe-ntt` transform of degree `2^log_n` modulo a prime; `None` when the library has none for that prime.
    pub fn new(log_n: u32, prime: u64) -> Option<Self> {
        Plan::try_new(1usize.checked_shl(log_n)?, prime).map(Self)
    }

    /// Transforms N words in natural order, each below the prime, to values in bit-reversed order, in place.
    ///
    /// # Panics
    /// When there are not N words.
    pub fn forward(&self, words: &mut [u64]) {
        self.0.fwd(words);
    }
}
