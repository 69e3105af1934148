//! Random steps of the client before encryption and after decryption.

use super::Draw;
use crate::finish::{ElementFunction, Finish, FinishStep, FunctionKind, InputElement, Prepare};
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
    match draw.below(11) {
        0 => FinishStep::Softmax { axis },
        1 => FinishStep::LogSoftmax { axis },
        2 => FinishStep::Sigmoid,
        3 => FinishStep::Tanh,
        4 => FinishStep::ArgMax { axis, last },
        5 => FinishStep::ArgMin { axis, last },
        6 => FinishStep::Elementwise(function(draw)),
        7 => {
            let factor: Vec<f64> = (0..draw.between(1, 3)).map(f64::from).collect();
            let offset = factor.iter().map(|x| 0.1 - x).collect();
            FinishStep::Affine {
                axis,
                factor,
                offset,
            }
        }
        8 => FinishStep::Transpose {
            order: draw.pick(&[[0, 1, 2], [2, 0, 1], [1, 0, 2]]).to_vec(),
        },
        9 => FinishStep::Slice {
            axis,
            start: draw.below(3),
            step: *draw.pick(&[1, -1, 2]),
            count: draw.between(1, 3),
        },
        _ => FinishStep::Take {
            axis,
            positions: (0..draw.between(1, 3)).map(|_| draw.below(3)).collect(),
        },
    }
}

fn function(draw: &mut Draw<'_>) -> ElementFunction {
    let kind = *draw.pick(FunctionKind::ALL);
    let mut parameters = [0.0; 2];
    for parameter in parameters.iter_mut().take(kind.parameters().len()) {
        *parameter = *draw.pick(&[0.5, 1.0, -0.1, 1e-7, f64::INFINITY]);
    }
    ElementFunction { kind, parameters }
}

/// What an input of rank 3 is made of: the packed tensor reversed and scaled, or nothing of the kind.
pub(super) fn prepare(draw: &mut Draw<'_>, packed: &Shape) -> Option<Prepare> {
    let [.., _, _] = packed.dims() else {
        return None;
    };
    if !draw.sometimes(3) {
        return None;
    }
    let order: Vec<u32> = (0..packed.rank() as u32).rev().collect();
    let dims: Vec<u32> = packed.dims().iter().rev().copied().collect();
    Some(Prepare {
        shape: Shape::new(dims).ok()?,
        element: *draw.pick(&InputElement::ALL),
        steps: Finish(vec![
            FinishStep::Transpose { order },
            FinishStep::Elementwise(function(draw)),
        ]),
    })
}

/// The step with positions and factors for the extents of a shape.
fn adapted(step: &FinishStep, shape: &Shape) -> FinishStep {
    let mut step = step.clone();
    let extent = |axis: u32| shape.dims().get(axis as usize).copied().unwrap_or(1);
    match &mut step {
        FinishStep::Affine {
            axis,
            factor,
            offset,
        } => {
            factor.resize(extent(*axis) as usize, 0.5);
            offset.resize(extent(*axis) as usize, -0.5);
        }
        FinishStep::Slice {
            axis,
            start,
            step,
            count,
        } => {
            *start %= extent(*axis);
            let there = *step == 1 && *start + *count <= extent(*axis);
            *count = if there { *count } else { 1 };
        }
        FinishStep::Take { axis, positions } => {
            positions.iter_mut().for_each(|p| *p %= extent(*axis));
        }
        _ => {}
    }
    step
}

/// Those of the steps that fit a tensor and each other, and a reshape behind them.
pub(super) fn fitting(wished: &[FinishStep], shape: &Shape) -> Finish {
    let mut finish = Finish::default();
    for step in wished {
        let step = finish
            .result_shape(shape)
            .map(|shape| adapted(step, &shape));
        let step = step.into_iter().collect::<Vec<_>>();
        let longer = Finish([finish.0.as_slice(), &step].concat());
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
