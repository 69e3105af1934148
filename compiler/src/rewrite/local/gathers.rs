//! Gathers of gathers: a strided slice per axis and a padding are one movement of elements.

use super::super::draft::{Draft, Place};
use super::affine::{linear_op, shifted_bias};
use peregrine_ir::linear::{AxisMap, Gather, LinearKind, LinearMap};

/// `G (F x + b) + c` becomes `(G F) x + (G b + c)` for gathers `F` and `G`; `F x + b` may have other uses.
pub(super) fn merge_gathers(draft: &mut Draft, place: Place) -> Option<()> {
    let first = draft.operand(place)?;
    let ((f, _), (g, _)) = (draft.linear(first)?, draft.linear(place)?);
    let map = LinearMap {
        kind: LinearKind::Gather(composed(f, g)?),
        input: f.input.clone(),
        output: g.output.clone(),
    };
    map.check(&draft.tensors).ok()?;
    let shape = draft.items[place].shape.clone();
    let bias = shifted_bias(draft, place, &draft.bias(first))?;
    let name = format!("{}.bias", draft.name(place));
    let op = linear_op(draft, map, name, bias, &shape)?;
    let operands = draft.items[first].operands.clone();
    let item = draft.edit(place);
    (item.op, item.operands) = (op, operands);
    Some(())
}

/// The gather `g(f(x))`: axis `a` of `x` is driven through the axis of `f(x)` that drives it.
fn composed(f: &LinearMap, g: &LinearMap) -> Option<Gather> {
    let (LinearKind::Gather(inner), LinearKind::Gather(outer)) = (&f.kind, &g.kind) else {
        return None;
    };
    // An axis that drives nothing may repeat, but its zeros would be lost.
    let drives = |axis: usize| {
        inner
            .axes
            .iter()
            .any(|map| map.output_axis as usize == axis)
    };
    let mut idle = outer
        .axes
        .iter()
        .enumerate()
        .filter(|(axis, _)| !drives(*axis));
    if f.output != g.input || idle.any(|(_, map)| map.table.contains(&None)) {
        return None;
    }
    let axes = inner.axes.iter().map(|map| {
        let through = outer.axes.get(map.output_axis as usize)?;
        let source = |middle: &Option<u32>| *map.table.get((*middle)? as usize)?;
        Some(AxisMap {
            output_axis: through.output_axis,
            table: through.table.iter().map(source).collect(),
        })
    });
    Some(Gather {
        axes: axes.collect::<Option<Vec<AxisMap>>>()?,
    })
}
