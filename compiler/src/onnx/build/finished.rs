//! Values that the client computes: what it does after decryption, or before encryption, step by step.
#![deny(clippy::indexing_slicing)]

use super::movement::Movement;
use crate::onnx::format::{Constant, Element};
use crate::onnx::problems::Problem;
use crate::tensor::Graph;
use peregrine_ir::{ElementFunction, Finish, FinishStep, FunctionKind, Shape};
use petgraph::graph::NodeIndex;

/// What the client computes from a decrypted value, or from an input before it encrypts.
#[derive(Clone, Debug)]
pub(in crate::onnx) struct Finished {
    /// What it starts from.
    pub(in crate::onnx) base: Base,
    /// The shape of that.
    pub(in crate::onnx) shape: Shape,
    /// What the client does with it.
    pub(in crate::onnx) finish: Finish,
    /// The dimensions of the result.
    pub(in crate::onnx) dims: Vec<u32>,
    /// The type of the result.
    pub(in crate::onnx) element: Element,
}

/// What the client starts from.
#[derive(Clone, Debug)]
pub(in crate::onnx) enum Base {
    /// A value that is decrypted.
    Decrypted(NodeIndex),
    /// An input of the model, by its position among those that are no weights.
    Input(usize),
}

impl Finished {
    /// A decrypted value, nothing done with it.
    pub(in crate::onnx) fn decrypted(graph: &Graph, node: NodeIndex) -> Self {
        let shape = graph.node(node).shape.clone();
        Self {
            base: Base::Decrypted(node),
            dims: shape.dims().to_vec(),
            shape,
            finish: Finish::default(),
            element: Element::FLOAT32,
        }
    }

    /// The result after one more step.
    pub(in crate::onnx) fn then(&self, step: FinishStep) -> Result<Self, Problem> {
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
    pub(in crate::onnx) fn reshaped(&self, dims: &[u32]) -> Result<Self, Problem> {
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
    pub(in crate::onnx) fn moved(&self, movement: &Movement) -> Result<Self, Problem> {
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
    pub(in crate::onnx) fn affine(
        &self,
        factor: &Constant,
        offset: &Constant,
    ) -> Result<Self, Problem> {
        let step = match (factor.uniform(), offset.uniform()) {
            (Some(a), Some(b)) => FinishStep::Elementwise(ElementFunction {
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
