//! How large the scales are of what is multiplied with.

use super::demand::Need;

/// Bits of numbers beyond the asked precision: the errors of many of them add up.
const NUMBER_GUARD_BITS: u32 = 6;
/// Bits of weights beyond what one of them needs: the errors of up to 4^this add up.
const WEIGHT_GUARD_BITS: u32 = 4;

/// log2 of the scales of what is multiplied with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaleBits {
    /// Of values, `d`.
    pub unit: u32,
    /// Of encoded weights: rounding one adds `sqrt(N / 12)` in slots.
    pub weights: u32,
    /// Of numbers: nothing is encoded, so they need the asked precision and no more.
    pub numbers: u32,
    /// Of masks, rounded like weights but with few terms.
    pub mask: u32,
}

impl ScaleBits {
    /// In a ring of degree `2^log_n` with working scale `2^unit`.
    pub fn new(unit: u32, log_n: u32) -> Self {
        let mask = unit.saturating_sub(log_n / 2);
        Self {
            unit,
            weights: mask + WEIGHT_GUARD_BITS,
            numbers: unit.saturating_sub(log_n) + NUMBER_GUARD_BITS,
            mask,
        }
    }

    /// The working scale for everything.
    pub const fn uniform(unit: u32) -> Self {
        Self {
            unit,
            weights: unit,
            numbers: unit,
            mask: unit,
        }
    }

    /// Bits that a rescale must drop.
    pub fn of(&self, need: &Need) -> u32 {
        let shares = [
            (need.weights, self.weights),
            (need.numbers, self.numbers),
            (need.mask, self.mask),
        ];
        let shares = shares.into_iter().filter(|share| share.0);
        let shared: u32 = shares.map(|share| share.1).sum();
        (i64::from(need.units) * i64::from(self.unit) + i64::from(shared)).max(0) as u32
    }
}
