//! What the client computes: the end of a model, after decryption, and its beginning, before encryption.
//!
//! An operator at the end is the client's when it is a function that no polynomial computes, or a movement, and nothing but
//! outputs of the model depends on its result, other operators that the client can follow allowed in between. Anywhere else
//! a function is refused and a movement done on ciphertexts. `begin` has the beginning.
#![deny(clippy::indexing_slicing)]

use super::arithmetic::dims;
use super::builder::Builder;
use super::call::{self, Call, Value};
use super::constant::{Constant, elements};
use super::element::Element;
use super::functions;
use super::movement::Movement;
use super::operators::{self, Lowering};
use super::problem::Problem;
use super::unsupported;
use onnx_protobuf::{GraphProto, NodeProto};
use peregrine_ir::{Finish, FinishStep, Function, FunctionKind, Shape};
use petgraph::graph::NodeIndex;
use std::collections::BTreeSet;

/// What the client computes from a decrypted value, or from an input before it encrypts.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    /// What it starts from.
    pub(super) base: Base,
    /// The shape of that.
    pub(super) shape: Shape,
    /// What the client does with it.
    pub(super) finish: Finish,
    /// The dimensions of the result.
    pub(super) dims: Vec<u32>,
    /// The type of the result.
    pub(super) element: Element,
}

/// What the client starts from.
#[derive(Clone, Debug)]
pub(super) enum Base {
    /// A value that is decrypted.
    Decrypted(NodeIndex),
    /// An input of the model, by its position among those that are no weights.
    Input(usize),
}

impl Finished {
    /// A decrypted value, nothing done with it.
    pub(super) fn decrypted(b: &Builder, node: NodeIndex) -> Self {
        let shape = b.graph.node(node).shape.clone();
        Self {
            base: Base::Decrypted(node),
            dims: shape.dims().to_vec(),
            shape,
            finish: Finish::default(),
            element: Element::FLOAT32,
        }
    }

    /// The result after one more step.
    pub(super) fn then(&self, step: FinishStep) -> Result<Self, Problem> {
        if !self.element.is_float() && !step.moves() {
            let step = step.to_string();
            return Err(Problem::Finish(peregrine_ir::FinishError::OfIntegers {
                step,
            }));
        }
        let element = match step {
            FinishStep::ArgMax { .. } | FinishStep::ArgMin { .. } => Element::INT64,
            _ => self.element,
        };
        let mut finish = self.finish.clone();
        finish.0.push(step);
        let shape = finish.result_shape(&self.shape)?;
        Ok(Self {
            finish,
            dims: shape.dims().to_vec(),
            element,
            ..self.clone()
        })
    }

    /// The result under other dimensions, of which two in a row are one.
    pub(super) fn reshaped(&self, dims: &[u32]) -> Result<Self, Problem> {
        let mut before = self.clone();
        if let Some(FinishStep::Reshape { .. }) = before.finish.0.last() {
            before.finish.0.pop();
        }
        let shape = Shape::new(dims)?;
        let unchanged = before.finish.result_shape(&self.shape)? == shape;
        if unchanged {
            return Ok(Self {
                dims: dims.to_vec(),
                ..before
            });
        }
        before.then(FinishStep::Reshape { shape })
    }

    /// The result with its elements moved: what is kept of each axis, then the axes in another order.
    pub(super) fn moved(&self, movement: &Movement) -> Result<Self, Problem> {
        let mut moved = self.clone();
        for (axis, map) in (0..).zip(movement.axes()) {
            let extent = moved.dims.get(axis as usize).copied().unwrap_or(1);
            let positions: Option<Vec<u32>> = map.table.iter().copied().collect();
            let positions = positions.ok_or(Problem::OfClient)?;
            if let Some(step) = kept(axis, extent, positions) {
                moved = moved.then(step)?;
            }
        }
        let order = movement.order().ok_or(Problem::OfClient)?;
        if order.is_sorted() {
            return moved.reshaped(movement.output());
        }
        moved.then(FinishStep::Transpose { order })
    }

