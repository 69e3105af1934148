//! Randomness: seeds, and what is sampled from them.
//!
//! A [`Seed`] of 128 bits, little endian, keys AES-128 in counter mode. Stream `i` is the key stream from block `i 2^44` on (byte
//! `i 2^48`; the counter is the block's number, big endian, in 16 bytes), so streams of one seed do not overlap and limbs expand
//! in parallel. Public seeds (the uniform halves of keys and ciphertexts) and secret ones (keys, noise) are separate outputs of
//! a [`Randomness`], itself such a stream seeded by the operating system. Key streams of secrets are wiped after use.
//!
//! | sampled | from the stream, as 64-bit little-endian words or as bytes |
//! |---|---|
//! | uniform residue modulo `p` of `b` bits | the low `b` bits of the next word for which they are below `p` |
//! | ternary coefficient | the next pair of bits, lowest first in each byte, that is not 3, minus 1 |
//! | error coefficient | how many of the low 42 bits of the next word are set, minus 21 |
//!
//! The first row is part of the file formats: readers of keys and ciphertexts expand seeds. No row takes remainders, so none has
//! a bias. The last is the centred binomial distribution, 21 bits against 21: the complement of a fair bit is a fair bit.
//!
//! An error polynomial is sampled once, as integers, and then reduced modulo every prime: sampling per prime would make
//! residues of no small integer.
//!
//! # References
//! - \[ADPS16\] Alkim, Ducas, Poeppelmann, Schwabe, *Post-quantum key exchange: a new hope*; binomial errors.
//!   <https://eprint.iacr.org/2015/1092>

use super::{Coefficient, Kernels, Modulus, Ntt, Ring, RnsBasis, RnsPoly};
use aes::Aes128;
use aes::cipher::{Array, InnerIvInit, KeyInit, StreamCipherCore, StreamCipherSeekCore};
use ctr::{CtrCore, flavors::Ctr128BE};
use std::fmt;
#[cfg(target_arch = "x86_64")]
use vector_stream::VectorStream;
use zeroize::{Zeroize, Zeroizing};

/// The standard deviation of an error coefficient, `sqrt(42) / 2`.
pub const NOISE_DEVIATION: f64 = 3.240_370_349_203_93;

/// log2 of the 16-byte blocks reserved for each stream of a seed.
const LOG2_STREAM_BLOCKS: u32 = 44;

/// Key stream made at a time: fits the first-level cache beside the words it becomes.
const BUFFER_BYTES: usize = 4096;

/// Words that [`UniformStream`] looks at together.
const GROUP: usize = 16;

/// Fair bits summed in an error coefficient.
const NOISE_BITS: u32 = 42;

/// 128 bits from which polynomials are expanded.
#[derive(Clone, Copy, PartialEq, Eq, Zeroize)]
pub struct Seed(pub u128);

/// Not shown: some seeds are secret.
impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// The number of the first block of a stream.
fn first_block(stream: u64) -> u128 {
    u128::from(stream) << LOG2_STREAM_BLOCKS
}

/// AES-128 in counter mode; wipes its round keys.
type Cipher = CtrCore<Aes128, Ctr128BE>;

/// The cipher of a seed at the start of a stream.
fn cipher(seed: Seed, stream: u64) -> Cipher {
    let key = Zeroizing::new(seed.0.to_le_bytes());
    let mut cipher = Cipher::inner_iv_init(Aes128::new((&*key).into()), &Array([0; 16]));
    cipher.set_block_pos(first_block(stream));
    cipher
}

/// One stream of a seed, read piece by piece.
struct KeyStream {
    cipher: Cipher,
    buffer: [u8; BUFFER_BYTES],
    used: usize,
}

impl KeyStream {
    fn new(seed: Seed, stream: u64) -> Self {
        Self {
            cipher: cipher(seed, stream),
            buffer: [0; BUFFER_BYTES],
            used: BUFFER_BYTES,
        }
    }

    /// For secrets: the buffer is wiped when dropped.
    fn secret(seed: Seed) -> Zeroizing<Self> {
        Zeroizing::new(Self::new(seed, 0))
    }

