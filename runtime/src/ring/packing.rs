//! Residues packed at the bits of their prime.
//!
//! A residue modulo a prime of `b` bits takes `b` bits. Residue `i` of a limb is at bits `i b` to `(i + 1) b - 1`, bit `k` being bit
//! `k mod 8` of byte `k / 8`. A limb takes `N b / 8` bytes, a whole number because 8 divides N. Part of the file formats.

use super::{Modulus, Ring, RingError};

/// Residues handled together: they take `b` whole bytes.
const GROUP: usize = 8;

/// Bytes from the first of a group to the last that its loads and stores, 8 bytes each, can touch.
const WINDOW: usize = 72;

/// Words unpacked at a time to be looked at only.
const CHECKED: usize = 512;

// A residue and the 7 bits that may be before it in its first byte fit a load.
const _: () = assert!(crate::params::Parameters::MAX_PRIME <= 1 << 57);

/// Bytes of so many residues.
pub(super) fn packed_bytes(words: usize, modulus: &Modulus) -> usize {
    words / GROUP * modulus.bits() as usize
}

impl Ring {
    /// Bytes of a packed limb of a prime.
    pub(crate) fn packed_limb_bytes(&self, prime: usize) -> usize {
        packed_bytes(self.degree(), self.modulus(prime))
    }

    /// Appends a packed limb.
    pub(crate) fn pack(&self, out: &mut Vec<u8>, prime: usize, limb: &[u64]) {
        pack(out, limb, self.modulus(prime));
    }

    /// Reads residues from the front of packed ones.
    ///
    /// # Errors
    /// When one is not below the prime.
    pub(crate) fn unpack(
        &self,
        words: &mut [u64],
        prime: usize,
        bytes: &[u8],
    ) -> Result<(), RingError> {
        let modulus = self.modulus(prime);
        if self.kernels.unpack(words, bytes, modulus) {
            return Ok(());
        }
        let prime = modulus.value();
        Err(RingError::Unreduced { prime })
    }

    /// Looks at every residue of a packed limb; allocates nothing.
    ///
    /// # Errors
    /// When one is not below the prime.
    pub(crate) fn check_packed(&self, prime: usize, bytes: &[u8]) -> Result<(), RingError> {
        let bits = self.modulus(prime).bits() as usize;
        let mut words = [0; CHECKED];
        bytes.chunks(CHECKED / GROUP * bits).try_for_each(|bytes| {
            let count = bytes.len() / bits * GROUP;
            self.unpack(&mut words[..count], prime, bytes)
        })
    }
}

fn pack(out: &mut Vec<u8>, limb: &[u64], modulus: &Modulus) {
    let bits = modulus.bits() as usize;
    for group in limb.chunks_exact(GROUP) {
        let mut bytes = [0; WINDOW];
        let (mut at, mut before, mut pending) = (0, 0, 0u64);
        for word in group {
            pending |= word << before;
            // Never cut off: at most 7 residues of 57 bits are before this one. The mask says so to the compiler.
            bytes[at & 63..][..8].copy_from_slice(&pending.to_le_bytes());
            let whole = (before + bits) / 8;
            pending >>= 8 * whole;
            (at, before) = (at + whole, (before + bits) % 8);
        }
        out.extend_from_slice(&bytes[..bits]);
    }
}

/// The kernel behind [`Ring::unpack`], for any processor: whether every residue is below its prime.
pub(super) fn unpack(limb: &mut [u64], bytes: &[u8], modulus: &Modulus) -> bool {
    let (bits, prime) = (modulus.bits() as usize, modulus.value());
    let mask = (1 << bits) - 1;
    let mut excess = 0;
    for (i, group) in limb.chunks_exact_mut(GROUP).enumerate() {
        let mut last = [0; WINDOW];
        let window = window(bytes, i * bits, &mut last);
        for (j, word) in group.iter_mut().enumerate() {
            let at = j * bits;
            *word = load(window, at / 8) >> (at % 8) & mask;
            // Differences of numbers below 2^57: the top bit is their sign.
            excess |= (prime - 1).wrapping_sub(*word);
        }
    }
    excess >> 63 == 0
}

/// The bytes from one on; at the end, a copy of what is left with zeros after it.
#[inline(always)]
pub(super) fn window<'a, const M: usize>(
    bytes: &'a [u8],
    from: usize,
    last: &'a mut [u8; M],
) -> &'a [u8; M] {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.first_chunk().unwrap_or_else(|| {
        last[..rest.len()].copy_from_slice(rest);
        last
    })
}

/// 8 bytes from `at < 64` on.
#[inline(always)]
fn load(window: &[u8; WINDOW], at: usize) -> u64 {
    let bytes = window[at & 63..].first_chunk();
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
