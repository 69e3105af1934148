//! Operators that rename dimensions or do nothing: Reshape, Flatten, Squeeze, Unsqueeze, Identity, Dropout, Cast.
#![deny(clippy::indexing_slicing)]

use super::row::{Client, Operator};
use crate::onnx::build::{Base, Builder, Call, Finished, Value, dims};
use crate::onnx::format::{Element, elements};
use crate::onnx::model::rank;
use crate::onnx::problems::{Problem, unsupported};

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    vec![
        Operator::any("Identity", identity).at_client(Client::Keeps),
        Operator::any("Dropout", dropout).at_client(Client::Keeps),
        Operator::any("Reshape", reshape).at_client(Client::Keeps),
        Operator::any("Flatten", flatten).at_client(Client::Keeps),
        Operator::any("Squeeze", squeeze).at_client(Client::Keeps),
        Operator::any("Unsqueeze", unsqueeze).at_client(Client::Keeps),
        Operator::any("Cast", cast).at_client(Client::Keeps),
        Operator::any("CastLike", cast).at_client(Client::Keeps),
    ]
}

/// Identity.
pub(in crate::onnx) fn identity(_: &mut Builder, call: &Call) -> Result<Value, Problem> {
    Ok(call.value(0, "the operand")?.clone())
}

/// Dropout, which does nothing at inference; its mask has no meaning then.
pub(in crate::onnx) fn dropout(_: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let training = if call.opset < 7 {
        !call.flag("is_test", false)?
    } else {
        let mode = call.optional_constant(2, "the training mode")?;
        mode.is_some_and(|c| c.at(0) != 0.0)
    };
    if training {
        return Err(Problem::Attribute {
            name: if call.opset < 7 {
                "is_test"
            } else {
                "training_mode"
            },
            found: "set for training".to_owned(),
            supported: "inference",
        });
    }
    if let Some(ratio) = call.optional_constant(1, "the ratio")?
        && !(ratio.len() == 1 && (0.0..1.0).contains(&ratio.at(0)))
    {
        return Err(Problem::Operand {
            role: "the ratio",
            found: format!("{:?}", ratio.values().take(2).collect::<Vec<_>>()),
            expected: "one number of at least 0 and less than 1",
        });
    }
    Ok(call.value(0, "the operand")?.clone())
}

/// Flatten: everything before `axis` times everything after.
pub(in crate::onnx) fn flatten(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.value(0, "the operand")?;
    let dims = dims(b, x);
    let rank = dims.len() as i64;
    let axis = call.int_or("axis", 1)?;
    let from_front = if axis < 0 && call.opset >= 11 {
        axis.saturating_add(rank)
    } else {
        axis
    };
    if !(0..=rank).contains(&from_front) {
        return Err(Problem::Mismatch {
            what: "attribute `axis`",
            found: axis.to_string(),
            expected: format!("-{rank} to {rank}"),
        });
    }
    let (rows, columns) = dims.split_at((from_front as usize).min(dims.len()));
    b.reshaped(x, &[elements(rows) as u32, elements(columns) as u32])
}

/// Reshape: 0 keeps a dimension, -1 takes what is left.
pub(in crate::onnx) fn reshape(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.value(0, "the operand")?;
    let shape = call
        .constant(1, "the new shape")?
        .list_of_integers("the new shape")?;
    rank::check(shape.len())?;
    let dims = dims(b, x);
    let keep = !call.flag("allowzero", false)?;
    let impossible = || Problem::Mismatch {
        what: "the new shape",
        found: format!("{shape:?}"),
        expected: format!("one for {dims:?}"),
    };
    let mut target = Vec::with_capacity(shape.len());
    for (i, &dim) in shape.iter().enumerate() {
        target.push(match dim {
            0 if keep => dims.get(i).copied().ok_or_else(impossible)?,
            -1 => 1,
            _ => u32::try_from(dim).map_err(|_| impossible())?,
        });
    }
    if let Some(free) = shape.iter().position(|&dim| dim == -1) {
        let (total, rest) = (elements(&dims), elements(&target));
        let more = shape.iter().skip(free + 1).any(|&dim| dim == -1);
        if more || rest == 0 || !total.is_multiple_of(rest) {
            return Err(impossible());
        }
        if let Some(dim) = target.get_mut(free) {
            *dim = u32::try_from(total / rest).map_err(|_| impossible())?;
        }
    }
    b.reshaped(x, &target)
}

