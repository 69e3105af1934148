//! The graph under construction: canonical operators, weights, and the limits on their size.

use super::budget::Budget;
use super::movement::Movement;
use super::value::Value;
use crate::onnx::format::{Constant, Element, elements};
use crate::onnx::problems::Problem;
use crate::tensor::{Graph, Node, Op, Polynomial, SourceId};
use peregrine_ir::linear::{LinearKind, LinearMap};
use peregrine_ir::{Shape, Tensor, TensorId};
use petgraph::graph::NodeIndex;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A weight tensor that is already in the graph, with the storage that its key points to.
type Known = (Rc<[f64]>, TensorId);

/// Appends operators for one node of the model after the other.
#[derive(Default)]
pub(in crate::onnx) struct Builder {
    pub(in crate::onnx) graph: Graph,
    /// The node of the model that new operators stand for.
    pub(in crate::onnx) source: SourceId,
    /// Set once something was refused: the graph will be thrown away, so weights are not copied any more and operators
    /// only carry their shapes. What follows is still looked at, to report everything at once.
    pub(in crate::onnx) failing: bool,
    weights: BTreeMap<(usize, Vec<u32>), Known>,
    scalars: BTreeMap<u64, TensorId>,
    /// What the model may still ask for.
    pub(in crate::onnx) budget: Budget,
}

impl Builder {
    /// The dimensions of an encrypted value.
    pub(in crate::onnx) fn dims(&self, node: NodeIndex) -> Vec<u32> {
        self.graph.node(node).shape.dims().to_vec()
    }

    /// Appends an operator.
    fn push(&mut self, op: Op, dims: &[u32], operands: &[NodeIndex]) -> Result<NodeIndex, Problem> {
        let shape = Shape::new(dims)?;
        let found = shape.elements() as u64;
        self.budget.tensor(found)?;
        if !self.failing {
            self.budget.add_tensor(found)?;
        }
        let source = self.source;
        let node = Node { op, shape, source };
        Ok(self.graph.add(node, operands))
    }

    /// Refuses a result that [`Builder::push`] would refuse, before tables for it are made.
    pub(in crate::onnx) fn check_size(&self, dims: &[u32]) -> Result<(), Problem> {
        let largest = dims.iter().copied().max().unwrap_or(0);
        self.budget.tensor(elements(dims).max(u64::from(largest)))
    }

    pub(in crate::onnx) fn input(
        &mut self,
        name: &str,
        dims: &[u32],
    ) -> Result<NodeIndex, Problem> {
        let name = name.to_owned();
        self.push(Op::Input { name }, dims, &[])
    }

    /// `A x + b`, the operand seen under the dimensions `input`.
    pub(in crate::onnx) fn linear(
        &mut self,
        kind: LinearKind,
        (x, input): (NodeIndex, &[u32]),
        output: &[u32],
        bias: Option<TensorId>,
    ) -> Result<NodeIndex, Problem> {
        let map = LinearMap {
            kind,
            input: Shape::new(input)?,
            output: Shape::new(output)?,
        };
        if self.failing {
            return self.push(Op::Reshape, output, &[x]);
        }
        let products = map.bind(&self.graph.tensors)?.macs();
        self.budget.add_products(products)?;
        match &map.kind {
            LinearKind::Gather(_) => self.budget.add_moved(products)?,
            LinearKind::Contract(_) => self.budget.add_entries(products)?,
            _ => {}
        }
        self.push(Op::Linear { map, bias }, output, &[x])
    }

    /// The polynomial with these coefficients of `x`, constant term first.
    pub(in crate::onnx) fn polynomial(
        &mut self,
        x: NodeIndex,
        coefficients: Vec<TensorId>,
    ) -> Result<NodeIndex, Problem> {
        let dims = self.dims(x);
        if self.failing {
            return self.push(Op::Reshape, &dims, &[x]);
        }
        let shape = &self.graph.node(x).shape;
        let polynomial = Polynomial::new(coefficients, shape, &self.graph.tensors)?;
        self.push(Op::Polynomial(polynomial), &dims, &[x])
    }

    /// The sum of values of the same shape.
    pub(in crate::onnx) fn add(&mut self, operands: &[NodeIndex]) -> Result<NodeIndex, Problem> {
        match operands {
            [] => Err(Problem::MissingOperand {
                role: "the first operand",
            }),
            [only] => Ok(*only),
            [first, ..] => {
                let dims = self.dims(*first);
                self.push(Op::Add, &dims, operands)
            }
        }
    }

