//! Uniform residues made by vector instructions: the part that all vector lengths share.
//!
//! For public seeds only: nothing is wiped, and the time depends on the words.

use crate::ring::counter::{CHUNK, Source};
use crate::ring::kernels::Kernels;
use crate::ring::{fma, ifma};

/// Puts the residues among the next words to the front of the slice as long as there is room for [`CHUNK`] more; how many they are.
// SAFETY: called where the processor features were found that the function is compiled for.
type Fill = unsafe fn(&mut Source, &mut [u64]) -> usize;

/// The residues of one stream, from first to last.
pub(in crate::ring) struct VectorStream {
    source: Source,
    fill: Fill,
    /// Residues that were made and not asked for yet: those from `used` to `made`.
    spare: [u64; CHUNK],
    used: usize,
    made: usize,
}

impl VectorStream {
    /// Residues below a prime out of words under a mask, the `limits`, of the blocks from `block` on; none where the processor lacks AES
    /// on vectors.
    pub(super) fn new(
        kernels: Kernels,
        key: [u8; 16],
        block: u128,
        limits: (u64, u64),
    ) -> Option<Self> {
        if !is_x86_feature_detected!("vaes") || !is_x86_feature_detected!("aes") {
            return None;
        }
        let fill: Fill = match kernels {
            Kernels::Portable => return None,
            Kernels::Fma(_) => fma::stream::fill,
            Kernels::Ifma(_) if is_x86_feature_detected!("avx512bw") => ifma::stream::fill,
            Kernels::Ifma(_) => return None,
        };
        Some(Self {
            // SAFETY: the instructions were found.
            source: unsafe { Source::new(key, block, limits) },
            fill,
            spare: [0; CHUNK],
            used: 0,
            made: 0,
        })
    }

    /// The next residues; the same ones however the calls divide them.
    pub(super) fn fill(&mut self, out: &mut [u64]) {
        let spare = &self.spare[self.used..self.made];
        let count = spare.len().min(out.len());
        let (first, out) = out.split_at_mut(count);
        first.copy_from_slice(&spare[..count]);
        self.used += count;
        // SAFETY: there is no stream unless the processor features were found.
        let mut filled = unsafe { (self.fill)(&mut self.source, out) };
        while filled < out.len() {
            // SAFETY: as before.
            self.made = unsafe { (self.fill)(&mut self.source, &mut self.spare) };
            self.used = self.made.min(out.len() - filled);
            out[filled..filled + self.used].copy_from_slice(&self.spare[..self.used]);
            filled += self.used;
        }
    }
}
