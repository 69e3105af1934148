//! Add, Sub, Mul, Div, Pow, Neg, Sum, Mean: polynomials in one encrypted operand, sums and products of several.
#![deny(clippy::indexing_slicing)]

use super::row::{Client, Operator};
use crate::onnx::build::{Builder, Call, Finished, Value, broadcast, dims, floating};
use crate::onnx::fold;
use crate::onnx::format::{Constant, Element};
use crate::onnx::model::rank;
use crate::onnx::problems::Problem;
use crate::tensor::Polynomial;
use petgraph::graph::NodeIndex;

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    vec![
        Operator::any("Add", add).at_client(Client::Calculates),
        Operator::any("Sub", sub).at_client(Client::Calculates),
        Operator::any("Mul", mul).at_client(Client::Calculates),
        Operator::any("Div", div).at_client(Client::Calculates),
        Operator::any("Neg", neg).at_client(Client::Calculates),
        Operator::any("Pow", pow),
        Operator::any("Sum", sum),
        Operator::any("Mean", mean),
    ]
}

/// Two operands; those of opset 6 have one shape, or are aligned at the attribute `axis` instead of the last one.
fn operands(b: &mut Builder, call: &Call) -> Result<(Value, Value), Problem> {
    let left = call.value(0, "the first operand")?.clone();
    let mut right = call.value(1, "the second operand")?.clone();
    if call.opset >= 7 {
        return Ok((left, right));
    }
    let (spreads, axis) = (call.flag("broadcast", false)?, call.int("axis")?);
    if !spreads && dims(b, &left) != dims(b, &right) {
        return Err(Problem::Mismatch {
            what: "the second operand's shape",
            found: format!("{:?}", dims(b, &right)),
            expected: format!("{:?}, since `broadcast` is 0", dims(b, &left)),
        });
    }
    if spreads && let Some(axis) = axis {
        let rank = dims(b, &left).len();
        let axis = rank::axis(axis, rank, "axis")?;
        let mut aligned = dims(b, &right);
        let missing = (rank - axis).saturating_sub(aligned.len());
        aligned.extend(std::iter::repeat_n(1, missing));
        right = b.reshaped(&right, &aligned)?;
    }
    Ok((left, right))
}

/// `x` broadcast to where `c` reaches too.
fn reach(b: &mut Builder, x: NodeIndex, c: &Constant) -> Result<NodeIndex, Problem> {
    floating(c)?;
    let target = broadcast(&b.dims(x), &c.dims)?;
    b.expand(x, &target)
}

/// `sign * x + c`.
fn shift(b: &mut Builder, x: NodeIndex, c: &Constant, sign: f64) -> Result<Value, Problem> {
    let x = reach(b, x, c)?;
    let coefficients = vec![b.coefficient(c)?, b.scalar(sign)?];
    Ok(Value::Encrypted(b.polynomial(x, coefficients)?))
}

/// `c * x`.
fn scale(b: &mut Builder, x: NodeIndex, c: &Constant) -> Result<Value, Problem> {
    let x = reach(b, x, c)?;
    let coefficients = vec![b.scalar(0.0)?, b.coefficient(c)?];
    Ok(Value::Encrypted(b.polynomial(x, coefficients)?))
}

/// `factor * x`.
pub(in crate::onnx) fn times(
    b: &mut Builder,
    x: NodeIndex,
    factor: f64,
) -> Result<NodeIndex, Problem> {
    let coefficients = vec![b.scalar(0.0)?, b.scalar(factor)?];
    b.polynomial(x, coefficients)
}

/// `factor x + offset` of what the client computes, which keeps its shape.
fn of_client(
    b: &mut Builder,
    x: &Finished,
    factor: &Constant,
    offset: &Constant,
) -> Result<Value, Problem> {
    let target = broadcast(&broadcast(&x.dims, &factor.dims)?, &offset.dims)?;
    let value = b
        .reshaped(&Value::Finished(x.clone()), &target)
        .map_err(|_| Problem::OfClient)?;
    match value {
        Value::Finished(x) => Ok(Value::Finished(x.affine(factor, offset)?)),
        other => Ok(other),
    }
}

