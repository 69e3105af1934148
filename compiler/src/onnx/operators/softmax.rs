//! Softmax and LogSoftmax, which only clients compute.
#![deny(clippy::indexing_slicing)]

use super::row::Operator;
use crate::onnx::build::{Builder, Call, Value, dims, step};
use crate::onnx::format::elements;
use crate::onnx::model::rank;
use crate::onnx::problems::Problem;
use peregrine_ir::FinishStep;

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    let row = Operator::applied_by_client;
    vec![row("Softmax", softmax), row("LogSoftmax", log_softmax)]
}

fn softmax(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    along_axis(b, call, |axis| FinishStep::Softmax { axis })
}

fn log_softmax(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    along_axis(b, call, |axis| FinishStep::LogSoftmax { axis })
}

/// A function of lines along `axis`; before opset 13 of all axes from `axis` on, taken as one.
fn along_axis(
    b: &mut Builder,
    call: &Call,
    function: impl Fn(u32) -> FinishStep,
) -> Result<Value, Problem> {
    let x = call.value(0, "the operand")?;
    let dims = dims(b, x);
    let (merges, default) = if call.opset < 13 {
        (true, 1)
    } else {
        (false, -1)
    };
    let axis = rank::axis(
        call.int_or("axis", default)?,
        dims.len(),
        "attribute `axis`",
    )?;
    let (rows, columns) = dims.split_at_checked(axis).unwrap_or((&dims, &[]));
    let longer = columns.iter().filter(|&&d| d > 1).count();
    if merges && longer > 1 {
        let matrix = [elements(rows) as u32, elements(columns) as u32];
        let x = b.reshaped(x, &matrix)?;
        let y = step(b, &x, function(1))?;
        return b.reshaped(&y, &dims);
    }
    let only = columns.iter().position(|&d| d > 1).filter(|_| merges);
    step(b, x, function((axis + only.unwrap_or(0)) as u32))
}
