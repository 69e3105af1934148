//! Constant propagation: what exporters compute around shapes is computed here, before anything is encrypted.
//!
//! Operators that also work on encrypted values fold their constants themselves (a slice of a constant is a slice); this
//! module has those that only make sense on constants, and the element-wise arithmetic that the others share.
#![deny(clippy::indexing_slicing)]

use super::arithmetic::dims;
use super::builder::{Builder, broadcast};
use super::call::{Call, Value};
use super::constant::{Constant, elements};
use super::element::Element;
use super::external::NoExternalData;
use super::movement::Movement;
use super::moves::extents;
use super::problem::Problem;
use super::read;
use super::unsupported;

/// `f` of two constants, broadcast.
pub(super) fn binary(
    b: &mut Builder,
    x: &Constant,
    y: &Constant,
    f: impl Fn(f64, f64) -> f64,
) -> Result<Value, Problem> {
    let target = broadcast(&x.dims, &y.dims)?;
    if x.is_splat() && y.is_splat() {
        let value = f(x.at(0), y.at(0));
        let name = x.name.clone();
        return Ok(Value::Known(Constant::splat(
            name, x.element, target, value,
        )));
    }
    b.spend(elements(&target))?;
    let expanded = |c: &Constant| -> Result<Constant, Problem> {
        Ok(Movement::expand(&c.dims, &target)?.apply(c, 0.0))
    };
    let (left, right) = (expanded(x)?, expanded(y)?);
    let data = left.values().zip(right.values()).map(|(x, y)| f(x, y));
    // A constant of one element takes the name of the weight it meets.
    let name = if x.len() >= y.len() { &x.name } else { &y.name };
    let constant = Constant::new(name.clone(), x.element, target.clone(), data.collect());
    Ok(Value::Known(constant))
}

/// Constant, in any of its attributes.
pub(super) fn constant(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let name = call.node.output.first().map_or("", String::as_str);
    let single = |element, value| {
        Ok(Value::Known(Constant::new(
            name,
            element,
            vec![],
            vec![value],
        )))
    };
    if let Some(proto) = call.tensor("value")? {
        let error = |error| Problem::Read {
            name: name.to_owned(),
            error,
        };
        let mut constant = read::constant(proto, &NoExternalData).map_err(error)?;
        constant.name = name.into();
        constant.check_finite()?;
        return Ok(Value::Known(constant));
    }
    if let Some(value) = call.float("value_float")? {
        return single(Element::FLOAT32, value);
    }
    if let Some(value) = call.int("value_int")? {
        return single(Element::INT64, value as f64);
    }
    if let Some(list) = call.floats("value_floats")? {
        let data: Vec<f64> = list.iter().map(|&v| f64::from(v)).collect();
        let dims = vec![data.len() as u32];
        return Ok(Value::Known(Constant::new(
            name,
            Element::FLOAT32,
            dims,
            data,
        )));
    }
    if let Some(list) = call.ints("value_ints")? {
        b.spend(list.len() as u64)?;
        return Ok(Value::Known(Constant::list(name, list)));
    }
    Err(Problem::Attribute {
        name: "value",
        found: "missing or sparse or a string".to_owned(),
        supported: "value, value_float, value_floats, value_int, value_ints",
    })
}

/// ConstantOfShape; not expanded before it is used.
pub(super) fn constant_of_shape(_: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let dims = extents(call, 0, "the shape")?;
    let name = call.node.output.first().map_or("", String::as_str);
    let (element, value) = match call.tensor("value")? {
        None => (Element::FLOAT32, 0.0),
        Some(proto) => {
            let error = |error| Problem::Read {
                name: name.to_owned(),
                error,
            };
            let constant = read::constant(proto, &NoExternalData).map_err(error)?;
            (constant.element, constant.at(0))
        }
    };
    Ok(Value::Known(Constant::splat(name, element, dims, value)))
}

/// Shape, possibly of some axes only.
pub(super) fn shape(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let dims = operand_dims(b, call)?;
    let rank = dims.len() as i64;
    let bound = |v: i64| {
        let from_front = if v < 0 { v.saturating_add(rank) } else { v };
        from_front.clamp(0, rank) as usize
    };
    let start = bound(call.int_or("start", 0)?);
    let end = bound(call.int_or("end", rank)?);
    let list: Vec<i64> = (dims.iter().take(end).skip(start))
        .map(|&d| i64::from(d))
        .collect();
    Ok(Value::Known(Constant::list("shape", &list)))
}

/// Size: the number of elements.
pub(super) fn size(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let count = elements(&operand_dims(b, call)?);
    let constant = Constant::new("size", Element::INT64, vec![], vec![count as f64]);
    Ok(Value::Known(constant))
}