/// Operands that nobody computes with: something of the client's, unless one was refused before.
fn neither(x: &Value, y: &Value) -> Result<Value, Problem> {
    match (x, y) {
        (Value::Unavailable, _) | (_, Value::Unavailable) => Ok(Value::Unavailable),
        _ => Err(Problem::OfClient),
    }
}

/// The number `x`.
fn number(x: f64) -> Constant {
    Constant::splat("number", Element::FLOAT32, Vec::new(), x)
}

/// Both operands broadcast to their common shape.
fn both(b: &mut Builder, x: NodeIndex, y: NodeIndex) -> Result<[NodeIndex; 2], Problem> {
    let target = broadcast(&b.dims(x), &b.dims(y))?;
    Ok([b.expand(x, &target)?, b.expand(y, &target)?])
}

/// Add.
pub(in crate::onnx) fn add(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    match operands(b, call)? {
        (Value::Known(x), Value::Known(y)) => fold::binary(b, &x, &y, |x, y| x + y),
        (Value::Encrypted(x), Value::Known(c)) | (Value::Known(c), Value::Encrypted(x)) => {
            shift(b, x, &c, 1.0)
        }
        (Value::Encrypted(x), Value::Encrypted(y)) => {
            let both = both(b, x, y)?;
            Ok(Value::Encrypted(b.add(&both)?))
        }
        (Value::Finished(x), Value::Known(c)) | (Value::Known(c), Value::Finished(x)) => {
            of_client(b, &x, &number(1.0), &c)
        }
        (x, y) => neither(&x, &y),
    }
}

/// Sub.
pub(in crate::onnx) fn sub(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    match operands(b, call)? {
        (Value::Known(x), Value::Known(y)) => fold::binary(b, &x, &y, |x, y| x - y),
        (Value::Encrypted(x), Value::Known(c)) => shift(b, x, &c.map(|v| -v), 1.0),
        (Value::Known(c), Value::Encrypted(x)) => shift(b, x, &c, -1.0),
        (Value::Encrypted(x), Value::Encrypted(y)) => {
            let [x, y] = both(b, x, y)?;
            let negated = times(b, y, -1.0)?;
            Ok(Value::Encrypted(b.add(&[x, negated])?))
        }
        (Value::Finished(x), Value::Known(c)) => of_client(b, &x, &number(1.0), &c.map(|v| -v)),
        (Value::Known(c), Value::Finished(x)) => of_client(b, &x, &number(-1.0), &c),
        (x, y) => neither(&x, &y),
    }
}

/// Mul.
pub(in crate::onnx) fn mul(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    match operands(b, call)? {
        (Value::Known(x), Value::Known(y)) => fold::binary(b, &x, &y, |x, y| x * y),
        (Value::Encrypted(x), Value::Known(c)) | (Value::Known(c), Value::Encrypted(x)) => {
            scale(b, x, &c)
        }
        (Value::Encrypted(x), Value::Encrypted(y)) => {
            let [x, y] = both(b, x, y)?;
            Ok(Value::Encrypted(b.multiply(x, y)?))
        }
        (Value::Finished(x), Value::Known(c)) | (Value::Known(c), Value::Finished(x)) => {
            of_client(b, &x, &c, &number(0.0))
        }
        (x, y) => neither(&x, &y),
    }
}

/// Div, by a constant.
pub(in crate::onnx) fn div(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    match operands(b, call)? {
        (Value::Known(x), Value::Known(y)) => {
            let integers = !x.element.is_float();
            fold::binary(
                b,
                &x,
                &y,
                move |x, y| {
                    if integers { (x / y).trunc() } else { x / y }
                },
            )
        }
        (Value::Encrypted(x), Value::Known(c)) => scale(b, x, &reciprocals(&c)?),
        (Value::Finished(x), Value::Known(c)) => of_client(b, &x, &reciprocals(&c)?, &number(0.0)),
        (_, Value::Encrypted(_)) => Err(Problem::Encrypted {
            role: "the divisor",
        }),
        (x, y) => neither(&x, &y),
    }
}

/// `1 / c`, refused where that is not finite.
fn reciprocals(c: &Constant) -> Result<Constant, Problem> {
    let mut values = c.values().enumerate();
    match values.find(|(_, v)| !v.recip().is_finite()) {
        None => Ok(c.map(f64::recip)),
        Some((index, found)) => Err(Problem::Element {
            name: c.name.to_string(),
            index,
            found,
            expected: "a divisor whose reciprocal is finite",
        }),
    }
}

