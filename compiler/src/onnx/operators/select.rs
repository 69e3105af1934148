//! Choices by a known mask: Where of encrypted values, a sum of two products with 0 and 1.
#![deny(clippy::indexing_slicing)]

use super::row::{Lowering, Operator};
use crate::onnx::build::{Builder, Call, Value, broadcast, dims};
use crate::onnx::fold;
use crate::onnx::format::{Constant, Element};
use crate::onnx::problems::{Problem, unsupported};
use petgraph::graph::NodeIndex;

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    vec![Operator::encrypted("Where", choose).of_constants(Lowering::One(fold::choose))]
}

/// Where: the first choice where the condition holds, else the second.
pub(in crate::onnx) fn choose(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let condition = match call.value(0, "the condition")? {
        Value::Known(condition) => condition.clone(),
        _ => return Err(Problem::Operator(unsupported::reason("Where"))),
    };
    let (yes, no) = (call.value(1, "a choice")?, call.value(2, "a choice")?);
    let target = broadcast(&broadcast(&condition.dims, &dims(b, yes))?, &dims(b, no))?;
    let mask = |truth: bool| {
        let holds = move |x: f64| f64::from(u8::from((x != 0.0) == truth));
        condition.map(holds).with_element(Element::FLOAT32)
    };
    match (yes, no) {
        (Value::Known(_), Value::Known(_)) => fold::choose(b, call),
        (Value::Encrypted(x), Value::Known(c)) => {
            masked_or(b, *x, (&mask(true), &mask(false)), c, &target)
        }
        (Value::Known(c), Value::Encrypted(x)) => {
            masked_or(b, *x, (&mask(false), &mask(true)), c, &target)
        }
        (Value::Encrypted(x), Value::Encrypted(y)) => {
            let x = masked(b, *x, &mask(true), &target)?;
            let y = masked(b, *y, &mask(false), &target)?;
            Ok(Value::Encrypted(b.add(&[x, y])?))
        }
        _ => Err(Problem::OfClient),
    }
}

/// `mask * x`.
fn masked(
    b: &mut Builder,
    x: NodeIndex,
    mask: &Constant,
    target: &[u32],
) -> Result<NodeIndex, Problem> {
    let x = b.expand(x, target)?;
    let coefficients = vec![b.scalar(0.0)?, b.coefficient(mask)?];
    b.polynomial(x, coefficients)
}

/// `mask * x + other * c`; infinities that are not chosen do not count.
fn masked_or(
    b: &mut Builder,
    x: NodeIndex,
    (mask, other): (&Constant, &Constant),
    c: &Constant,
    target: &[u32],
) -> Result<Value, Problem> {
    let chosen = |m: f64, c: f64| if m == 0.0 { 0.0 } else { c };
    let x = b.expand(x, target)?;
    let constant = match fold::binary(b, other, c, chosen)? {
        Value::Known(constant) => b.coefficient(&constant.with_element(c.element))?,
        _ => return Ok(Value::Unavailable),
    };
    let coefficients = vec![constant, b.coefficient(mask)?];
    Ok(Value::Encrypted(b.polynomial(x, coefficients)?))
}