    /// `factor x + offset`, constants that broadcast to the tensor and differ along one axis at most.
    pub(super) fn affine(&self, factor: &Constant, offset: &Constant) -> Result<Self, Problem> {
        let step = match (factor.uniform(), offset.uniform()) {
            (Some(a), Some(b)) => FinishStep::Elementwise(Function {
                kind: FunctionKind::Affine,
                parameters: [a, b],
            }),
            _ => {
                let axis =
                    (axis_of(factor, &self.dims)?.or(axis_of(offset, &self.dims)?)).unwrap_or(0);
                let extent = self.dims.get(axis).copied().unwrap_or(1) as usize;
                let numbers = |c: &Constant| -> Result<Vec<f64>, Problem> {
                    match (c.uniform(), axis_of(c, &self.dims)?) {
                        (Some(x), _) => Ok(vec![x; extent]),
                        (None, Some(own)) if own == axis => Ok(c.values().collect()),
                        _ => Err(Problem::OfClient),
                    }
                };
                FinishStep::Affine {
                    axis: axis as u32,
                    factor: numbers(factor)?,
                    offset: numbers(offset)?,
                }
            }
        };
        self.then(step)
    }
}

/// The axis along which a constant differs that broadcasts to `dims`, `None` when it is one number.
fn axis_of(constant: &Constant, dims: &[u32]) -> Result<Option<usize>, Problem> {
    if constant.uniform().is_some() {
        return Ok(None);
    }
    let lead = dims.len().checked_sub(constant.dims.len());
    let long = (0..).zip(&constant.dims).filter(|(_, d)| **d > 1);
    let axes: Vec<usize> = long.map(|(i, _): (usize, _)| i).collect();
    match (lead, axes.as_slice()) {
        (Some(lead), &[axis]) if constant.len() <= Finish::MAX_LIST as u64 => Ok(Some(lead + axis)),
        _ => Err(Problem::OfClient),
    }
}

/// The step that keeps these positions of an axis, if any is needed.
fn kept(axis: u32, extent: u32, positions: Vec<u32>) -> Option<FinishStep> {
    if positions.len() == extent as usize && positions.iter().zip(0..).all(|(&p, i)| p == i) {
        return None;
    }
    let (first, second) = (positions.first().copied(), positions.get(1).copied());
    let start = first.unwrap_or(0);
    let step = second.map_or(1, |second| i64::from(second) - i64::from(start));
    let even = |(&p, i): (&u32, i64)| i64::from(p) == i64::from(start) + step * i;
    let count = positions.len() as u32;
    Some(match i32::try_from(step) {
        Ok(step) if step != 0 && positions.iter().zip(0..).all(even) => FinishStep::Slice {
            axis,
            start,
            step,
            count,
        },
        _ => FinishStep::Take { axis, positions },
    })
}

fn is_default(node: &NodeProto) -> bool {
    matches!(node.domain.as_str(), "" | "ai.onnx")
}

/// Whether the client applies this operator where it ends a model: a function that is no polynomial, or a movement.
pub(super) fn is_step(node: &NodeProto) -> bool {
    is_default(node) && (is_function(&node.op_type) || is_movement(&node.op_type))
}

fn is_function(op: &str) -> bool {
    let whole = [
        "Softmax",
        "LogSoftmax",
        "Sigmoid",
        "Tanh",
        "ArgMax",
        "ArgMin",
        "PRelu",
    ];
    whole.contains(&op) || functions::is_function(op)
}

/// Movements that cost something on ciphertexts and nothing at the client.
pub(super) fn is_movement(op: &str) -> bool {
    matches!(
        op,
        "Transpose" | "Slice" | "Split" | "Gather" | "DepthToSpace" | "SpaceToDepth"
    )
}

/// Whether this operator keeps the elements of its first operand, so that the client can follow it.
pub(super) fn passes(op: &str) -> bool {
    matches!(
        op,
        "Identity"
            | "Dropout"
            | "Cast"
            | "CastLike"
            | "Reshape"
            | "Flatten"
            | "Squeeze"
            | "Unsqueeze"
    )
}

/// Arithmetic that the client follows when the other operand is a constant.
pub(super) fn is_arithmetic(op: &str) -> bool {
    matches!(op, "Add" | "Sub" | "Mul" | "Div" | "Neg")
}

/// Values that follow from weights alone, and shapes.
pub(super) fn constants(graph: &GraphProto) -> BTreeSet<&str> {
    let mut known: BTreeSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    known.insert("");
    for node in &graph.node {
        let of_shapes = matches!(node.op_type.as_str(), "Shape" | "Size");
        if of_shapes
            || node
                .input
                .iter()
                .all(|input| known.contains(input.as_str()))
        {
            known.extend(node.output.iter().map(String::as_str));
        }
    }
    known
}