    /// The bytes that are next, at least one and a whole number of words as long as only words are used.
    fn peek(&mut self) -> &[u8] {
        if self.used == BUFFER_BYTES {
            let (blocks, _) = Array::slice_as_chunks_mut(&mut self.buffer);
            self.cipher.write_keystream_blocks(blocks);
            self.used = 0;
        }
        &self.buffer[self.used..]
    }
}

impl Zeroize for KeyStream {
    fn zeroize(&mut self) {
        self.buffer.zeroize();
    }
}

/// Uniform residues modulo one prime, from one stream of a seed; public. All loops give the same ones.
pub(crate) enum UniformStream {
    Portable(Box<PortableStream>),
    #[cfg(target_arch = "x86_64")]
    Vector(Box<VectorStream>),
}

impl UniformStream {
    /// The residues of a stream.
    pub(super) fn new(kernels: Kernels, seed: Seed, stream: u64, modulus: &Modulus) -> Self {
        let (prime, mask) = (modulus.value(), (1 << modulus.bits()) - 1);
        #[cfg(target_arch = "x86_64")]
        {
            let (key, block) = (seed.0.to_le_bytes(), first_block(stream));
            if let Some(stream) = VectorStream::new(kernels, key, block, (prime, mask)) {
                return Self::Vector(Box::new(stream));
            }
        }
        let stream = KeyStream::new(seed, stream);
        Self::Portable(Box::new(PortableStream {
            stream,
            prime,
            mask,
        }))
    }

    /// The next residues; the same ones however the calls divide them.
    pub(super) fn fill(&mut self, out: &mut [u64]) {
        match self {
            Self::Portable(stream) => stream.fill(out),
            #[cfg(target_arch = "x86_64")]
            Self::Vector(stream) => stream.fill(out),
        }
    }
}

/// A stream of uniform residues for any processor.
pub(super) struct PortableStream {
    stream: KeyStream,
    prime: u64,
    mask: u64,
}

impl PortableStream {
    fn fill(&mut self, mut out: &mut [u64]) {
        while !out.is_empty() {
            let (words, _) = self.stream.peek().as_chunks();
            let count = words.len().min(out.len());
            let filled = accept(&words[..count], out, self.prime, self.mask);
            self.stream.used += 8 * count;
            out = &mut out[filled..];
        }
    }
}

/// Puts the words that are residues to the front of `out`, which is at least as long; how many they are.
fn accept(words: &[[u8; 8]], out: &mut [u64], prime: u64, mask: u64) -> usize {
    let mut filled = 0;
    for words in words.chunks(GROUP) {
        let mut group = [0; GROUP];
        let mut excess = 0;
        for (residue, word) in group.iter_mut().zip(words) {
            *residue = u64::from_le_bytes(*word) & mask;
            excess |= (prime - 1).wrapping_sub(*residue);
        }
        let group = &group[..words.len()];
        // Differences of numbers below 2^50: the top bit is their sign.
        if excess >> 63 == 0 {
            out[filled..filled + group.len()].copy_from_slice(group);
            filled += group.len();
            continue;
        }
        for &residue in group {
            out[filled] = residue;
            filled += usize::from(residue < prime);
        }
    }
    filled
}

/// A source of seeds for keys, errors and uniform polynomials: AES-128 in counter mode.
pub struct Randomness(Cipher);

impl fmt::Debug for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Randomness(..)")
    }
}

impl Randomness {
    /// A source of seeds that the operating system seeds.
    #[cfg(unix)]
    pub fn from_os() -> Self {
        use tfhe::core_crypto::seeders::{Seeder, UnixSeeder};
        Self(cipher(Seed(UnixSeeder::new(0).seed().0), 0))
    }

    /// A source of seeds that the operating system or the processor seeds.
    #[cfg(not(unix))]
    pub fn from_os() -> Self {
        let seed = tfhe::core_crypto::seeders::new_seeder().seed();
        Self(cipher(Seed(seed.0), 0))
    }

    /// A source that gives the seeds of a fixed sequence, for tests only: whoever knows its seed knows every secret drawn from
    /// it.
    pub fn from_seed_for_tests(seed: u128) -> Self {
        Self(cipher(Seed(seed), 0))
    }

    /// The next seed of the source.
    pub fn seed(&mut self) -> Seed {
        let mut block = Zeroizing::new([0; 16]);
        self.0.write_keystream_block((&mut *block).into());
        Seed(u128::from_le_bytes(*block))
    }

