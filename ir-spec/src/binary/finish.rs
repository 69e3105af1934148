//! What follows decryption, in the public part.

use super::error::DecodeError;
use super::public::range;
use super::wire;
use crate::finish::{Finish, FinishStep};
use crate::shape::Shape;

pub(super) fn encode(finish: &Finish) -> Vec<wire::FinishStep> {
    finish.0.iter().map(encode_step).collect()
}

pub(super) fn decode(steps: Vec<wire::FinishStep>) -> Result<Finish, DecodeError> {
    let steps = steps.into_iter().map(decode_step);
    steps.collect::<Result<_, _>>().map(Finish)
}

fn encode_step(step: &FinishStep) -> wire::FinishStep {
    let (kind, axis, last, shape) = match step {
        FinishStep::Softmax { axis } => (1, *axis, false, &[][..]),
        FinishStep::LogSoftmax { axis } => (2, *axis, false, &[][..]),
        FinishStep::Sigmoid => (3, 0, false, &[][..]),
        FinishStep::Tanh => (4, 0, false, &[][..]),
        FinishStep::ArgMax { axis, last } => (5, *axis, *last, &[][..]),
        FinishStep::ArgMin { axis, last } => (6, *axis, *last, &[][..]),
        FinishStep::Reshape { shape } => (7, 0, false, shape.dims()),
    };
    wire::FinishStep {
        kind,
        axis,
        last,
        shape: shape.to_vec(),
    }
}

/// Fields that a kind does not have are ignored: the fingerprint tells that they were there.
fn decode_step(step: wire::FinishStep) -> Result<FinishStep, DecodeError> {
    let wire::FinishStep {
        kind,
        axis,
        last,
        shape,
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
        other => return Err(range("step after decryption", other, "1 to 7")),
    })
}
