//! ReduceSum, ReduceMean, ReduceSumSquare.
#![deny(clippy::indexing_slicing)]

use super::pool::mean_of_image;
use super::row::Operator;
use crate::onnx::build::{Builder, Call, Movement, Value, dims};
use crate::onnx::format::{Constant, elements};
use crate::onnx::model::rank;
use crate::onnx::problems::Problem;
use peregrine_ir::linear::{Contract, LinearKind};
use petgraph::graph::NodeIndex;

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    vec![
        Operator::any("ReduceSum", sum),
        Operator::any("ReduceMean", mean),
        Operator::any("ReduceSumSquare", sum_square),
    ]
}

/// ReduceSum.
pub(in crate::onnx) fn sum(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.value(0, "the operand")?.clone();
    reduce(b, call, x, Kind::Sum)
}

/// ReduceMean.
pub(in crate::onnx) fn mean(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.value(0, "the operand")?.clone();
    reduce(b, call, x, Kind::Mean)
}

/// ReduceSumSquare: the sum of the squares.
pub(in crate::onnx) fn sum_square(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let squared = match call.value(0, "the operand")? {
        Value::Encrypted(x) => {
            let coefficients = vec![b.scalar(0.0)?, b.scalar(0.0)?, b.scalar(1.0)?];
            Value::Encrypted(b.polynomial(*x, coefficients)?)
        }
        Value::Known(c) => Value::Known(c.map(|v| v * v)),
        other => other.clone(),
    };
    reduce(b, call, squared, Kind::Sum)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sum,
    Mean,
}

fn reduce(b: &mut Builder, call: &Call, x: Value, kind: Kind) -> Result<Value, Problem> {
    let dims = dims(b, &x);
    let named = call.list("axes", 1, "the axes")?.unwrap_or_default();
    let (keep, noop) = (
        call.flag("keepdims", true)?,
        call.flag("noop_with_empty_axes", false)?,
    );
    if named.is_empty() && noop {
        return Ok(x);
    }
    let mut axes = if named.is_empty() {
        (0..dims.len()).collect()
    } else {
        rank::axes(&named, dims.len())?
    };
    axes.sort_unstable();
    let target: Vec<u32> = (dims.iter().enumerate())
        .filter(|(i, _)| keep || !axes.contains(i))
        .map(|(i, &d)| if axes.contains(&i) { 1 } else { d })
        .collect();
    let reduced = match &x {
        Value::Encrypted(node) => Value::Encrypted(encrypted(b, *node, &dims, (&axes, kind))?),
        Value::Known(c) => {
            b.spend(c.len())?;
            Value::Known(known(c, (&axes, kind), &target))
        }
        Value::Finished(_) | Value::Integers { .. } | Value::Unavailable => {
            return Ok(Value::Unavailable);
        }
    };
    b.reshaped(&reduced, &target)
}

/// The reduction as a product with a row of equal weights; axes that are not neighbours are brought together first.
fn encrypted(
    b: &mut Builder,
    x: NodeIndex,
    dims: &[u32],
    (axes, kind): (&[usize], Kind),
) -> Result<NodeIndex, Problem> {
    if kind == Kind::Mean && dims.len() == 4 && axes == [2, 3] {
        return mean_of_image(b, x);
    }
    let (first, last) = (axes.first().copied(), axes.last().copied());
    let (Some(first), Some(last)) = (first, last) else {
        return Ok(x);
    };
    if last - first + 1 != axes.len() {
        let kept = (0..dims.len()).filter(|i| !axes.contains(i));
        let order: Vec<usize> = kept.chain(axes.iter().copied()).collect();
        let movement = Movement::transpose(dims, &order)?;
        let dims = movement.output().to_vec();
        let moved = b.moved(&Value::Encrypted(x), movement)?;
        let axes: Vec<usize> = (dims.len() - axes.len()..dims.len()).collect();
        return match moved {
            Value::Encrypted(x) => encrypted(b, x, &dims, (&axes, kind)),
            _ => Ok(x),
        };
    }
    let part = |range: std::ops::Range<usize>| elements(dims.get(range).unwrap_or(&[])) as u32;
    let (outer, k, inner) = (
        part(0..first),
        part(first..last + 1),
        part(last + 1..dims.len()),
    );
    let weight = match kind {
        Kind::Sum => 1.0,
        Kind::Mean => 1.0 / f64::from(k),
    };
    let weight = b.tensor("ones", &[1, 1, k], || vec![weight; k as usize])?;
    let kind = LinearKind::Contract(Contract {
        weight,
        outer,
        groups: 1,
        rows: 1,
        m: 1,
        k,
        inner,
    });
    b.linear(kind, (x, dims), &[outer, 1, inner], None)
}

fn known(c: &Constant, (axes, kind): (&[usize], Kind), target: &[u32]) -> Constant {
    let kept: Vec<u32> = (c.dims.iter().enumerate())
        .map(|(i, &d)| if axes.contains(&i) { 1 } else { d })
        .collect();
    let mut sums = vec![0.0; elements(&kept) as usize];
    for (flat, value) in c.values().enumerate() {
        let (mut rest, mut index, mut stride) = (flat, 0, 1);
        for (&dim, &kept) in c.dims.iter().zip(&kept).rev() {
            let coordinate = rest % dim as usize;
            rest /= dim as usize;
            if kept == dim {
                index += coordinate * stride;
            }
            stride *= kept as usize;
        }
        if let Some(sum) = sums.get_mut(index) {
            *sum += value;
        }
    }
    let count = c.len() as f64 / (sums.len().max(1) as f64);
    if kind == Kind::Mean {
        sums.iter_mut().for_each(|s| *s /= count);
    }
    Constant::new(c.name.clone(), c.element, target.to_vec(), sums)
}