    /// The product of values of the same shape.
    pub(in crate::onnx) fn multiply(
        &mut self,
        a: NodeIndex,
        b: NodeIndex,
    ) -> Result<NodeIndex, Problem> {
        let dims = self.dims(a);
        self.push(Op::Multiply, &dims, &[a, b])
    }

    /// The value under other dimensions.
    pub(in crate::onnx) fn reshaped(
        &mut self,
        value: &Value,
        dims: &[u32],
    ) -> Result<Value, Problem> {
        let (from, found) = match value {
            Value::Encrypted(x) => (self.dims(*x), Some(*x)),
            Value::Known(c) => (c.dims.clone(), None),
            Value::Finished(finished) => (finished.dims.clone(), None),
            Value::Integers { .. } | Value::Unavailable => return Ok(Value::Unavailable),
        };
        if elements(&from) != elements(dims) {
            return Err(Problem::Mismatch {
                what: "the new shape",
                found: format!("{dims:?}"),
                expected: format!("as many elements as {from:?}"),
            });
        }
        Ok(match (found, value) {
            _ if from == dims => value.clone(),
            (Some(x), _) => Value::Encrypted(self.push(Op::Reshape, dims, &[x])?),
            (None, Value::Known(c)) => Value::Known(c.with_dims(dims.to_vec())),
            (None, Value::Finished(finished)) => Value::Finished(finished.reshaped(dims)?),
            (None, _) => Value::Unavailable,
        })
    }

    /// The value with its elements moved.
    pub(in crate::onnx) fn moved(
        &mut self,
        value: &Value,
        movement: Movement,
    ) -> Result<Value, Problem> {
        self.moved_onto(value, movement, 0.0)
    }

    /// The value with its elements moved and `fill` where none goes.
    pub(in crate::onnx) fn moved_onto(
        &mut self,
        value: &Value,
        movement: Movement,
        fill: f64,
    ) -> Result<Value, Problem> {
        if movement.is_identity() {
            return Ok(value.clone());
        }
        match value {
            Value::Encrypted(_) if elements(movement.output()) == 0 => {
                Ok(nothing(movement.output()))
            }
            Value::Encrypted(_) if movement.is_reshape() => {
                let dims = movement.output().to_vec();
                self.reshaped(value, &dims)
            }
            Value::Encrypted(x) => {
                let (input, output) = (self.dims(*x), movement.output().to_vec());
                self.check_size(&output)?;
                self.spend(movement.entries())?;
                let bias = self.fill(&movement, fill)?;
                let kind = LinearKind::Gather(movement.gather());
                let moved = self.linear(kind, (*x, &input), &output, bias)?;
                Ok(Value::Encrypted(moved))
            }
            Value::Known(c) => {
                self.spend(elements(movement.output()))?;
                Ok(Value::Known(movement.apply(c, fill)))
            }
            Value::Finished(finished) => Ok(Value::Finished(finished.moved(&movement)?)),
            Value::Integers { .. } | Value::Unavailable => Ok(Value::Unavailable),
        }
    }

    fn fill(&mut self, movement: &Movement, fill: f64) -> Result<Option<TensorId>, Problem> {
        if fill == 0.0 {
            return Ok(None);
        }
        let bias = self.tensor("fill", movement.output(), || {
            let at = |source: Option<usize>| source.map_or(fill, |_| 0.0);
            movement.sources().map(at).collect()
        })?;
        Ok(Some(bias))
    }

    /// The value broadcast to `dims`.
    pub(in crate::onnx) fn expanded(
        &mut self,
        value: &Value,
        dims: &[u32],
    ) -> Result<Value, Problem> {
        let from = match value {
            Value::Encrypted(x) => self.dims(*x),
            Value::Known(c) => c.dims.clone(),
            Value::Finished(finished) => finished.dims.clone(),
            Value::Integers { .. } | Value::Unavailable => return Ok(Value::Unavailable),
        };
        self.check_size(dims)?;
        self.moved(value, Movement::expand(&from, dims)?)
    }

    /// As [`Builder::expanded`], for an encrypted value.
    pub(in crate::onnx) fn expand(
        &mut self,
        x: NodeIndex,
        dims: &[u32],
    ) -> Result<NodeIndex, Problem> {
        match self.expanded(&Value::Encrypted(x), dims)? {
            Value::Encrypted(x) => Ok(x),
            _ => Ok(x),
        }
    }