/// Squeeze: removes unit axes, all of them when none is named.
pub(in crate::onnx) fn squeeze(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.value(0, "the operand")?;
    let dims = dims(b, x);
    let named = match call.list("axes", 1, "the axes")? {
        Some(list) => Some(rank::axes(&list, dims.len())?),
        None => None,
    };
    let mut target = Vec::new();
    for (i, &dim) in dims.iter().enumerate() {
        let removed = named.as_ref().map_or(dim == 1, |axes| axes.contains(&i));
        if !removed {
            target.push(dim);
        } else if dim != 1 {
            return Err(Problem::Mismatch {
                what: "a squeezed axis",
                found: dim.to_string(),
                expected: "1".to_owned(),
            });
        }
    }
    b.reshaped(x, &target)
}

/// Unsqueeze: inserts unit axes at their places in the result.
pub(in crate::onnx) fn unsqueeze(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.value(0, "the operand")?;
    let dims = dims(b, x);
    let list = call
        .list("axes", 1, "the axes")?
        .ok_or(Problem::MissingOperand { role: "axes" })?;
    let rank = dims.len() + list.len();
    rank::check(rank)?;
    let axes = rank::axes(&list, rank)?;
    let mut rest = dims.iter();
    let target: Vec<u32> = (0..rank)
        .map(|i| {
            if axes.contains(&i) {
                1
            } else {
                rest.next().copied().unwrap_or(1)
            }
        })
        .collect();
    b.reshaped(x, &target)
}

/// Cast and CastLike: between floating-point types nothing changes; constants are converted.
pub(in crate::onnx) fn cast(_: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let target = if call.node.op_type == "CastLike" {
        match call.value(1, "the model of the type")? {
            Value::Known(c) => c.element,
            _ => Element::FLOAT32,
        }
    } else {
        let to = call.int_or("to", 0)?;
        Element::from_onnx(i32::try_from(to).unwrap_or(0))
    };
    let converts = match target {
        Element::Float(_) => |x: f64| x,
        Element::Integer { .. } => f64::trunc,
        Element::Bool => |x: f64| f64::from(u8::from(x != 0.0)),
        Element::Other(number) => {
            return Err(Problem::Attribute {
                name: "to",
                found: Element::Other(number).to_string(),
                supported: "floats, integers, bool",
            });
        }
    };
    match call.value(0, "the operand")? {
        Value::Known(c) if c.element.is_float() && !target.is_float() => {
            Ok(Value::Known(c.map(converts).with_element(target)))
        }
        Value::Known(c) => Ok(Value::Known(c.with_element(target))),
        Value::Encrypted(x) if target.is_float() => Ok(Value::Encrypted(*x)),
        Value::Finished(y) => {
            // Integers of an input are numbers from now on; positions stay integers.
            let of_input = matches!(y.base, Base::Input(_));
            let kept = match target {
                Element::Float(_) => of_input || !y.finish.gives_integers(),
                Element::Integer { bits, .. } => {
                    !of_input && y.finish.gives_integers() && bits >= 32
                }
                Element::Bool | Element::Other(_) => false,
            };
            if kept {
                return Ok(Value::Finished(Finished {
                    element: if of_input { target } else { y.element },
                    ..y.clone()
                }));
            }
            let to = target.to_string();
            Err(Problem::AfterDecryption { to })
        }
        _ => Err(Problem::Operator(unsupported::reason("Cast"))),
    }
}
