//! Affine maps `a x + c` with element-wise `a` and `c`, folded into the linear operators around them.

use super::super::draft::{Draft, Item, Place};
use super::super::field::Field;
use super::super::scaling::{Factors, Scaled, scaled};
use super::super::univariate::Univariate;
use crate::tensor::Op;
use peregrine_ir::linear::{LinearKind, LinearMap};
use peregrine_ir::{Shape, Tensors};

/// `a (A x + b) + c` becomes `(a A) x + (a b + c)` where nothing else uses `A x + b`.
pub(super) fn fold_into_map_before(draft: &mut Draft, place: Place) -> Option<()> {
    let (scale, shift) = affine(draft, place)?;
    let linear = draft.operand(place)?;
    draft.sole_user(linear)?;
    let (map, bias) = draft.linear(linear)?;
    let (map, shape) = (map.clone(), draft.items[linear].shape.clone());
    let rows = scale.expand(&shape)?;
    let columns = vec![1.0; map.input.elements()];
    let factors = Factors {
        rows: &rows,
        columns: &columns,
    };
    let by = draft.name(place).to_owned();
    let bias_name = draft.tensor_name(bias, format!("{}.bias", draft.name(linear)));
    let scaled_bias = draft.bias(linear).zip(&scale, |b, a| b * a)?;
    let new_bias = scaled_bias.zip(&shift, |b, c| b + c)?;
    let map = with_factors(draft, &map, factors, &by)?;
    let op = linear_op(draft, map, format!("{bias_name}*{by}"), new_bias, &shape)?;
    let operands = draft.items[linear].operands.clone();
    let item = &mut draft.items[place];
    (item.op, item.operands) = (op, operands);
    Some(())
}

/// `A (a x + c) + b` becomes `(A a) x + (A c + b)`; `a x + c` may have other uses.
pub(super) fn fold_into_map_after(draft: &mut Draft, place: Place) -> Option<()> {
    let (map, bias) = draft.linear(place)?;
    let map = map.clone();
    let before = draft.operand(place)?;
    let (scale, shift) = affine(draft, before)?;
    let shape = draft.items[before].shape.clone();
    let rows = vec![1.0; map.output.elements()];
    let columns = scale.expand(&shape)?;
    let factors = Factors {
        rows: &rows,
        columns: &columns,
    };
    let by = draft.name(before).to_owned();
    let bias_name = draft.tensor_name(bias, format!("{}.bias", draft.name(place)));
    let new_bias = shifted_bias(draft, place, &shift.expand(&shape)?)?;
    let own_shape = draft.items[place].shape.clone();
    let map = with_factors(draft, &map, factors, &by)?;
    let op = linear_op(
        draft,
        map,
        format!("{bias_name}+{by}"),
        new_bias,
        &own_shape,
    )?;
    let operands = draft.items[before].operands.clone();
    let item = &mut draft.items[place];
    (item.op, item.operands) = (op, operands);
    Some(())
}

/// `A (a x + c) + b` becomes `a' (A x) + (A c + b)` for pools and gathers, when `a` is constant on what each row of `A`
/// reads and nothing else uses `a x + c`. The factor is then nearer to an operator that takes it.
pub(super) fn move_after_map(draft: &mut Draft, place: Place) -> Option<()> {
    let (map, _) = draft.linear(place)?;
    if !matches!(map.kind, LinearKind::AveragePool(_) | LinearKind::Gather(_)) {
        return None;
    }
    let map = map.clone();
    let before = draft.operand(place)?;
    draft.sole_user(before)?;
    let (scale, shift) = affine(draft, before)?;
    let inner = draft.items[before].shape.clone();
    let outer = draft.items[place].shape.clone();
    let factors = through_rows(&map, &draft.tensors, &scale.expand(&inner)?, &outer)?;
    let bias = shifted_bias(draft, place, &shift.expand(&inner)?)?;
    let bias = Field::compact(&outer, bias.expand(&outer)?);
    let polynomial = Univariate::new(vec![bias, Field::compact(&outer, factors)])?;
    let op = draft.polynomial_op(place, &polynomial)?;
    let moved = Item {
        op: Op::Linear { map, bias: None },
        shape: outer,
        source: draft.items[place].source,
        operands: draft.items[before].operands.clone(),
    };
    draft.items[before] = moved;
    draft.items[place].op = op;
    Some(())
}

/// Scale and shift of a polynomial of degree one.
fn affine(draft: &Draft, place: Place) -> Option<(Field, Field)> {
    let polynomial = draft.polynomial(place)?;
    (polynomial.degree() == 1).then(|| (polynomial.coefficient(1), polynomial.coefficient(0)))
}

/// `A c + b` for the linear operator at `place`.
pub(super) fn shifted_bias(draft: &Draft, place: Place, shift: &[f64]) -> Option<Field> {
    let (map, _) = draft.linear(place)?;
    let bias = draft.bias(place);
    if shift.iter().all(|&c| c == 0.0) {
        return Some(bias);
    }
    let shape = &draft.items[place].shape;
    let moved = map.bind(&draft.tensors).ok()?.apply(shift);
    Field::compact(shape, moved).zip(&bias, |a, b| a + b)
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
    let bias = Field::compact(shape, bias.expand(shape)?);
    let bias = match bias.is_zero() {
        true => None,
        false => Some(draft.store(name, &bias)?),
    };
    Some(Op::Linear { map, bias })
}

/// The factor of each row's result when the elements it reads share one; rows that read nothing take that of a
/// neighbour in their channel, so that a per-channel factor stays one.
fn through_rows(
    map: &LinearMap,
    tensors: &Tensors,
    factors: &[f64],
    shape: &Shape,
) -> Option<Vec<f64>> {
    let bound = map.bind(tensors).ok()?;
    let mut rows: Vec<Option<f64>> = Vec::with_capacity(map.output.elements());
    for output in 0..map.output.elements() {
        let (mut factor, mut agree) = (None, true);
        bound.for_each_tap(output, |input, _| {
            agree &= *factor.get_or_insert(factors[input]) == factors[input];
        });
        agree.then(|| rows.push(factor))?;
    }
    let [_, h, w] = shape.chw();
    let filled = rows.chunks((h * w) as usize).flat_map(|channel| {
        let default = channel.iter().flatten().next().copied().unwrap_or(1.0);
        channel.iter().map(move |row| row.unwrap_or(default))
    });
    Some(filled.collect())
}