/// Dimensions of the first operand, of whatever type it is.
fn operand_dims(b: &Builder, call: &Call) -> Result<Vec<u32>, Problem> {
    match call.inputs.first() {
        Some(Some(value)) => Ok(dims(b, value)),
        _ => Err(Problem::MissingOperand {
            role: "the operand",
        }),
    }
}

/// Range.
pub(super) fn range(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let bound = |i, role| Ok::<_, Problem>(call.constant(i, role)?.at(0));
    let (start, limit) = (bound(0, "the start")?, bound(1, "the limit")?);
    let step = bound(2, "the step")?;
    let count = ((limit - start) / step).ceil().max(0.0);
    if !count.is_finite() {
        return Err(Problem::Operand {
            role: "the step",
            found: step.to_string(),
            expected: "a number other than 0",
        });
    }
    b.spend(count as u64)?;
    let element = call.constant(0, "the start")?.element;
    let data = (0..count as u32).map(|i| start + f64::from(i) * step);
    let constant = Constant::new("range", element, vec![count as u32], data.collect());
    Ok(Value::Known(constant))
}

/// Element-wise functions of one constant.
pub(super) fn unary_function(op: &str) -> Option<fn(f64) -> f64> {
    Some(match op {
        "Sqrt" => f64::sqrt,
        "Exp" => f64::exp,
        "Log" => f64::ln,
        "Reciprocal" => f64::recip,
        "Abs" => f64::abs,
        "Floor" => f64::floor,
        "Ceil" => f64::ceil,
        "Relu" => |x| x.max(0.0),
        "Not" => |x| f64::from(u8::from(x == 0.0)),
        _ => return None,
    })
}

/// Element-wise functions of two constants; the truth values say that the result is one.
pub(super) fn binary_function(op: &str) -> Option<(Binary, Truth)> {
    Some(match op {
        "Max" => (f64::max, Truth::No),
        "Min" => (f64::min, Truth::No),
        "Mod" => (f64::rem_euclid, Truth::No),
        "Equal" => (|x, y| f64::from(u8::from(x == y)), Truth::Yes),
        "Less" => (|x, y| f64::from(u8::from(x < y)), Truth::Yes),
        "Greater" => (|x, y| f64::from(u8::from(x > y)), Truth::Yes),
        "And" => (|x, y| x * y, Truth::Yes),
        "Or" => (f64::max, Truth::Yes),
        _ => return None,
    })
}

/// A function of two numbers.
type Binary = fn(f64, f64) -> f64;

/// Whether a function gives truth values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    No,
    Yes,
}

/// An element-wise function that is evaluated on constants only.
pub(super) fn elementwise(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let op = call.node.op_type.as_str();
    let mut constants = Vec::new();
    for i in 0..call.inputs.len() {
        match call.value(i, "an operand")? {
            Value::Known(c) => constants.push(c.clone()),
            _ => return Err(Problem::Operator(unsupported::reason(op))),
        }
    }
    match (
        constants.as_slice(),
        unary_function(op),
        binary_function(op),
    ) {
        ([x], Some(f), _) => Ok(Value::Known(x.map(f))),
        ([x], None, Some(_)) => Ok(Value::Known(x.clone())),
        ([first, rest @ ..], _, Some((f, truth))) => {
            let mut result = first.clone();
            for next in rest {
                if let Value::Known(c) = binary(b, &result, next, f)? {
                    result = c;
                }
            }
            if truth == Truth::Yes {
                result = result.with_element(Element::Bool);
            }
            Ok(Value::Known(result))
        }
        _ => Err(Problem::MissingOperand {
            role: "the first operand",
        }),
    }
}

/// Where, with everything known.
pub(super) fn choose(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let known = |i: usize| match call.value(i, "an operand")? {
        Value::Known(c) => Ok(c.clone()),
        _ => Err(Problem::Operator(unsupported::reason("Where"))),
    };
    let (condition, yes, no) = (known(0)?, known(1)?, known(2)?);
    let target = broadcast(&broadcast(&condition.dims, &yes.dims)?, &no.dims)?;
    b.spend(elements(&target))?;
    let expanded = |c: &Constant| -> Result<Constant, Problem> {
        Ok(Movement::expand(&c.dims, &target)?.apply(c, 0.0))
    };
    let (condition, left, right) = (expanded(&condition)?, expanded(&yes)?, expanded(&no)?);
    let picked = |((c, y), n): ((f64, f64), f64)| if c != 0.0 { y } else { n };
    let data = (condition.values().zip(left.values()).zip(right.values())).map(picked);
    let constant = Constant::new(yes.name, yes.element, target.clone(), data.collect());
    Ok(Value::Known(constant))
}
