//! Uniform residues from AES-128 in counter mode, see the `sampling` module: encrypted four blocks to a vector, and squeezed
//! together in registers, so that no key stream is ever in memory.

use super::vector::*;
use crate::ring::counter::{BIG_ENDIAN, CHUNK, Source, load_block};
use std::arch::x86_64::*;

/// Vectors encrypted side by side, which hides the latency of a round.
const VECTORS: usize = CHUNK / 8;

/// The residues among the next words, put to the front of `out`, as long as there is room for a chunk; how many they are.
#[target_feature(enable = "avx512f,avx512bw,vaes,aes")]
pub(in crate::ring) fn fill(source: &mut Source, out: &mut [u64]) -> usize {
    let mut keys = [_mm512_setzero_si512(); 11];
    for (spread, key) in keys.iter_mut().zip(source.round_keys) {
        *spread = _mm512_broadcast_i32x4(key);
    }
    let mut filled = 0;
    while let Some(room) = out.get_mut(filled..).and_then(|out| out.first_chunk_mut()) {
        filled += chunk(source, &keys, room);
    }
    filled
}

/// The residues among the next words, put to the front of `out`; how many they are.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,vaes,aes")]
fn chunk(source: &mut Source, keys: &[Vector; 11], out: &mut [u64; CHUNK]) -> usize {
    let [upper, lower] = source.block;
    source.block[1] = lower.wrapping_add(CHUNK as u64 / 2);
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
    let (mask, prime) = (splat(source.mask), splat(source.prime));
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