    /// A source for another thread, seeded by this one and independent of it.
    pub fn fork(&mut self) -> Self {
        Self(cipher(self.seed(), 0))
    }
}

impl Ring {
    /// The uniformly random polynomial of a seed over a basis. Its limb modulo `q` is stream `first_stream + q`, so that a
    /// basis and its subsets give equal residues, whatever numbers their primes have.
    pub fn expand_uniform(&self, basis: &RnsBasis, seed: Seed, first_stream: u64) -> RnsPoly<Ntt> {
        let mut out = RnsPoly::any(self, basis);
        out.par_limbs_mut_heavy(self, |prime, limb| {
            let modulus = self.modulus(prime);
            let stream = first_stream + modulus.value();
            UniformStream::new(self.kernels, seed, stream, modulus).fill(limb);
        });
        out
    }

    /// N ternary coefficients of a seed: each is -1, 0 or 1 with probability 1/3. Timing and addresses depend on which pairs
    /// of bits were skipped, which says nothing of the others.
    pub fn sample_ternary(&self, seed: Seed) -> Zeroizing<Vec<i8>> {
        sample_ternary(seed, self.degree())
    }

    /// The error polynomial of a seed: coefficients of standard deviation [`NOISE_DEVIATION`], none larger than 21. Takes the
    /// same time whatever they are.
    pub fn sample_noise(&self, basis: &RnsBasis, seed: Seed) -> Zeroizing<RnsPoly<Coefficient>> {
        let integers = sample_binomial(seed, self.degree());
        let mut out = RnsPoly::any(self, basis);
        out.par_limbs_mut(self, |prime, limb| {
            self.kernels
                .reduce_signed(limb, &integers, self.modulus(prime))
        });
        Zeroizing::new(out)
    }
}

/// [`Ring::sample_ternary`] of any length.
pub(crate) fn sample_ternary(seed: Seed, count: usize) -> Zeroizing<Vec<i8>> {
    let mut stream = KeyStream::secret(seed);
    let mut out = Zeroizing::new(vec![0; count]);
    let mut filled = 0;
    while filled < count {
        let byte = stream.peek()[0];
        stream.used += 1;
        for shift in [0, 2, 4, 6] {
            let pair = (byte >> shift) & 3;
            if filled < count {
                out[filled] = pair as i8 - 1;
                filled += usize::from(pair != 3);
            }
        }
    }
    out
}

/// A seed's `count` coefficients of which `weight`, at places drawn without repetition, are 1 or -1 and all others 0; all of them where
/// `weight` is larger. Timing depends on which places were taken already, which says nothing of the others.
pub(crate) fn sample_sparse(seed: Seed, count: usize, weight: u32) -> Zeroizing<Vec<i8>> {
    let mut stream = KeyStream::secret(seed);
    let mut out = Zeroizing::new(vec![0i8; count]);
    let mask = count.next_power_of_two() - 1;
    let mut left = (weight as usize).min(count);
    while left > 0 {
        let (words, _) = stream.peek().as_chunks();
        let word = words.first().copied().map_or(0, u64::from_le_bytes);
        stream.used += size_of::<u64>();
        let (at, positive) = ((word >> 1) as usize & mask, word & 1 == 1);
        if let Some(coefficient @ 0) = out.get_mut(at) {
            *coefficient = if positive { 1 } else { -1 };
            left -= 1;
        }
    }
    out
}

/// Integers of the centred binomial distribution.
fn sample_binomial(seed: Seed, count: usize) -> Zeroizing<Vec<i64>> {
    let mut stream = KeyStream::secret(seed);
    let mut integers = Zeroizing::new(vec![0; count]);
    let mut rest = &mut integers[..];
    while !rest.is_empty() {
        let (words, _) = stream.peek().as_chunks();
        let (here, after) = rest.split_at_mut(words.len().min(rest.len()));
        for (integer, word) in here.iter_mut().zip(words) {
            let bits = u64::from_le_bytes(*word) & ((1 << NOISE_BITS) - 1);
            *integer = i64::from(bits.count_ones()) - i64::from(NOISE_BITS / 2);
        }
        stream.used += 8 * here.len();
        rest = after;
    }
    integers
}

#[cfg(target_arch = "x86_64")]
mod vector_stream;

#[cfg(test)]
mod tests;
