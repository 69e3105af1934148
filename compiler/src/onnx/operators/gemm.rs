//! Gemm: a product with a known matrix on either side.
#![deny(clippy::indexing_slicing)]

use super::row::Operator;
use crate::onnx::build::{Builder, Call, Movement, Value, broadcast, floating};
use crate::onnx::format::Constant;
use crate::onnx::problems::Problem;
use peregrine_ir::TensorId;
use peregrine_ir::linear::{Contract, LinearKind};
use petgraph::graph::NodeIndex;

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    vec![Operator::encrypted("Gemm", gemm).by_library()]
}

/// Gemm: `alpha * A' * B' + beta * C`, one of `A` and `B` encrypted, `C` either.
pub(in crate::onnx) fn gemm(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let alpha = call.float_or("alpha", 1.0)?;
    let (left, right) = (
        call.value(0, "the first matrix")?,
        call.value(1, "the second matrix")?,
    );
    let (trans_a, trans_b) = (call.flag("transA", false)?, call.flag("transB", false)?);
    match (left, right) {
        (Value::Encrypted(_), Value::Known(weight)) => {
            let x = matrix(b, left, trans_a)?;
            let [rows, k] = pair(&b.dims(x))?;
            let weight = Matrix::new(weight, !trans_b)?;
            weight.check(k)?;
            let n = weight.m;
            let weight = weight.tensor(b, alpha)?;
            let bias = bias(b, call, [rows, n])?;
            let kind = contract(weight, [1, 1, rows, n, k, 1]);
            let y = b.linear(kind, (x, &[rows, k]), &[rows, n], bias)?;
            add_c(b, call, y)
        }
        (Value::Known(weight), Value::Encrypted(_)) => {
            let x = matrix(b, right, trans_b)?;
            let [k, n] = pair(&b.dims(x))?;
            let weight = Matrix::new(weight, trans_a)?;
            weight.check(k)?;
            let m = weight.m;
            let weight = weight.tensor(b, alpha)?;
            let bias = bias(b, call, [m, n])?;
            let kind = contract(weight, [1, 1, 1, m, k, n]);
            let y = b.linear(kind, (x, &[k, n]), &[m, n], bias)?;
            add_c(b, call, y)
        }
        (Value::Encrypted(_), _) => Err(Problem::TwoEncrypted),
        _ => Err(Problem::Constants),
    }
}

pub(in crate::onnx) fn contract(
    weight: TensorId,
    [outer, groups, rows, m, k, inner]: [u32; 6],
) -> LinearKind {
    LinearKind::Contract(Contract {
        weight,
        outer,
        groups,
        rows,
        m,
        k,
        inner,
    })
}

fn pair(dims: &[u32]) -> Result<[u32; 2], Problem> {
    match *dims {
        [a, b] => Ok([a, b]),
        _ => Err(Problem::Mismatch {
            what: "the operand's shape",
            found: format!("{dims:?}"),
            expected: "a matrix".to_owned(),
        }),
    }
}

/// An encrypted matrix, transposed if asked.
fn matrix(b: &mut Builder, value: &Value, transposed: bool) -> Result<NodeIndex, Problem> {
    let Value::Encrypted(x) = value else {
        return Err(Problem::Constants);
    };
    let dims = b.dims(*x);
    pair(&dims)?;
    if !transposed {
        return Ok(*x);
    }
    match b.moved(value, Movement::transpose(&dims, &[1, 0])?)? {
        Value::Encrypted(x) => Ok(x),
        _ => Ok(*x),
    }
}

/// A known matrix `[m, k]`, stored as it is or transposed.
struct Matrix<'a> {
    constant: &'a Constant,
    transposed: bool,
    m: u32,
    k: u32,
}

impl<'a> Matrix<'a> {
    fn new(constant: &'a Constant, transposed: bool) -> Result<Self, Problem> {
        floating(constant)?;
        let [rows, columns] = pair(&constant.dims)?;
        let (m, k) = if transposed {
            (columns, rows)
        } else {
            (rows, columns)
        };
        Ok(Self {
            constant,
            transposed,
            m,
            k,
        })
    }

    fn check(&self, k: u32) -> Result<(), Problem> {
        if self.k == k {
            return Ok(());
        }
        Err(Problem::Mismatch {
            what: "the weight matrix",
            found: format!("{:?}", self.constant.dims),
            expected: format!("one that takes {k} features"),
        })
    }

    fn tensor(&self, b: &mut Builder, factor: f64) -> Result<TensorId, Problem> {
        let dims = [1, self.m, self.k];
        if !self.transposed && factor == 1.0 {
            return b.weight(self.constant, &dims);
        }
        let (m, k) = (self.m as usize, self.k as usize);
        b.tensor(&self.constant.name, &dims, || {
            let at = |i: usize| {
                if self.transposed {
                    self.constant.at(i % k * m + i / k)
                } else {
                    self.constant.at(i)
                }
            };
            (0..m * k).map(|i| factor * at(i)).collect()
        })
    }
}

/// `beta * C` when it is known.
fn bias(b: &mut Builder, call: &Call, output: [u32; 2]) -> Result<Option<TensorId>, Problem> {
    let beta = call.float_or("beta", 1.0)?;
    let Some(Value::Known(c)) = call.optional(2)? else {
        return Ok(None);
    };
    check_c(call, &c.dims, output)?;
    if beta == 0.0 {
        return Ok(None);
    }
    let id = if beta == 1.0 {
        b.coefficient(c)?
    } else {
        b.derived(c, |v| beta * v)?
    };
    Ok(Some(id))
}

/// Before opset 7 the bias broadcasts only when an attribute says so.
fn check_c(call: &Call, c: &[u32], output: [u32; 2]) -> Result<(), Problem> {
    let spreads = call.opset >= 7 || call.flag("broadcast", false)?;
    if c == output || spreads && broadcast(c, &output)? == output {
        return Ok(());
    }
    let way = if spreads {
        "broadcasts to"
    } else {
        "has shape"
    };
    Err(Problem::Mismatch {
        what: "the bias",
        found: format!("{c:?}"),
        expected: format!("one that {way} {output:?}"),
    })
}

/// Adds `beta * C` when it is encrypted.
fn add_c(b: &mut Builder, call: &Call, y: NodeIndex) -> Result<Value, Problem> {
    let Some(Value::Encrypted(c)) = call.optional(2)? else {
        return Ok(Value::Encrypted(y));
    };
    let dims = b.dims(y);
    check_c(call, &b.dims(*c), pair(&dims)?)?;
    let beta = call.float_or("beta", 1.0)?;
    let scaled = if beta == 1.0 {
        *c
    } else {
        let coefficients = vec![b.scalar(0.0)?, b.scalar(beta)?];
        b.polynomial(*c, coefficients)?
    };
    let expanded = b.expand(scaled, &dims)?;
    Ok(Value::Encrypted(b.add(&[y, expanded])?))
}
