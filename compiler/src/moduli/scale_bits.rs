//! Lengths of scales: of values and of the constants that they are multiplied with.

/// Bits of scalars beyond the asked precision: the errors of many scalars add up.
const NUMBER_GUARD_BITS: u32 = 6;
/// Bits of weights beyond what one weight needs: the errors of up to 4^this weights add up.
const WEIGHT_GUARD_BITS: u32 = 4;

/// log2 of the scale of the argument of a refresh, for values within its bound.
pub const ARGUMENT_BITS: u32 = 36;
/// log2 of the scale of the result of a refresh that is not made finer.
pub const RESULT_BITS: u32 = 34;

/// log2 of the scales of values, and of the constants that they are multiplied with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaleBits {
    /// log2 of the working scale of values, `d`.
    pub unit: u32,
    /// log2 of the scale of encoded weights; rounding a plaintext adds `sqrt(N / 6)` in the slots.
    pub weights: u32,
    /// log2 of the scale of scalars, which are not encoded, so that they need the asked precision and no more.
    pub numbers: u32,
    /// log2 of the scale of masks, which are rounded like weights, but whose sums have few terms.
    pub mask: u32,
    /// log2 of the scale of the result of a refresh.
    pub result: u32,
}

impl ScaleBits {
    /// The scales in a ring of degree `2^log_n` with working scale `2^unit`.
    pub fn new(unit: u32, log_n: u32) -> Self {
        let mask = unit.saturating_sub(log_n / 2);
        Self {
            unit,
            weights: mask + WEIGHT_GUARD_BITS,
            numbers: unit.saturating_sub(log_n) + NUMBER_GUARD_BITS,
            mask,
            result: RESULT_BITS,
        }
    }

    /// The working scale `2^unit` for everything.
    pub const fn uniform(unit: u32) -> Self {
        Self {
            unit,
            weights: unit,
            numbers: unit,
            mask: unit,
            result: RESULT_BITS,
        }
    }

    /// The same with refreshes that are [finer](crate::refresh::choices::Choices::finer) by so many bits.
    pub const fn with_refreshes(self, finer: u32) -> Self {
        Self {
            result: RESULT_BITS + finer,
            ..self
        }
    }
}
