//! Lengths in bits: of what rescales drop, and of what they leave.

use peregrine_ir::{Level, RingTable};

/// Bits above the noise of one rescale that are kept for the noise that the network adds.
pub(crate) const GUARD_BITS: u32 = 4;
/// Bits by which the special primes together are longer than a digit.
pub(crate) const SPECIAL_SLACK_BITS: f64 = 6.0;

/// The bits of precision that a working scale of `unit_bits` bits leaves, at least one.
pub(crate) fn precision_of(unit_bits: u32, log_n: u32) -> u32 {
    (unit_bits + 2).saturating_sub(GUARD_BITS + log_n).max(1)
}

/// Bits by which the rescale to a level drops more than the working scale; `None` for the highest level.
pub(crate) fn spare_bits(ring: &RingTable, to: Level) -> Option<u32> {
    let dropped = ring.ratio(Level(to.0 + 1), to)?;
    let bits = dropped.bits(&ring.primes)?;
    Some((bits.round() as u32).saturating_sub(ring.unit_bits))
}

/// log2 of the scale of scalars that share a rescale of `bits` bits with a mask of scale `2^mask`.
pub(crate) fn number_bits(bits: f64, mask: u32) -> i32 {
    (bits - f64::from(mask).min(bits / 2.0)).floor() as i32
}
