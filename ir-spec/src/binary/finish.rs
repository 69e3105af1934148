//! The steps that the client takes before encryption and after decryption, in the public part.

use super::error::DecodeError;
use super::fields::{array, range};
use super::wire;
use crate::finish::{ElementFunction, Finish, FinishStep, FunctionKind, InputElement, Prepare};
use crate::shape::Shape;

/// The number in the binary form of the first element-wise function; the others follow in the order of
/// `FunctionKind::ALL`.
const FUNCTIONS: u32 = 32;

pub(super) fn encode(finish: &Finish) -> Vec<wire::FinishStep> {
    finish.0.iter().map(encode_step).collect()
}

pub(super) fn decode(steps: Vec<wire::FinishStep>) -> Result<Finish, DecodeError> {
    let steps = steps.into_iter().map(decode_step);
    steps.collect::<Result<_, _>>().map(Finish)
}

pub(super) fn encode_prepare(prepare: &Prepare) -> wire::Prepare {
    let Prepare {
        shape,
        element,
        steps,
    } = prepare;
    let element = InputElement::ALL.iter().position(|e| e == element);
    wire::Prepare {
        shape: shape.dims().to_vec(),
        element: element.unwrap_or_default() as u32,
        steps: encode(steps),
    }
}

pub(super) fn decode_prepare(prepare: wire::Prepare) -> Result<Prepare, DecodeError> {
    let wire::Prepare {
        shape,
        element,
        steps,
    } = prepare;
    let known = InputElement::ALL.get(element as usize).copied();
    Ok(Prepare {
        shape: Shape::new(shape)?,
        element: known.ok_or(range("type of an input", element, "0 to 9"))?,
        steps: decode(steps)?,
    })
}

/// A step that has no field but its kind.
fn of_kind(kind: u32) -> wire::FinishStep {
    wire::FinishStep {
        kind,
        axis: 0,
        last: false,
        shape: Vec::new(),
        step: 0,
        numbers: Vec::new(),
    }
}

fn along(kind: u32, axis: u32) -> wire::FinishStep {
    wire::FinishStep {
        axis,
        ..of_kind(kind)
    }
}

fn listed(kind: u32, axis: u32, list: &[u32]) -> wire::FinishStep {
    let shape = list.to_vec();
    wire::FinishStep {
        shape,
        ..along(kind, axis)
    }
}

fn encode_step(step: &FinishStep) -> wire::FinishStep {
    match step {
        FinishStep::Softmax { axis } => along(1, *axis),
        FinishStep::LogSoftmax { axis } => along(2, *axis),
        FinishStep::Sigmoid => of_kind(3),
        FinishStep::Tanh => of_kind(4),
        FinishStep::ArgMax { axis, last } => wire::FinishStep {
            last: *last,
            ..along(5, *axis)
        },
        FinishStep::ArgMin { axis, last } => wire::FinishStep {
            last: *last,
            ..along(6, *axis)
        },
        FinishStep::Reshape { shape } => listed(7, 0, shape.dims()),
        FinishStep::Affine {
            axis,
            factor,
            offset,
        } => wire::FinishStep {
            numbers: factor.iter().chain(offset).copied().collect(),
            ..along(8, *axis)
        },
        FinishStep::Transpose { order } => listed(9, 0, order),
        FinishStep::Slice {
            axis,
            start,
            step,
            count,
        } => wire::FinishStep {
            step: *step,
            ..listed(10, *axis, &[*start, *count])
        },
        FinishStep::Take { axis, positions } => listed(11, *axis, positions),
        FinishStep::Elementwise(ElementFunction { kind, parameters }) => {
            let number = FunctionKind::ALL.iter().position(|k| k == kind);
            let numbers = parameters.iter().take(kind.parameters().len());
            wire::FinishStep {
                numbers: numbers.copied().collect(),
                ..of_kind(FUNCTIONS + number.unwrap_or_default() as u32)
            }
        }
    }
}

/// Decodes a step. Fields that its kind does not have are ignored: the fingerprint tells that they were there.
fn decode_step(step: wire::FinishStep) -> Result<FinishStep, DecodeError> {
    let wire::FinishStep {
        kind,
        axis,
        last,
        shape,
        step,
        numbers,
    } = step;
    Ok(match kind {
        1 => FinishStep::Softmax { axis },
        2 => FinishStep::LogSoftmax { axis },
        3 => FinishStep::Sigmoid,
        4 => FinishStep::Tanh,
        5 => FinishStep::ArgMax { axis, last },
        6 => FinishStep::ArgMin { axis, last },
        7 => FinishStep::Reshape {
            shape: Shape::new(shape)?,
        },
        8 => {
            let (factor, offset) = numbers.split_at(numbers.len().div_ceil(2));
            let (factor, offset) = (factor.to_vec(), offset.to_vec());
            FinishStep::Affine {
                axis,
                factor,
                offset,
            }
        }
        9 => FinishStep::Transpose { order: shape },
        10 => {
            let [start, count] = array("slice", &shape)?;
            FinishStep::Slice {
                axis,
                start,
                step,
                count,
            }
        }
        11 => FinishStep::Take {
            axis,
            positions: shape,
        },
        other => FinishStep::Elementwise(decode_function(other, &numbers)?),
    })
}

fn decode_function(number: u32, numbers: &[f64]) -> Result<ElementFunction, DecodeError> {
    let at = number.checked_sub(FUNCTIONS);
    let kind = at.and_then(|at| FunctionKind::ALL.get(at as usize).copied());
    let kind = kind.ok_or(range("step", number, "1 to 11, or a function"))?;
    let expected = kind.parameters().len();
    if numbers.len() != expected {
        return Err(DecodeError::Length {
            field: "parameters",
            found: numbers.len(),
            expected,
        });
    }
    let mut parameters = [0.0; 2];
    for (parameter, number) in parameters.iter_mut().zip(numbers) {
        *parameter = *number;
    }
    Ok(ElementFunction { kind, parameters })
}
