//! The two halves of a digit of a key, as polynomials or as what they are made from, limb by limb and block by block.
//!
//! A key is read once for each use, which is too much for any cache. So its residues may as well be made while they are used:
//! unpacking and expanding a block that stays in the caches takes little longer than fetching its words from memory.

use super::sampling::UniformStream;
use super::{Ntt, Ring, RingError, RnsBasis, RnsPoly, Seed, packing};
use std::ops::Range;

/// Words of each half that are expanded at a time.
const BLOCK: usize = 512;

/// The two halves of one digit of a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Halves<'a> {
    /// As they are used.
    Expanded([&'a RnsPoly<Ntt>; 2]),
    /// As they are stored.
    Packed(PackedHalves<'a>),
}

/// The two halves of one digit of a key as they are stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackedHalves<'a> {
    /// The primes.
    pub(crate) basis: &'a RnsBasis,
    /// Where in the first half the packed limb of each prime begins.
    pub(crate) offsets: &'a [usize],
    /// The first half.
    pub(crate) b: &'a [u8],
    /// What the second half is expanded from.
    pub(crate) seed: Seed,
    /// Where in the streams of the seed; see [`Ring::expand_uniform`].
    pub(crate) first_stream: u64,
}

impl<'a> Halves<'a> {
    /// # Errors
    /// When there are no residues modulo a prime of `basis`; names it.
    pub(super) fn check_superset(&self, ring: &Ring, basis: &RnsBasis) -> Result<(), RingError> {
        match self {
            Self::Expanded(halves) => halves
                .iter()
                .try_for_each(|half| half.check_superset(ring, basis)),
            Self::Packed(packed) => ring.check_covers(packed.basis, basis),
        }
    }

    /// Both halves of the digit modulo one of its primes.
    pub(super) fn limb(&self, ring: &Ring, prime: usize) -> Option<KeyLimb<'a>> {
        match self {
            Self::Expanded([b, a]) => {
                Some(KeyLimb::Expanded([b.residues(prime)?, a.residues(prime)?]))
            }
            Self::Packed(packed) => {
                let offset = *packed.offsets.get(packed.basis.position(prime)?)?;
                let modulus = ring.modulus(prime);
                let stream = packed.first_stream + modulus.value();
                Some(KeyLimb::Packed(Box::new(PackedLimb {
                    prime,
                    b: packed.b.get(offset..)?,
                    a: UniformStream::new(ring.kernels, packed.seed, stream, modulus),
                    words: vec![0; 2 * BLOCK.min(ring.degree())],
                })))
            }
        }
    }
}

/// Both halves of a digit of a key modulo one prime.
pub(super) enum KeyLimb<'a> {
    Expanded([&'a [u64]; 2]),
    Packed(Box<PackedLimb<'a>>),
}

/// What is left of both halves, and the block of each that was expanded last.
pub(super) struct PackedLimb<'a> {
    prime: usize,
    b: &'a [u8],
    a: UniformStream,
    words: Vec<u64>,
}

impl KeyLimb<'_> {
    /// Words of a block, unless all words are there.
    pub(super) fn block_length(&self) -> Option<usize> {
        match self {
            Self::Expanded(_) => None,
            Self::Packed(packed) => Some(packed.words.len() / 2),
        }
    }

    /// Expands the next block.
    ///
    /// # Errors
    /// When a residue is not below its prime.
    pub(super) fn expand(&mut self, ring: &Ring) -> Result<(), RingError> {
        let Self::Packed(packed) = self else {
            return Ok(());
        };
        let PackedLimb { prime, b, a, words } = &mut **packed;
        let half = words.len() / 2;
        let (b_words, a_words) = words.split_at_mut(half);
        ring.unpack(b_words, *prime, b)?;
        let read = packing::packed_bytes(b_words.len(), ring.modulus(*prime));
        *b = b.get(read..).unwrap_or_default();
        a.fill(a_words);
        Ok(())
    }

    /// A part of both halves: of a packed one, the block that was expanded last.
    pub(super) fn words(&self, part: Range<usize>) -> (&[u64], &[u64]) {
        match self {
            Self::Expanded([b, a]) => (&b[part.clone()], &a[part]),
            Self::Packed(packed) => packed.words.split_at(packed.words.len() / 2),
        }
    }
}
