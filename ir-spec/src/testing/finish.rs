//! What follows decryption.

use super::Draw;
use crate::finish::{Finish, FinishStep};
use crate::shape::Shape;

/// A few steps for tensors of rank 3; mostly none.
pub(super) fn steps(draw: &mut Draw<'_>) -> Vec<FinishStep> {
    let count = if draw.sometimes(3) {
        draw.between(1, 4)
    } else {
        0
    };
    (0..count).map(|_| step(draw)).collect()
}

fn step(draw: &mut Draw<'_>) -> FinishStep {
    let (axis, last) = (draw.below(3), draw.sometimes(2));
    match draw.below(6) {
        0 => FinishStep::Softmax { axis },
        1 => FinishStep::LogSoftmax { axis },
        2 => FinishStep::Sigmoid,
        3 => FinishStep::Tanh,
        4 => FinishStep::ArgMax { axis, last },
        _ => FinishStep::ArgMin { axis, last },
    }
}

/// Those of the steps that fit a tensor and each other, and a reshape behind them.
pub(super) fn fitting(wished: &[FinishStep], shape: &Shape) -> Finish {
    let mut finish = Finish::default();
    for step in wished {
        let longer = Finish([finish.0.as_slice(), std::slice::from_ref(step)].concat());
        if longer.result_shape(shape).is_ok() {
            finish = longer;
        }
    }
    if let Ok(result) = finish.result_shape(shape)
        && !finish.is_empty()
    {
        let dims = [&[1], result.dims()].concat();
        let reshape = Shape::new(dims).map(|shape| FinishStep::Reshape { shape });
        finish.0.extend(reshape.ok());
    }
    finish
}
