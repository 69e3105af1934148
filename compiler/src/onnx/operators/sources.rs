//! Constants that come from nothing, and from shapes.
#![deny(clippy::indexing_slicing)]

use super::row::Operator;
use crate::onnx::build::{Builder, Call, Value, dims, extents};
use crate::onnx::format::{Constant, Element, NoExternalData, elements, tensor};
use crate::onnx::problems::Problem;

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    vec![
        Operator::encrypted("Constant", constant),
        Operator::any("ConstantOfShape", constant_of_shape),
        Operator::any("Shape", shape),
        Operator::any("Size", size),
        Operator::any("Range", range),
    ]
}

/// Constant, in any of its attributes.
pub(in crate::onnx) fn constant(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
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
        let mut constant = tensor::constant(proto, &NoExternalData).map_err(error)?;
        constant.name = name.into();
        constant.check_numbers()?;
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
pub(in crate::onnx) fn constant_of_shape(_: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let dims = extents(call, 0, "the shape")?;
    let name = call.node.output.first().map_or("", String::as_str);
    let (element, value) = match call.tensor("value")? {
        None => (Element::FLOAT32, 0.0),
        Some(proto) => {
            let error = |error| Problem::Read {
                name: name.to_owned(),
                error,
            };
            let constant = tensor::constant(proto, &NoExternalData).map_err(error)?;
            (constant.element, constant.at(0))
        }
    };
    Ok(Value::Known(Constant::splat(name, element, dims, value)))
}

/// Shape, possibly of some axes only.
pub(in crate::onnx) fn shape(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
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
pub(in crate::onnx) fn size(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
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
pub(in crate::onnx) fn range(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
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