/// Neg.
pub(in crate::onnx) fn neg(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    match call.value(0, "the operand")? {
        Value::Known(c) => Ok(Value::Known(c.map(|v| -v))),
        Value::Encrypted(x) => Ok(Value::Encrypted(times(b, *x, -1.0)?)),
        Value::Finished(x) => of_client(b, x, &number(-1.0), &number(0.0)),
        Value::Integers { .. } | Value::Unavailable => Ok(Value::Unavailable),
    }
}

/// Pow, by a tensor of known non-negative integers.
pub(in crate::onnx) fn pow(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    match operands(b, call)? {
        (Value::Known(x), Value::Known(y)) => fold::binary(b, &x, &y, f64::powf),
        (Value::Encrypted(x), Value::Known(exponent)) => power(b, x, &exponent),
        (_, Value::Encrypted(_)) => Err(Problem::Encrypted {
            role: "the exponent",
        }),
        (x, y) => neither(&x, &y),
    }
}

fn power(b: &mut Builder, x: NodeIndex, exponent: &Constant) -> Result<Value, Problem> {
    let limit = Polynomial::MAX_DEGREE as f64;
    b.spend(exponent.len())?;
    if let Some(bad) = exponent
        .values()
        .find(|e| e.fract() != 0.0 || !(0.0..=limit).contains(e))
    {
        return Err(Problem::Operand {
            role: "the exponent",
            found: bad.to_string(),
            expected: "an integer from 0 to 64",
        });
    }
    let target = broadcast(&b.dims(x), &exponent.dims)?;
    let x = b.expand(x, &target)?;
    let degree = exponent.values().fold(0.0, f64::max) as u32;
    let uniform = exponent.uniform().is_some();
    let mut coefficients = Vec::new();
    for power in 0..=degree {
        let here = |e: f64| f64::from(u8::from(e == f64::from(power)));
        coefficients.push(if uniform {
            b.scalar(f64::from(u8::from(power == degree)))?
        } else {
            b.tensor(&exponent.name, &exponent.dims, || {
                exponent.values().map(here).collect()
            })?
        });
    }
    Ok(Value::Encrypted(b.polynomial(x, coefficients)?))
}

/// Sum of any number of operands.
pub(in crate::onnx) fn sum(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    total(b, call)
}

/// Mean of any number of operands.
pub(in crate::onnx) fn mean(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let factor = 1.0 / call.inputs.len().max(1) as f64;
    match total(b, call)? {
        Value::Encrypted(x) if factor != 1.0 => Ok(Value::Encrypted(times(b, x, factor)?)),
        Value::Known(c) => Ok(Value::Known(c.map(|v| v * factor))),
        other => Ok(other),
    }
}

/// The sum of all operands: constants first, then one sum of the encrypted ones.
fn total(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let (mut known, mut encrypted) = (None::<Constant>, Vec::new());
    let mut target = Vec::new();
    for i in 0..call.inputs.len().max(1) {
        let value = call.value(i, "an operand")?;
        target = if i == 0 {
            dims(b, value)
        } else {
            broadcast(&target, &dims(b, value))?
        };
        match value {
            Value::Encrypted(x) => encrypted.push(*x),
            Value::Known(c) => {
                known = match known {
                    None => Some(c.clone()),
                    Some(sum) => match fold::binary(b, &sum, c, |x, y| x + y)? {
                        Value::Known(sum) => Some(sum),
                        _ => None,
                    },
                }
            }
            Value::Finished(_) | Value::Integers { .. } | Value::Unavailable => {
                return Ok(Value::Unavailable);
            }
        }
    }
    let expanded: Result<Vec<_>, _> = encrypted.iter().map(|&x| b.expand(x, &target)).collect();
    match (expanded?.as_slice(), known) {
        ([], Some(c)) => Ok(Value::Known(c)),
        (terms, None) => Ok(Value::Encrypted(b.add(terms)?)),
        (terms, Some(c)) => {
            let sum = b.add(terms)?;
            shift(b, sum, &c, 1.0)
        }
    }
}
