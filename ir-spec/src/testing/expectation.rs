//! Random ranges of inputs and expectations of outputs.

use super::Draw;
use crate::expectation::{Expectation, InputRange, Origin};

/// A range for the inputs; mostly none.
pub(super) fn range(draw: &mut Draw<'_>) -> Option<InputRange> {
    draw.sometimes(3).then(|| {
        let low = f64::from(draw.below(1 << 20)) / 1024.0 - 512.0;
        let width = f64::from(draw.between(1, 1 << 20)) / 4096.0;
        InputRange {
            low,
            high: low + width,
            origin: *draw.pick(&Origin::ALL),
        }
    })
}

/// An expectation for the outputs; mostly none.
pub(super) fn expectation(draw: &mut Draw<'_>) -> Option<Expectation> {
    draw.sometimes(3).then(|| Expectation {
        magnitude: f64::from(draw.below(1 << 20)) / 64.0,
        noise: f64::from(draw.between(1, 40)).exp2().recip(),
        origin: *draw.pick(&Origin::ALL),
    })
}
