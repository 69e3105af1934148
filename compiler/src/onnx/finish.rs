//! Operators that the client applies after decryption: what a model may end with although no polynomial computes it.
//!
//! An operator is the client's when nothing but outputs of the model depends on its result, other such operators and
//! changes of shape in between allowed. Anywhere else it is refused like any function that is not a polynomial.
#![deny(clippy::indexing_slicing)]

use super::arithmetic::dims;
use super::builder::Builder;
use super::call::{self, Call, Value};
use super::constant::elements;
use super::problem::Problem;
use super::unsupported;
use onnx_protobuf::{GraphProto, NodeProto};
use peregrine_ir::{Finish, FinishStep, Shape};
use petgraph::graph::NodeIndex;
use std::collections::BTreeSet;

/// What the client computes from a decrypted value.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    /// The value that is decrypted.
    pub(super) node: NodeIndex,
    /// What the client does with it.
    pub(super) finish: Finish,
    /// The dimensions of the result.
    pub(super) dims: Vec<u32>,
}

impl Finished {
    /// The result after one more step.
    pub(super) fn then(&self, b: &Builder, step: FinishStep) -> Result<Self, Problem> {
        let mut finish = self.finish.clone();
        finish.0.push(step);
        let shape = finish.result_shape(&b.graph.node(self.node).shape)?;
        Ok(Self {
            node: self.node,
            finish,
            dims: shape.dims().to_vec(),
        })
    }

    /// The result under other dimensions, of which two in a row are one.
    pub(super) fn reshaped(&self, b: &Builder, dims: &[u32]) -> Result<Self, Problem> {
        let mut before = self.clone();
        if let Some(FinishStep::Reshape { .. }) = before.finish.0.last() {
            before.finish.0.pop();
        }
        let shape = Shape::new(dims)?;
        let unchanged = before.finish.result_shape(&b.graph.node(self.node).shape)? == shape;
        if unchanged {
            return Ok(Self {
                dims: dims.to_vec(),
                ..before
            });
        }
        before.then(b, FinishStep::Reshape { shape })
    }
}

/// Whether the client can apply this operator.
pub(super) fn is_step(node: &NodeProto) -> bool {
    let op = node.op_type.as_str();
    let steps = [
        "Softmax",
        "LogSoftmax",
        "Sigmoid",
        "Tanh",
        "ArgMax",
        "ArgMin",
    ];
    matches!(node.domain.as_str(), "" | "ai.onnx") && steps.contains(&op)
}

/// Whether this operator keeps the elements of its first operand, so that the client can follow it.
fn passes(node: &NodeProto) -> bool {
    let op = node.op_type.as_str();
    let kept = [
        "Identity",
        "Dropout",
        "Cast",
        "CastLike",
        "Reshape",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
    ];
    matches!(node.domain.as_str(), "" | "ai.onnx") && kept.contains(&op)
}

/// The values that the server needs: those that some needed node reads that the client cannot follow.
pub(super) fn server_side<'m>(graph: &'m GraphProto, needed: &BTreeSet<&str>) -> BTreeSet<&'m str> {
    let mut inner = BTreeSet::new();
    for node in graph.node.iter().rev() {
        let mut outputs = node.output.iter().map(String::as_str);
        if !outputs.clone().any(|o| needed.contains(o)) {
            continue;
        }
        let closing = (is_step(node) || passes(node)) && !outputs.any(|o| inner.contains(o));
        let operands = node.input.iter().skip(usize::from(closing));
        inner.extend(operands.map(String::as_str));
    }
    inner
}

/// Softmax, LogSoftmax, Sigmoid, Tanh, ArgMax or ArgMin where the client applies it.
pub(super) fn lower(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    match call.node.op_type.as_str() {
        "Softmax" => along_axis(b, call, |axis| FinishStep::Softmax { axis }),
        "LogSoftmax" => along_axis(b, call, |axis| FinishStep::LogSoftmax { axis }),
        "Sigmoid" => step(b, call.value(0, "the operand")?, FinishStep::Sigmoid),
        "Tanh" => step(b, call.value(0, "the operand")?, FinishStep::Tanh),
        "ArgMax" => position(b, call, |axis, last| FinishStep::ArgMax { axis, last }),
        "ArgMin" => position(b, call, |axis, last| FinishStep::ArgMin { axis, last }),
        op => Err(Problem::Operator(unsupported::reason(op))),
    }
}

/// `x` after one more step.
fn step(b: &Builder, x: &Value, step: FinishStep) -> Result<Value, Problem> {
    let decrypted = match x {
        Value::Finished(finished) => return finished.then(b, step).map(Value::Finished),
        Value::Encrypted(node) => Finished {
            node: *node,
            finish: Finish::default(),
            dims: b.dims(*node),
        },
        Value::Known(_) | Value::Integers { .. } => return Err(Problem::Constants),
        Value::Unavailable => return Ok(Value::Unavailable),
    };
    decrypted.then(b, step).map(Value::Finished)
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
    let axis = call::axis(
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

/// The position of an extreme along an axis.
fn position(
    b: &mut Builder,
    call: &Call,
    function: impl Fn(u32, bool) -> FinishStep,
) -> Result<Value, Problem> {
    let x = call.value(0, "the operand")?;
    let mut dims = dims(b, x);
    let axis = call::axis(call.int_or("axis", 0)?, dims.len(), "attribute `axis`")?;
    let last = call.flag("select_last_index", false)?;
    let y = step(b, x, function(axis as u32, last))?;
    if call.flag("keepdims", true)? {
        return Ok(y);
    }
    dims.remove(axis);
    b.reshaped(&y, &dims)
}
