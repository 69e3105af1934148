//! AES-128 in counter mode as vector instructions want it: the key schedule, and the number of the next block.

use std::arch::x86_64::*;

/// Words made at a time.
pub(super) const CHUNK: usize = 64;

/// Where the bytes of two words are in a counter, which is big endian.
pub(super) const BIG_ENDIAN: [u8; 16] = [7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8];

/// AES-128 in counter mode, and which of its words are residues.
pub(super) struct Source {
    pub(super) round_keys: [__m128i; 11],
    /// The number of the next block: its upper half, and its lower half, which does not overflow within a stream.
    pub(super) block: [u64; 2],
    pub(super) prime: u64,
    pub(super) mask: u64,
}

impl Source {
    /// The residues below `prime` out of words under a mask, of the blocks from `block` on.
    #[target_feature(enable = "aes,sse2")]
    pub(super) fn new(key: [u8; 16], block: u128, (prime, mask): (u64, u64)) -> Self {
        Self {
            round_keys: round_keys(load_block(&key)),
            block: [(block >> 64) as u64, block as u64],
            prime,
            mask,
        }
    }
}

/// Reads a block.
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn load_block(block: &[u8; 16]) -> __m128i {
    // SAFETY: the array holds the 16 bytes that are read; no alignment is needed.
    unsafe { _mm_loadu_si128(block.as_ptr().cast()) }
}

/// The key schedule of AES-128.
#[target_feature(enable = "aes,sse2")]
fn round_keys(key: __m128i) -> [__m128i; 11] {
    let k1 = next_round_key::<0x01>(key);
    let k2 = next_round_key::<0x02>(k1);
    let k3 = next_round_key::<0x04>(k2);
    let k4 = next_round_key::<0x08>(k3);
    let k5 = next_round_key::<0x10>(k4);
    let k6 = next_round_key::<0x20>(k5);
    let k7 = next_round_key::<0x40>(k6);
    let k8 = next_round_key::<0x80>(k7);
    let k9 = next_round_key::<0x1b>(k8);
    [
        key,
        k1,
        k2,
        k3,
        k4,
        k5,
        k6,
        k7,
        k8,
        k9,
        next_round_key::<0x36>(k9),
    ]
}

/// The round key after another, with the constant of its round.
#[target_feature(enable = "aes,sse2")]
fn next_round_key<const CONSTANT: i32>(last: __m128i) -> __m128i {
    // Each word is the sum of those up to it.
    let mut sums = last;
    for _ in 0..3 {
        sums = _mm_xor_si128(last, _mm_slli_si128::<4>(sums));
    }
    let assist = _mm_aeskeygenassist_si128::<CONSTANT>(last);
    _mm_xor_si128(sums, _mm_shuffle_epi32::<0xff>(assist))
}