    /// Counts elements computed at compile time: a few bytes of model must not ask for any amount of memory.
    pub(in crate::onnx) fn spend(&mut self, count: u64) -> Result<(), Problem> {
        self.budget.spend(count)
    }

    /// Counts multiplications done at compile time.
    pub(in crate::onnx) fn work(&mut self, count: u64) -> Result<(), Problem> {
        self.budget.work(count)
    }

    /// Counts elements read from the model.
    pub(in crate::onnx) fn received(&mut self, count: u64) {
        self.budget.read(count);
    }

    /// A weight tensor made by `data`, which must fill `dims`.
    pub(in crate::onnx) fn tensor(
        &mut self,
        name: &str,
        dims: &[u32],
        data: impl FnOnce() -> Vec<f64>,
    ) -> Result<TensorId, Problem> {
        if self.failing {
            return Ok(TensorId(0));
        }
        self.spend(elements(dims))?;
        let tensor = Tensor::new(name, Shape::new(dims)?, data())?;
        Ok(self.graph.tensors.push(tensor))
    }

    /// The tensor with this one element, of rank 0.
    pub(in crate::onnx) fn scalar(&mut self, value: f64) -> Result<TensorId, Problem> {
        if let Some(&id) = self.scalars.get(&value.to_bits()) {
            return Ok(id);
        }
        let id = self.tensor("scalar", &[], || vec![value])?;
        self.scalars.insert(value.to_bits(), id);
        Ok(id)
    }

    /// A constant of the model as weight tensor of shape `dims` (equal element count); the same constant is stored once.
    pub(in crate::onnx) fn weight(
        &mut self,
        constant: &Constant,
        dims: &[u32],
    ) -> Result<TensorId, Problem> {
        floating(constant)?;
        if self.failing {
            return Ok(TensorId(0));
        }
        let Some(storage) = constant.storage() else {
            return self.tensor(&constant.name, dims, || constant.values().collect());
        };
        let key = (Rc::as_ptr(&storage).cast::<f64>() as usize, dims.to_vec());
        if let Some((_, id)) = self.weights.get(&key) {
            return Ok(*id);
        }
        let id = self.tensor(&constant.name, dims, || constant.values().collect())?;
        self.weights.insert(key, (storage, id));
        Ok(id)
    }

    /// A constant as coefficient of a polynomial.
    pub(in crate::onnx) fn coefficient(
        &mut self,
        constant: &Constant,
    ) -> Result<TensorId, Problem> {
        self.weight(constant, &constant.dims)
    }

    /// `f` of a constant as coefficient of a polynomial.
    pub(in crate::onnx) fn derived(
        &mut self,
        constant: &Constant,
        f: impl Fn(f64) -> f64,
    ) -> Result<TensorId, Problem> {
        floating(constant)?;
        self.tensor(&constant.name, &constant.dims, || {
            constant.values().map(f).collect()
        })
    }
}

/// A value without elements, of which everything is known.
fn nothing(dims: &[u32]) -> Value {
    let constant = Constant::splat("empty", Element::FLOAT32, dims.to_vec(), 0.0);
    Value::Known(constant)
}

/// Refuses integers as weights.
pub(in crate::onnx) fn floating(constant: &Constant) -> Result<(), Problem> {
    if constant.element.is_float() {
        return Ok(());
    }
    Err(Problem::Integers {
        name: constant.name.to_string(),
        element: constant.element,
    })
}

/// The shape that tensors of these dimensions broadcast to together.
pub(in crate::onnx) fn broadcast(a: &[u32], b: &[u32]) -> Result<Vec<u32>, Problem> {
    let rank = a.len().max(b.len());
    let axis = |dims: &[u32], i: usize| {
        let lead = rank - dims.len();
        i.checked_sub(lead)
            .and_then(|k| dims.get(k).copied())
            .unwrap_or(1)
    };
    (0..rank)
        .map(|i| match (axis(a, i), axis(b, i)) {
            (x, y) if x == y || y == 1 => Ok(x),
            (1, y) => Ok(y),
            _ => Err(Problem::Mismatch {
                what: "the second operand's shape",
                found: format!("{b:?}"),
                expected: format!("one that broadcasts with {a:?}"),
            }),
        })
        .collect()
}
