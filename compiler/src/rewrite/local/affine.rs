//! Affine maps `a x + c` with element-wise `a` and `c`, folded into the linear operators around them.

use super::super::MAX_SHIFT;
use super::super::draft::{Draft, Item, Place};
use super::super::field::Field;
use super::super::image::{cuts, image};
use super::super::scaling::{Factors, Scaled, scaled, takes_factors};
use super::super::univariate::Univariate;
use crate::tensor::Op;
use peregrine_ir::linear::{LinearKind, LinearMap};
use peregrine_ir::{Shape, Tensors};

/// `a (b x + c) + d` becomes `(a b) x + (a c + d)` where nothing else uses `b x + c`.
pub(super) fn fold_chain(draft: &mut Draft, place: Place) -> Option<()> {
    let (scale, shift) = affine(draft, place)?;
    let before = draft.operand(place)?;
    draft.sole_user(before)?;
    let (inner_scale, inner_shift) = affine(draft, before)?;
    let product = scale.zip(&inner_scale, |a, b| a * b)?;
    let sum = scale
        .zip(&inner_shift, |a, c| a * c)?
        .zip(&shift, |ac, d| ac + d)?;
    // A product may vanish or leave the range of numbers where the factors do not.
    if !product.all(|a| a.is_normal()) || !sum.all(f64::is_finite) {
        return None;
    }
    let op = draft.polynomial_op(place, &Univariate::new(vec![sum, product])?)?;
    let operands = draft.items[before].operands.clone();
    let item = draft.edit(place);
    (item.op, item.operands) = (op, operands);
    Some(())
}

/// `a (A x + b) + c` becomes `(a A) x + (a b + c)` where nothing else uses `A x + b`.
pub(super) fn fold_into_map_before(draft: &mut Draft, place: Place) -> Option<()> {
    let (scale, shift) = affine(draft, place)?;
    let linear = draft.operand(place)?;
    draft.sole_user(linear)?;
    let (map, bias) = draft.linear(linear)?;
    let (map, shape) = (map.clone(), draft.items[linear].shape.clone());
    let factors = Factors {
        rows: &scale,
        columns: &Field::scalar(1.0),
    };
    let by = draft.name(place).to_owned();
    let bias_name = draft.tensor_name(bias, format!("{}.bias", draft.name(linear)));
    let scaled_bias = draft.bias(linear).zip(&scale, |b, a| b * a)?;
    let new_bias = scaled_bias.zip(&shift, |b, c| b + c)?;
    let map = with_factors(draft, &map, factors, &by)?;
    let op = linear_op(draft, map, format!("{bias_name}*{by}"), new_bias, &shape)?;
    let operands = draft.items[linear].operands.clone();
    let item = draft.edit(place);
    (item.op, item.operands) = (op, operands);
    Some(())
}

/// `A (a x + c) + b` becomes `(A a) x + (A c + b)`; `a x + c` may have other uses.
///
/// Where padding cuts the windows of `A` and nothing else uses `a x + c`, it becomes `(A a) (x + c / a) + b` instead: one
/// number per channel is added before the map rather than one per element after it.
pub(super) fn fold_into_map_after(draft: &mut Draft, place: Place) -> Option<()> {
    let (map, bias) = draft.linear(place)?;
    let map = map.clone();
    let before = draft.operand(place)?;
    let (scale, shift) = affine(draft, before)?;
    let inner = draft.items[before].shape.clone();
    let own_shape = draft.items[place].shape.clone();
    let (left, pushed) = match draft.sole_user(before) {
        Some(_) if cuts_windows(&map) => split(&scale, &shift)?,
        _ => (Field::scalar(0.0), shift),
    };
    let (is_one, adds) = (scale.all(|a| a == 1.0), !left.is_zero());
    if is_one && adds && pushed.is_zero() {
        return None;
    }
    let new_bias = shifted_bias(draft, place, &pushed)?;
    // A shift costs no level where it is.
    if is_one && !new_bias.is_small(&own_shape) && draft.bias(place).is_small(&own_shape) {
        return None;
    }
    let factors = Factors {
        rows: &Field::scalar(1.0),
        columns: &scale.reshaped(&inner, &map.input)?,
    };
    let by = draft.name(before).to_owned();
    let bias_name = draft.tensor_name(bias, format!("{}.bias", draft.name(place)));
    let map = with_factors(draft, &map, factors, &by)?;
    let name = format!("{bias_name}+{by}");
    let op = linear_op(draft, map, name, new_bias, &own_shape)?;
    if adds {
        let shift = Univariate::new(vec![left, Field::scalar(1.0)])?;
        draft.edit(before).op = draft.polynomial_op(before, &shift)?;
    } else {
        draft.edit(place).operands = draft.items[before].operands.clone();
    }
    draft.edit(place).op = op;
    Some(())
}

/// Whether the map is a convolution with windows that padding cuts.
fn cuts_windows(map: &LinearMap) -> bool {
    matches!(&map.kind, LinearKind::Conv2d(conv) if cuts(&conv.window, map))
}

