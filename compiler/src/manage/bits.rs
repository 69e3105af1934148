//! Bits of rescales and of what they leave.

use peregrine_ir::{Level, RingTable};

/// Bits kept above the noise of one rescale for what the network adds.
pub(super) const GUARD_BITS: u32 = 4;
/// How much longer than a digit the special primes are, in bits.
pub(super) const SPECIAL_SLACK_BITS: f64 = 6.0;

/// The bits of precision that a working scale leaves, at least one.
pub(super) fn precision_of(unit_bits: u32, log_n: u32) -> u32 {
    (unit_bits + 2).saturating_sub(GUARD_BITS + log_n).max(1)
}

/// By how many bits the rescale to a level drops more than the working scale; none where there is no level above it.
pub(super) fn spare_bits(ring: &RingTable, to: Level) -> Option<u32> {
    let dropped = ring.ratio(Level(to.0 + 1), to)?;
    let bits = dropped.bits(&ring.primes)?;
    Some((bits.round() as u32).saturating_sub(ring.unit_bits))
}

/// log2 of the scale of numbers that share `bits` with a mask of scale `2^mask`.
pub(super) fn number_bits(bits: f64, mask: u32) -> i32 {
    (bits - f64::from(mask).min(bits / 2.0)).floor() as i32
}
