//! Element-wise functions of constants.
#![deny(clippy::indexing_slicing)]

use crate::onnx::build::{Builder, Call, Movement, Value, broadcast, functions};
use crate::onnx::format::{Constant, Element, elements};
use crate::onnx::problems::Problem;

/// `f` of two constants, broadcast.
pub(in crate::onnx) fn binary(
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

/// A function of one constant, as the client would apply it; its parameters may be constants too.
pub(in crate::onnx) fn unary(_: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.constant(0, "the operand")?;
    Ok(Value::Known(match call.node.op_type.as_str() {
        "Not" => x.map(|x| f64::from(u8::from(x == 0.0))),
        "Tanh" => x.map(f64::tanh),
        "Sigmoid" => x.map(|x| 1.0 / (1.0 + (-x).exp())),
        _ => {
            let function = functions::function(call)?.ok_or(Problem::Constants)?;
            x.map(|x| function.apply(x))
        }
    }))
}

/// A function of two numbers.
type Binary = fn(f64, f64) -> f64;

/// Operators of two and more constants; the last says whether the result is a truth value.
const SEVERAL: [(&str, Binary, bool); 11] = [
    ("Max", f64::max, false),
    ("Min", f64::min, false),
    ("Mod", |x, y| x - (x / y).floor() * y, false),
    ("Equal", |x, y| f64::from(u8::from(x == y)), true),
    ("Less", |x, y| f64::from(u8::from(x < y)), true),
    ("LessOrEqual", |x, y| f64::from(u8::from(x <= y)), true),
    ("Greater", |x, y| f64::from(u8::from(x > y)), true),
    ("GreaterOrEqual", |x, y| f64::from(u8::from(x >= y)), true),
    ("And", |x, y| x * y, true),
    ("Or", f64::max, true),
    ("Xor", |x, y| (x - y).abs(), true),
];

/// The operators that [`several`] evaluates.
pub(in crate::onnx) fn names_of_several() -> impl Iterator<Item = &'static str> {
    SEVERAL.iter().map(|(name, ..)| *name)
}

/// The function of an operator; the remainder may be truncated instead of floored.
fn function(op: &str, truncates: bool) -> Option<(Binary, bool)> {
    if op == "Mod" && truncates {
        return Some((|x, y| x % y, false));
    }
    let mut rows = SEVERAL.iter();
    let (_, function, truth) = rows.find(|(name, ..)| *name == op)?;
    Some((*function, *truth))
}

/// A function of two and more constants, from the left to the right.
pub(in crate::onnx) fn several(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let truncates = call.flag("fmod", false)?;
    let (f, truth) = function(&call.node.op_type, truncates).ok_or(Problem::Constants)?;
    let mut result = call.constant(0, "the first operand")?.clone();
    for i in 1..call.inputs.len() {
        let next = call.constant(i, "an operand")?;
        if let Value::Known(c) = binary(b, &result, next, f)? {
            result = c;
        }
    }
    if truth {
        result = result.with_element(Element::Bool);
    }
    Ok(Value::Known(result))
}

/// Where, with everything known.
pub(in crate::onnx) fn choose(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let condition = call.constant(0, "the condition")?;
    let (yes, no) = (call.constant(1, "a choice")?, call.constant(2, "a choice")?);
    let target = broadcast(&broadcast(&condition.dims, &yes.dims)?, &no.dims)?;
    b.spend(elements(&target))?;
    let expanded = |c: &Constant| -> Result<Constant, Problem> {
        Ok(Movement::expand(&c.dims, &target)?.apply(c, 0.0))
    };
    let (condition, left, right) = (expanded(condition)?, expanded(yes)?, expanded(no)?);
    let picked = |((c, y), n): ((f64, f64), f64)| if c != 0.0 { y } else { n };
    let data = (condition.values().zip(left.values()).zip(right.values())).map(picked);
    let name = if yes.len() >= no.len() {
        &yes.name
    } else {
        &no.name
    };
    let constant = Constant::new(name.clone(), yes.element, target.clone(), data.collect());
    Ok(Value::Known(constant))
}
