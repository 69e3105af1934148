//! Reshapes out of the way, identities away.

use super::super::draft::{Draft, Place};
use super::super::field::Field;
use super::super::univariate::Univariate;
use crate::tensor::Op;
use peregrine_ir::Shape;
use peregrine_ir::linear::{AxisMap, LinearKind, LinearMap};

/// A reshape of a reshape reads the first one's operand.
pub(super) fn reshape_of_reshape(draft: &mut Draft, place: Place) -> Option<()> {
    let before = reshape_operand(draft, place)?;
    let origin = reshape_operand(draft, before)?;
    draft.edit(place).operands = vec![origin];
    Some(())
}

/// A reshape to the same dimensions is its operand.
pub(super) fn drop_reshape(draft: &mut Draft, place: Place) -> Option<()> {
    let operand = reshape_operand(draft, place)?;
    let same = draft.items[operand].shape == draft.items[place].shape;
    same.then(|| draft.redirect(place, operand))
}

/// A linear operator reads elements by flat index: it needs no reshape before it. An element-wise factor does, for it
/// becomes a polynomial.
pub(super) fn reshape_into_map(draft: &mut Draft, place: Place) -> Option<()> {
    let (map, _) = draft.linear(place)?;
    if matches!(map.kind, LinearKind::Scale(_)) {
        return None;
    }
    let reshape = draft.operand(place)?;
    draft.edit(place).operands = vec![reshape_operand(draft, reshape)?];
    Some(())
}

/// `P(reshape x)` becomes `reshape P'(x)` where nothing else uses the reshape, so that `P` meets what computes `x`.
pub(super) fn reshape_after_polynomial(draft: &mut Draft, place: Place) -> Option<()> {
    let polynomial = draft.polynomial(place)?;
    let reshape = draft.operand(place)?;
    let origin = reshape_operand(draft, reshape)?;
    draft.sole_user(reshape)?;
    let inner = draft.items[origin].shape.clone();
    let moved = polynomial.reshaped(&draft.items[place].shape, &inner)?;
    let kept = draft.items[reshape].clone();
    draft.edit(reshape).shape = inner;
    draft.edit(reshape).source = draft.items[place].source;
    let Some(op) = draft.polynomial_op(reshape, &moved) else {
        *draft.edit(reshape) = kept;
        return None;
    };
    draft.edit(reshape).op = op;
    draft.edit(place).op = Op::Reshape;
    Some(())
}

/// `I x` is `x`, or a reshape of it where the dimensions have other names: gathers that move nothing, pools over one
/// element.
pub(super) fn drop_identity_map(draft: &mut Draft, place: Place) -> Option<()> {
    let operand = draft.operand(place)?;
    let (map, bias) = draft.linear(place)?;
    if bias.is_some() || !may_be_diagonal(map) {
        return None;
    }
    diagonal(draft, map)?.all(|x| x == 1.0).then_some(())?;
    if draft.items[operand].shape == draft.items[place].shape {
        draft.redirect(place, operand);
    } else {
        draft.edit(place).op = Op::Reshape;
    }
    Some(())
}

/// A linear operator that mixes no elements is a polynomial of degree one: per-channel 1x1 convolutions, factors.
pub(super) fn diagonal_map_to_polynomial(draft: &mut Draft, place: Place) -> Option<()> {
    let operand = draft.operand(place)?;
    let (map, _) = draft.linear(place)?;
    let shape: Shape = draft.items[place].shape.clone();
    if !may_be_diagonal(map) || draft.items[operand].shape != shape {
        return None;
    }
    let scale = diagonal(draft, map)?;
    let polynomial = Univariate::new(vec![draft.bias(place), scale])?;
    draft.edit(place).op = draft.polynomial_op(place, &polynomial)?;
    Some(())
}

/// Coefficients stored for more elements than they distinguish take a smaller shape.
pub(super) fn compact_coefficients(draft: &mut Draft, place: Place) -> Option<()> {
    let polynomial = draft.polynomial(place)?;
    let size = |p: &Univariate| {
        p.coefficients()
            .iter()
            .map(|c| c.data().len())
            .sum::<usize>()
    };
    let smaller = size(&polynomial.compacted()) < size(&polynomial);
    smaller.then_some(())?;
    draft.edit(place).op = draft.polynomial_op(place, &polynomial)?;
    Some(())
}

/// Whether the attributes allow a diagonal matrix; spares looking at the matrix of a large map.
fn may_be_diagonal(map: &LinearMap) -> bool {
    let single = |window: &peregrine_ir::linear::Window| window.kernel == [1, 1];
    map.input.elements() == map.output.elements()
        && match &map.kind {
            LinearKind::Conv2d(conv) => {
                let channels = map.input.dims().get(1).copied();
                single(&conv.window) && channels == Some(conv.groups)
            }
            LinearKind::AveragePool(pool) => single(&pool.window),
            LinearKind::Contract(contract) => contract.m == 1 && contract.k == 1,
            _ => true,
        }
}

/// The diagonal of a square matrix without other entries, a field of the map's output.
fn diagonal(draft: &Draft, map: &LinearMap) -> Option<Field> {
    match &map.kind {
        LinearKind::Scale(scale) => {
            let weight = draft.tensors.get(scale.weight)?;
            return Some(Field::from_tensor(weight).compacted());
        }
        LinearKind::Gather(gather) => {
            let stays = |(axis, own): (&AxisMap, u32)| {
                let moves = axis.table.iter().zip(0..).any(|(j, i)| *j != Some(i));
                axis.output_axis == own && !moves
            };
            let same = map.input == map.output && gather.axes.iter().zip(0..).all(stays);
            if same {
                return Some(Field::scalar(1.0));
            }
        }
        _ => {}
    }
    let bound = map.bind(&draft.tensors).ok()?;
    let mut diagonal = Vec::with_capacity(map.output.elements());
    for output in 0..map.output.elements() {
        let (mut entry, mut own) = (0.0, true);
        bound.for_each_tap(output, |input, weight| {
            own &= input == output;
            entry += weight;
        });
        own.then(|| diagonal.push(entry))?;
    }
    Some(Field::compact(&map.output, diagonal))
}

/// The operand of a reshape.
fn reshape_operand(draft: &Draft, place: Place) -> Option<Place> {
    match draft.items[place].op {
        Op::Reshape => draft.operand(place),
        _ => None,
    }
}
