//! What lowerings ask of their operands, whatever these are.
#![deny(clippy::indexing_slicing)]

use super::builder::Builder;
use super::call::Call;
use super::finished::Finished;
use super::value::Value;
use crate::onnx::model::rank;
use crate::onnx::problems::Problem;
use peregrine_ir::FinishStep;

/// The dimensions of a value.
pub(in crate::onnx) fn dims(b: &Builder, value: &Value) -> Vec<u32> {
    match value {
        Value::Encrypted(x) => b.dims(*x),
        Value::Known(c) => c.dims.clone(),
        Value::Finished(finished) => finished.dims.clone(),
        Value::Integers { dims, .. } => dims.clone(),
        Value::Unavailable => Vec::new(),
    }
}

/// Operand `i` as a list of dimensions.
pub(in crate::onnx) fn extents(
    call: &Call,
    i: usize,
    role: &'static str,
) -> Result<Vec<u32>, Problem> {
    let list = call.constant(i, role)?.list_of_integers(role)?;
    rank::check(list.len())?;
    list.iter()
        .map(|&d| {
            u32::try_from(d).map_err(|_| Problem::Operand {
                role,
                found: d.to_string(),
                expected: "a dimension",
            })
        })
        .collect()
}

/// `x` after one more step.
pub(in crate::onnx) fn step(b: &Builder, x: &Value, step: FinishStep) -> Result<Value, Problem> {
    let finished = match x {
        Value::Finished(finished) => finished.clone(),
        Value::Encrypted(node) => Finished::decrypted(&b.graph, *node),
        Value::Known(_) | Value::Integers { .. } => return Err(Problem::Constants),
        Value::Unavailable => return Ok(Value::Unavailable),
    };
    finished.then(step).map(Value::Finished)
}
