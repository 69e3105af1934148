//! SplitMix64: reproducible random numbers, which are of no use to cryptography.
//!
//! # References
//! - \[SLF14\] Steele, Lea, Flood, *Fast Splittable Pseudorandom Number Generators*, OOPSLA 2014.

/// A stream of random numbers. Its state determines all of them.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix {
    state: u64,
}

impl SplitMix {
    pub(crate) fn new(state: u64) -> Self {
        Self { state }
    }

    /// 64 uniform bits.
    pub(crate) fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A uniform number of `[0, 1)`.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The quotient of 2^64 and the golden ratio.
pub(crate) const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A bijection of 64 bits, each bit of the result depending on all.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