/// `c` of `a x + c` in two parts: `c / a` where that is moderate, and `c` elsewhere.
fn split(scale: &Field, shift: &Field) -> Option<(Field, Field)> {
    let before = |c: f64, a: f64| Some(c / a).filter(|t| t.abs() <= MAX_SHIFT);
    let left = shift.zip(scale, |c, a| before(c, a).unwrap_or(0.0))?;
    let pushed = shift.zip(scale, |c, a| before(c, a).map_or(c, |_| 0.0))?;
    Some((left.compacted(), pushed.compacted()))
}

/// `A (a x + c) + b` becomes `a' (A x) + (A c + b)` for pools and gathers, when `a` is constant on what each row of `A`
/// reads and nothing else uses `a x + c`. The factor is then nearer to an operator that takes it.
pub(super) fn move_after_map(draft: &mut Draft, place: Place) -> Option<()> {
    let (map, _) = draft.linear(place)?;
    if takes_factors(map) {
        return None;
    }
    let map = map.clone();
    let before = draft.operand(place)?;
    draft.sole_user(before)?;
    let (scale, shift) = affine(draft, before)?;
    let inner = draft.items[before].shape.clone();
    let outer = draft.items[place].shape.clone();
    let factors = through_rows(&map, &draft.tensors, &scale.reshaped(&inner, &map.input)?)?;
    let bias = shifted_bias(draft, place, &shift)?.compacted();
    let polynomial = Univariate::new(vec![bias, factors])?;
    let op = draft.polynomial_op(place, &polynomial)?;
    let moved = Item {
        op: Op::Linear { map, bias: None },
        shape: outer,
        source: draft.items[place].source,
        operands: draft.items[before].operands.clone(),
    };
    *draft.edit(before) = moved;
    draft.edit(place).op = op;
    Some(())
}

/// Scale and shift of a polynomial of degree one.
fn affine(draft: &Draft, place: Place) -> Option<(Field, Field)> {
    let polynomial = draft.polynomial(place)?;
    (polynomial.degree() == 1).then(|| (polynomial.coefficient(1), polynomial.coefficient(0)))
}

/// `A c + b` for the linear operator at `place`, `c` being a field of its operand.
pub(super) fn shifted_bias(draft: &Draft, place: Place, shift: &Field) -> Option<Field> {
    let (map, _) = draft.linear(place)?;
    let operand = &draft.items[draft.operand(place)?].shape;
    let moved = image(map, &draft.tensors, &shift.reshaped(operand, &map.input)?)?;
    moved.zip(&draft.bias(place), |a, b| a + b)
}

/// The map with factors in its weights, named after the node they came from.
fn with_factors(
    draft: &mut Draft,
    map: &LinearMap,
    factors: Factors<'_>,
    by: &str,
) -> Option<LinearMap> {
    match scaled(map, &draft.tensors, factors)? {
        Scaled::Same => Some(map.clone()),
        Scaled::Weights(shape, data) => {
            let name = draft.tensor_name(map.weight(), String::new());
            let weight = draft.store_full(format!("{name}*{by}"), shape, data)?;
            Some(map.with_weight(weight))
        }
    }
}

/// The linear operator with a bias in its smallest shape, or none when it vanishes.
pub(in super::super) fn linear_op(
    draft: &mut Draft,
    map: LinearMap,
    name: String,
    bias: Field,
    shape: &Shape,
) -> Option<Op> {
    let bias = bias.compacted();
    let bias = match (bias.is_zero(), bias.shape().broadcasts_to(shape)) {
        (true, _) => None,
        (false, true) => Some(draft.store(name, &bias)?),
        (false, false) => return None,
    };
    Some(Op::Linear { map, bias })
}

/// The factor of each row's result when the elements it reads share one; rows that read nothing take that of a
/// neighbour in their channel, so that a per-channel factor stays one.
fn through_rows(map: &LinearMap, tensors: &Tensors, factors: &Field) -> Option<Field> {
    if let &[all] = factors.data() {
        return Some(Field::scalar(all));
    }
    if let (LinearKind::AveragePool(_), Some(each)) = (&map.kind, factors.per_channel(&map.input)) {
        return Field::of_channels(each);
    }
    let bound = map.bind(tensors).ok()?;
    let factors = factors.expand(&map.input)?;
    let mut rows: Vec<Option<f64>> = Vec::with_capacity(map.output.elements());
    for output in 0..map.output.elements() {
        let (mut factor, mut agree) = (None, true);
        bound.for_each_tap(output, |input, _| {
            agree &= *factor.get_or_insert(factors[input]) == factors[input];
        });
        agree.then(|| rows.push(factor))?;
    }
    let [_, h, w] = map.output.chw();
    let filled = rows.chunks((h * w) as usize).flat_map(|channel| {
        let default = channel.iter().flatten().next().copied().unwrap_or(1.0);
        channel.iter().map(move |row| row.unwrap_or(default))
    });
    Some(Field::compact(&map.output, filled.collect()))
}
