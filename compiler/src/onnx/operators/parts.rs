//! Concat and Split.
#![deny(clippy::indexing_slicing)]

use super::row::{Client, Lowering, Operator};
use crate::onnx::build::{Builder, Call, Movement, Value, dims};
use crate::onnx::format::{Constant, Element, elements};
use crate::onnx::model::rank;
use crate::onnx::problems::Problem;

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    vec![
        Operator::encrypted_to_many("Split", split)
            .of_constants(Lowering::Many(split))
            .at_client(Client::Moves),
        Operator::any("Concat", concat),
    ]
}

/// Concat: every part put in its place among zeros, and the sum of them.
pub(in crate::onnx) fn concat(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let parts: Result<Vec<&Value>, _> = (0..call.inputs.len().max(1))
        .map(|i| call.value(i, "an operand"))
        .collect();
    let parts = parts?;
    let shapes: Vec<Vec<u32>> = parts.iter().map(|part| dims(b, part)).collect();
    let first = shapes.first().cloned().unwrap_or_default();
    let axis = rank::axis(call.int_or("axis", 1)?, first.len(), "axis")?;
    let extent = |dims: &[u32]| dims.get(axis).copied().unwrap_or(0);
    let with = |dims: &[u32], extent: u32| {
        let mut dims = dims.to_vec();
        dims.iter_mut().skip(axis).take(1).for_each(|d| *d = extent);
        dims
    };
    if let Some(other) = shapes.iter().find(|s| with(s, 0) != with(&first, 0)) {
        return Err(Problem::Mismatch {
            what: "an operand's shape",
            found: format!("{other:?}"),
            expected: format!("{first:?} but for axis {axis}"),
        });
    }
    let total = (shapes.iter()).fold(0u32, |sum, s| sum.saturating_add(extent(s)));
    let target = with(&first, total);
    b.check_size(&target)?;
    let entries = u64::from(total).saturating_mul(parts.len() as u64);
    b.spend(entries)?;
    let mut start = 0u32;
    let mut placed = Vec::new();
    for (part, shape) in parts.iter().zip(&shapes) {
        let range = start..start.saturating_add(extent(shape));
        let table = (0..total)
            .map(|i| range.contains(&i).then(|| i - range.start))
            .collect();
        start = range.end;
        if elements(shape) > 0 {
            placed.push((*part, Movement::along(shape, vec![(axis, table)])?));
        }
    }
    join(b, placed, &target)
}

/// The sum of parts that do not overlap.
fn join(b: &mut Builder, parts: Vec<(&Value, Movement)>, target: &[u32]) -> Result<Value, Problem> {
    let mut known: Option<(Constant, Vec<f64>)> = None;
    let mut encrypted = Vec::new();
    for (part, movement) in parts {
        match part {
            Value::Encrypted(_) => {
                if let Value::Encrypted(x) = b.moved(part, movement)? {
                    encrypted.push(x);
                }
            }
            Value::Known(c) => {
                b.spend(elements(target))?;
                let (_, sum) =
                    known.get_or_insert_with(|| (c.clone(), vec![0.0; elements(target) as usize]));
                for (sum, source) in sum.iter_mut().zip(movement.sources()) {
                    *sum = source.map_or(*sum, |i| c.at(i));
                }
            }
            Value::Finished(_) | Value::Integers { .. } | Value::Unavailable => {
                return Ok(Value::Unavailable);
            }
        }
    }
    let known = known.map(|(c, data)| Constant::new(c.name, c.element, target.to_vec(), data));
    match (encrypted.as_slice(), known) {
        ([], Some(c)) => Ok(Value::Known(c)),
        ([], None) => Ok(Value::Known(Constant::splat(
            "empty",
            Element::INT64,
            target.to_vec(),
            0.0,
        ))),
        (parts, None) => Ok(Value::Encrypted(b.add(parts)?)),
        (parts, Some(c)) => {
            let sum = b.add(parts)?;
            let coefficients = vec![b.weight(&c, target)?, b.scalar(1.0)?];
            Ok(Value::Encrypted(b.polynomial(sum, coefficients)?))
        }
    }
}

/// As many parts as the node has results, all as large as the first; the last may be smaller where `num_outputs` says how
/// many there are.
fn equal_parts(call: &Call, extent: u32, count: u32) -> Option<Vec<u32>> {
    let parts = match call.int("num_outputs").ok()? {
        Some(parts) => u32::try_from(parts).ok()?,
        None if extent.is_multiple_of(count.max(1)) => count,
        None => return None,
    };
    if parts != count || parts == 0 {
        return None;
    }
    let size = extent.div_ceil(parts);
    let part = |i: u32| extent.saturating_sub(i.saturating_mul(size)).min(size);
    Some((0..parts).map(part).collect())
}

/// Split into stated or equal parts.
pub(in crate::onnx) fn split(b: &mut Builder, call: &Call) -> Result<Vec<Value>, Problem> {
    let x = call.value(0, "the operand")?;
    let dims = dims(b, x);
    b.check_size(&dims)?;
    let axis = rank::axis(call.int_or("axis", 0)?, dims.len(), "axis")?;
    let extent = dims.get(axis).copied().unwrap_or(1);
    let count = call.node.output.len() as u32;
    let wrong = |found: String| Problem::Mismatch {
        what: "the split",
        found,
        expected: format!("{count} parts of {extent}"),
    };
    let stated = call.list("split", 1, "the split")?;
    if call.int("num_outputs")?.is_some() == stated.is_some() && call.opset >= 18 {
        return Err(Problem::Mismatch {
            what: "the split and `num_outputs`",
            found: if stated.is_some() {
                "both given"
            } else {
                "both missing"
            }
            .to_owned(),
            expected: "one of them".to_owned(),
        });
    }
    let sizes: Vec<u32> = match stated {
        Some(list) => (list.iter())
            .map(|&v| u32::try_from(v).map_err(|_| wrong(v.to_string())))
            .collect::<Result<_, _>>()?,
        None => {
            equal_parts(call, extent, count).ok_or_else(|| wrong("into other parts".to_owned()))?
        }
    };
    let total = sizes.iter().fold(0u32, |sum, s| sum.saturating_add(*s));
    if total != extent || sizes.len() != count as usize {
        return Err(wrong(format!("{sizes:?}")));
    }
    let mut start = 0;
    let mut parts = Vec::new();
    for (i, size) in sizes.iter().enumerate() {
        let table = (start..start + size).map(Some).collect();
        start += size;
        let used = call.outputs_used.get(i).copied().unwrap_or(false);
        parts.push(if used {
            b.moved(x, Movement::along(&dims, vec![(axis, table)])?)?
        } else {
            Value::Unavailable
        });
    }
    Ok(parts)
}
