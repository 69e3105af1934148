//! Uniform residues from AES-128 in counter mode, see the `sampling` module: encrypted four blocks to a vector, and squeezed
//! together in registers, so that no key stream is ever in memory.
//!
//! For public seeds only: nothing is wiped, and the time depends on the words.

use super::Ifma;
use super::vector::*;
use std::arch::x86_64::*;

/// Vectors encrypted side by side, which hides the latency of a round.
const VECTORS: usize = 8;

/// Words made at a time.
const CHUNK: usize = 8 * VECTORS;

/// Where the bytes of two words are in a counter, which is big endian.
const BIG_ENDIAN: [u8; 16] = [7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8];

/// The residues of one stream, from first to last.
pub(in crate::ring) struct VectorStream {
    round_keys: [__m128i; 11],
    /// The number of the next block: its upper half, and its lower half, which does not overflow within a stream.
    block: [u64; 2],
    /// Residues that were made and not asked for yet: those from `used` to `made`.
    spare: [u64; CHUNK],
    used: usize,
    made: usize,
    prime: u64,
    mask: u64,
}

impl VectorStream {
    /// Residues below `prime` out of words under a mask, of the blocks from `block` on; none where the processor lacks AES on vectors.
    pub(in crate::ring) fn new(
        _: Ifma,
        key: [u8; 16],
        block: u128,
        prime: u64,
        mask: u64,
    ) -> Option<Self> {
        let found = is_x86_feature_detected!("vaes")
            && is_x86_feature_detected!("aes")
            && is_x86_feature_detected!("avx512bw");
        found.then(|| Self {
            // SAFETY: the instructions were found.
            round_keys: unsafe { round_keys(load_block(&key)) },
            block: [(block >> 64) as u64, block as u64],
            spare: [0; CHUNK],
            used: 0,
            made: 0,
            prime,
            mask,
        })
    }

    /// The next residues; the same ones however the calls divide them.
    pub(in crate::ring) fn fill(&mut self, out: &mut [u64]) {
        let spare = &self.spare[self.used..self.made];
        let count = spare.len().min(out.len());
        let (first, out) = out.split_at_mut(count);
        first.copy_from_slice(&spare[..count]);
        self.used += count;
        // SAFETY: there is no stream unless the processor features were found.
        unsafe { self.make(out) }
    }

    #[target_feature(enable = "avx512f,avx512bw,vaes,aes")]
    fn make(&mut self, out: &mut [u64]) {
        let mut keys = [_mm512_setzero_si512(); 11];
        for (spread, key) in keys.iter_mut().zip(self.round_keys) {
            *spread = _mm512_broadcast_i32x4(key);
        }
        let mut filled = 0;
        while let Some(room) = out.get_mut(filled..).and_then(|out| out.first_chunk_mut()) {
            filled += self.chunk(&keys, room);
        }
        while filled < out.len() {
            let mut spare = [0; CHUNK];
            self.made = self.chunk(&keys, &mut spare);
            self.spare = spare;
            self.used = self.made.min(out.len() - filled);
            out[filled..filled + self.used].copy_from_slice(&spare[..self.used]);
            filled += self.used;
        }
    }

    /// The residues among the next words, put to the front of `out`; how many they are.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,vaes,aes")]
    fn chunk(&mut self, keys: &[Vector; 11], out: &mut [u64; CHUNK]) -> usize {
        let [upper, lower] = self.block;
        self.block[1] = lower.wrapping_add(CHUNK as u64 / 2);
        let swap = _mm512_broadcast_i32x4(load_block(&BIG_ENDIAN));
        let mut number = load(&std::array::from_fn(|i| match i % 2 {
            0 => upper,
            _ => lower.wrapping_add(i as u64 / 2),
        }));
        let step = load(&std::array::from_fn(|i| 4 * (i as u64 % 2)));
        let mut state = [_mm512_setzero_si512(); VECTORS];
        for state in &mut state {
            *state = _mm512_xor_si512(_mm512_shuffle_epi8(number, swap), keys[0]);
            number = _mm512_add_epi64(number, step);
        }
        for key in &keys[1..10] {
            for state in &mut state {
                *state = _mm512_aesenc_epi128(*state, *key);
            }
        }
        let (mask, prime) = (splat(self.mask), splat(self.prime));
        let mut filled = 0;
        for state in state {
            let words = _mm512_and_si512(_mm512_aesenclast_epi128(state, keys[10]), mask);
            let residues = _mm512_cmplt_epu64_mask(words, prime);
            // At most eight words for each vector before this one: there is always room for eight more.
            if let Some(out) = out.get_mut(filled..).and_then(|out| out.first_chunk_mut()) {
                store(out, _mm512_maskz_compress_epi64(residues, words));
            }
            filled += residues.count_ones() as usize;
        }
        filled
    }
}

/// Reads a block.
#[inline]
#[target_feature(enable = "sse2")]
fn load_block(block: &[u8; 16]) -> __m128i {
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
