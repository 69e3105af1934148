//! Uniform residues from AES-128 in counter mode, see the `sampling` module: encrypted two blocks to a vector, and squeezed
//! together in registers, so that no key stream is ever in memory.

use super::vector::*;
use crate::ring::counter::{BIG_ENDIAN, CHUNK, Source, load_block};
use std::arch::x86_64::*;

/// Vectors encrypted side by side, which hides the latency of a round.
const VECTORS: usize = 8;

/// For each set of lanes, as bits: these lanes first, each as two halves.
const FIRST: [[u32; 8]; 16] = {
    let mut first = [[0; 8]; 16];
    let mut set = 0;
    while set < 16 {
        let (mut lane, mut to) = (0, 0);
        while lane < 4 {
            if set >> lane & 1 == 1 {
                first[set][to] = 2 * lane;
                first[set][to + 1] = 2 * lane + 1;
                to += 2;
            }
            lane += 1;
        }
        set += 1;
    }
    first
};

/// The residues among the next words, put to the front of `out`, as long as there is room for a chunk; how many they are.
#[target_feature(enable = "avx2,vaes,aes")]
pub(in crate::ring) fn fill(source: &mut Source, out: &mut [u64]) -> usize {
    let mut keys = [_mm256_setzero_si256(); 11];
    for (spread, key) in keys.iter_mut().zip(source.round_keys) {
        *spread = _mm256_broadcastsi128_si256(key);
    }
    let mut filled = 0;
    while let Some(room) = out.get_mut(filled..filled + CHUNK) {
        let mut made = 0;
        for _ in 0..CHUNK / (4 * VECTORS) {
            made += part(source, &keys, &mut room[made..]);
        }
        filled += made;
    }
    filled
}

/// The residues among the next words, four for each vector, put to the front of `out`, which is as long at least; how many they are.
#[inline]
#[target_feature(enable = "avx2,vaes,aes")]
fn part(source: &mut Source, keys: &[__m256i; 11], out: &mut [u64]) -> usize {
    let [upper, lower] = source.block;
    source.block[1] = lower.wrapping_add(2 * VECTORS as u64);
    let swap = _mm256_broadcastsi128_si256(load_block(&BIG_ENDIAN));
    let mut number = load(&[upper, lower, upper, lower.wrapping_add(1)]);
    let step = load(&[0, 2, 0, 2]);
    let mut state = [_mm256_setzero_si256(); VECTORS];
    for state in &mut state {
        *state = _mm256_xor_si256(_mm256_shuffle_epi8(number, swap), keys[0]);
        number = _mm256_add_epi64(number, step);
    }
    for key in &keys[1..10] {
        for state in &mut state {
            *state = _mm256_aesenc_epi128(*state, *key);
        }
    }
    let (mask, prime) = (splat_word(source.mask), splat_word(source.prime));
    let mut filled = 0;
    for state in state {
        let words = _mm256_and_si256(_mm256_aesenclast_epi128(state, keys[10]), mask);
        let residues = _mm256_castsi256_pd(_mm256_cmpgt_epi64(prime, words));
        let set = _mm256_movemask_pd(residues) as usize & 15;
        // At most four words for each vector before this one: there is always room for four more.
        if let Some(out) = out.get_mut(filled..).and_then(|out| out.first_chunk_mut()) {
            store(out, _mm256_permutevar8x32_epi32(words, lanes(&FIRST[set])));
        }
        filled += set.count_ones() as usize;
    }
    filled
}

/// Reads the numbers of eight halves of lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn lanes(a: &[u32; 8]) -> __m256i {
    // SAFETY: the array holds the 32 bytes that are read; no alignment is needed.
    unsafe { _mm256_loadu_si256(a.as_ptr().cast()) }
}
