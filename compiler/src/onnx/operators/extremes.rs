//! ArgMax and ArgMin, which only clients compute.
#![deny(clippy::indexing_slicing)]

use super::row::Operator;
use crate::onnx::build::{Builder, Call, Value, dims, step};
use crate::onnx::model::rank;
use crate::onnx::problems::Problem;
use peregrine_ir::FinishStep;

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    let row = Operator::applied_by_client;
    vec![row("ArgMax", arg_max), row("ArgMin", arg_min)]
}

fn arg_max(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    position(b, call, |axis, last| FinishStep::ArgMax { axis, last })
}

fn arg_min(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    position(b, call, |axis, last| FinishStep::ArgMin { axis, last })
}

/// The position of an extreme along an axis.
fn position(
    b: &mut Builder,
    call: &Call,
    function: impl Fn(u32, bool) -> FinishStep,
) -> Result<Value, Problem> {
    let x = call.value(0, "the operand")?;
    let mut dims = dims(b, x);
    let axis = rank::axis(call.int_or("axis", 0)?, dims.len(), "attribute `axis`")?;
    let last = call.flag("select_last_index", false)?;
    let y = step(b, x, function(axis as u32, last))?;
    if call.flag("keepdims", true)? {
        return Ok(y);
    }
    dims.remove(axis);
    b.reshaped(&y, &dims)
}