/// What of a model's end is left to the client beside functions that are no polynomials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    /// Nothing.
    Functions,
    /// Movements of elements.
    Movements,
    /// Movements, and arithmetic with constants.
    Arithmetic,
}

/// The values that the server needs: those that some needed node reads that the client cannot follow.
pub(super) fn server_side<'m>(
    graph: &'m GraphProto,
    needed: &BTreeSet<&str>,
    ending: Ending,
) -> BTreeSet<&'m str> {
    let known = constants(graph);
    let mut inner = BTreeSet::new();
    for node in graph.node.iter().rev() {
        let mut outputs = node.output.iter().map(String::as_str);
        if !outputs.clone().any(|o| needed.contains(o)) {
            continue;
        }
        let op = node.op_type.as_str();
        let unknown = node
            .input
            .iter()
            .filter(|input| !known.contains(input.as_str()));
        let follows = match (is_movement(op), is_arithmetic(op)) {
            (true, _) => ending >= Ending::Movements && is_step(node),
            (_, true) => ending >= Ending::Arithmetic && is_default(node),
            _ => is_step(node) || is_default(node) && passes(op),
        };
        let shape_only = matches!(op, "Shape" | "Size");
        // Refused by its own name, not for what leads to it.
        let labels = node.domain == "ai.onnx.ml" && unsupported::makes_labels(op);
        if labels
            || shape_only
            || follows && unknown.count() <= 1 && !outputs.any(|o| inner.contains(o))
        {
            continue;
        }
        inner.extend(node.input.iter().map(String::as_str));
    }
    inner
}

/// A function or a movement where the client applies it.
pub(super) fn lower(b: &mut Builder, call: &Call) -> Result<Vec<Value>, Problem> {
    let op = call.node.op_type.as_str();
    if is_movement(op) {
        return lower_movement(b, call);
    }
    let result = match op {
        "Softmax" => along_axis(b, call, |axis| FinishStep::Softmax { axis }),
        "LogSoftmax" => along_axis(b, call, |axis| FinishStep::LogSoftmax { axis }),
        "Sigmoid" => step(b, call.value(0, "the operand")?, FinishStep::Sigmoid),
        "Tanh" => step(b, call.value(0, "the operand")?, FinishStep::Tanh),
        "ArgMax" => position(b, call, |axis, last| FinishStep::ArgMax { axis, last }),
        "ArgMin" => position(b, call, |axis, last| FinishStep::ArgMin { axis, last }),
        _ => match functions::function(call)? {
            Some(function) => {
                let x = call.value(0, "the operand")?;
                step(b, x, FinishStep::Elementwise(function))
            }
            None => Err(Problem::Operator(unsupported::reason(op))),
        },
    };
    call.only_first_output()?;
    Ok(vec![result?])
}

/// A movement: by the client if it can, else on ciphertexts.
fn lower_movement(b: &mut Builder, call: &Call) -> Result<Vec<Value>, Problem> {
    let lowered = |b: &mut Builder, call: &Call| match operators::lowering(
        &call.node.domain,
        &call.node.op_type,
    ) {
        Some(Lowering::One(lower)) => lower(b, call).map(|value| vec![value]),
        Some(Lowering::Many(lower)) => lower(b, call),
        None => Err(Problem::Constants),
    };
    let Some(Some(Value::Encrypted(x))) = call.inputs.first() else {
        return lowered(b, call);
    };
    let at_client = call.with_first(Value::Finished(Finished::decrypted(b, *x)));
    let made = lowered(b, &at_client).or_else(|_| lowered(b, call));
    call.asked_too(&at_client);
    made
}

/// `x` after one more step.
fn step(b: &Builder, x: &Value, step: FinishStep) -> Result<Value, Problem> {
    let finished = match x {
        Value::Finished(finished) => finished.clone(),
        Value::Encrypted(node) => Finished::decrypted(b, *node),
        Value::Known(_) | Value::Integers { .. } => return Err(Problem::Constants),
        Value::Unavailable => return Ok(Value::Unavailable),
    };
    finished.then(step).map(Value::Finished)
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
