//! MatMul: a product with known matrices on either side, batches broadcast.
#![deny(clippy::indexing_slicing)]

use super::gemm::contract;
use super::row::Operator;
use crate::onnx::build::{Builder, Call, Movement, Value, broadcast, floating};
use crate::onnx::format::{Constant, elements};
use crate::onnx::problems::Problem;
use peregrine_ir::TensorId;
use petgraph::graph::NodeIndex;

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    vec![Operator::encrypted("MatMul", matmul).by_library()]
}

/// MatMul of any ranks, batches broadcast.
pub(in crate::onnx) fn matmul(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let (left, right) = (
        call.value(0, "the first matrix")?,
        call.value(1, "the second matrix")?,
    );
    let (side, x, weight) = match (left, right) {
        (Value::Encrypted(x), Value::Known(w)) => (Side::Right, *x, w),
        (Value::Known(w), Value::Encrypted(x)) => (Side::Left, *x, w),
        (Value::Encrypted(_), _) => return Err(Problem::TwoEncrypted),
        _ => return Err(Problem::Constants),
    };
    floating(weight)?;
    let x_dims = b.dims(x);
    let (a_dims, b_dims) = match side {
        Side::Right => (x_dims.as_slice(), weight.dims.as_slice()),
        Side::Left => (weight.dims.as_slice(), x_dims.as_slice()),
    };
    let product = Product::new(a_dims, b_dims)?;
    let y = product.lower(b, side, x, weight)?;
    b.reshaped(&Value::Encrypted(y), &product.result())
}

/// Where the known matrix stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// `[batch_a.., n, k] * [batch_b.., k, m]`, vectors promoted to matrices.
struct Product {
    batch_a: Vec<u32>,
    batch_b: Vec<u32>,
    batch: Vec<u32>,
    n: u32,
    k: u32,
    m: u32,
    /// Which of the last two axes of the result stand for a vector operand and vanish.
    vector: [bool; 2],
}

impl Product {
    fn new(a: &[u32], b: &[u32]) -> Result<Self, Problem> {
        let scalar = || Problem::Mismatch {
            what: "the operands' shapes",
            found: format!("{a:?} and {b:?}"),
            expected: "matrices or vectors".to_owned(),
        };
        let (batch_a, n, k) = match a {
            [] => return Err(scalar()),
            [k] => (vec![], 1, *k),
            [batch @ .., n, k] => (batch.to_vec(), *n, *k),
        };
        let (batch_b, other, m) = match b {
            [] => return Err(scalar()),
            [k] => (vec![], *k, 1),
            [batch @ .., k, m] => (batch.to_vec(), *k, *m),
        };
        if k != other {
            return Err(Problem::Mismatch {
                what: "the second operand's shape",
                found: format!("{b:?}"),
                expected: format!("one that takes {k} features"),
            });
        }
        Ok(Self {
            batch: broadcast(&batch_a, &batch_b)?,
            batch_a,
            batch_b,
            n,
            k,
            m,
            vector: [a.len() == 1, b.len() == 1],
        })
    }

    fn result(&self) -> Vec<u32> {
        let mut dims = self.batch.clone();
        dims.extend((!self.vector[0]).then_some(self.n));
        dims.extend((!self.vector[1]).then_some(self.m));
        dims
    }

    /// `[batch.., n, m]`.
    fn lower(
        &self,
        b: &mut Builder,
        side: Side,
        x: NodeIndex,
        weight: &Constant,
    ) -> Result<NodeIndex, Problem> {
        let (x_batch, w_batch, x_matrix, w_matrix) = match side {
            Side::Right => (
                &self.batch_a,
                &self.batch_b,
                [self.n, self.k],
                [self.k, self.m],
            ),
            Side::Left => (
                &self.batch_b,
                &self.batch_a,
                [self.k, self.m],
                [self.n, self.k],
            ),
        };
        let with = |batch: &[u32], matrix: [u32; 2]| [batch, matrix.as_slice()].concat();
        let x_dims = with(&self.batch, x_matrix);
        let promoted = b.reshaped(&Value::Encrypted(x), &with(x_batch, x_matrix))?;
        let x = match b.expanded(&promoted, &x_dims)? {
            Value::Encrypted(x) => x,
            _ => x,
        };
        let (weight, groups) = self.batched(b, weight, w_batch, w_matrix)?;
        let total = elements(&self.batch) as u32;
        let outer = total / groups.max(1);
        let (kind, last) = match side {
            Side::Right => {
                let weight = transposed(b, &weight, [groups, self.k, self.m])?;
                let extents = [outer, groups, self.n, self.m, self.k, 1];
                (contract(weight, extents), [self.n, self.m])
            }
            Side::Left => {
                let weight = b.weight(&weight, &[groups, self.n, self.k])?;
                let extents = [outer, groups, 1, self.n, self.k, self.m];
                (contract(weight, extents), [self.n, self.m])
            }
        };
        b.linear(kind, (x, &x_dims), &with(&self.batch, last), None)
    }

    /// The weight with as many matrices as the trailing batch axes need, and that number.
    fn batched(
        &self,
        b: &mut Builder,
        weight: &Constant,
        batch: &[u32],
        matrix: [u32; 2],
    ) -> Result<(Constant, u32), Problem> {
        let leading = batch.iter().take_while(|&&d| d == 1).count();
        let own = batch.get(leading..).unwrap_or(&[]);
        if self.batch.ends_with(own) {
            return Ok((weight.clone(), elements(own) as u32));
        }
        let from = [batch, matrix.as_slice()].concat();
        let to = [self.batch.as_slice(), matrix.as_slice()].concat();
        b.spend(elements(&to))?;
        let movement = Movement::expand(&from, &to)?;
        let weight = movement.apply(&weight.with_dims(from), 0.0);
        Ok((weight, elements(&self.batch) as u32))
    }
}

/// `[groups, k, m]` as `[groups, m, k]`.
fn transposed(
    b: &mut Builder,
    weight: &Constant,
    [groups, k, m]: [u32; 3],
) -> Result<TensorId, Problem> {
    if k == 1 || m == 1 {
        return b.weight(weight, &[groups, m, k]);
    }
    let weight = weight.with_dims(vec![groups, k, m]);
    let movement = Movement::transpose(&weight.dims, &[0, 2, 1])?;
    b.tensor(&weight.name, &[groups, m, k], || {
        let at = |source: Option<usize>| source.map_or(0.0, |i| weight.at(i));
        movement.sources().map(at).collect()
    })
}
