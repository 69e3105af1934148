//! Move constants into the biases of linear operators: squares completed, constant terms away.
//!
//! A value may be stored as `v - t` with any `t` per element: linear operators before it subtract `t` from their bias,
//! those after it add `A t`. This is exact for every linear operator, pools and gathers included. Where padding cuts
//! windows `A t` depends on the position: such a constant stays before the operator, at the price of an addition.
//!
//! Squares are completed only where the shift is moderate: `(x + t)^2` is larger than `x^2 + 2 t x` by `t^2`, which the
//! biases after it take away again, but the rounding of their weights meets the large value. Without, it is a product of
//! `x` and `x + 2 t`, no deeper. So do constants of affine maps stay where before them they would be large.
//!
//! - *Before*: the operator that computes the value, or one solely used term of the sum that computes it.
//! - *After*: every user must absorb: a linear operator does, a reshape passes on, a sum lets a solely used linear
//!   operator among its other terms absorb, or passes on.

use super::MAX_SHIFT;
use super::draft::{Draft, Place};
use super::field::Field;
use super::image::{cuts, image};
use super::local::{Rule, linear_op};
use crate::tensor::Op;
use peregrine_ir::linear::{LinearKind, LinearMap};
use std::collections::BTreeMap;

/// Rules on single polynomials; they run when no factor moves any more.
#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule { name: "complete-square",       apply: complete_square },
    Rule { name: "shift-before",          apply: shift_before },
    Rule { name: "push-constant",         apply: push_constant },
];

/// `a x^2 + b x + c` becomes `a x^2 + (c - b^2 / 4a)` of `x + b / 2a`.
fn complete_square(draft: &mut Draft, place: Place) -> Option<()> {
    let polynomial = draft.polynomial(place)?;
    let (a, b) = (polynomial.coefficient(2), polynomial.coefficient(1));
    if polynomial.degree() != 2 || b.is_zero() {
        return None;
    }
    let shift = b.zip(&a, |b, a| b / (2.0 * a))?;
    is_moderate(&shift).then_some(())?;
    let removed = b.zip(&shift, |b, t| b * t / 2.0)?;
    let constant = polynomial.coefficient(0).zip(&removed, |c, r| c - r)?;
    let square = polynomial
        .with_coefficient(1, Field::scalar(0.0))?
        .with_coefficient(0, constant)?;
    let edits = before(draft, draft.operand(place)?, &shift)?;
    let op = draft.polynomial_op(place, &square)?;
    commit(draft, place, &edits)?;
    draft.edit(place).op = op;
    Some(())
}

/// Whether the squares of shifts, which weights round against, are within [`MAX_SHIFT`]: their errors add up in squares.
fn is_moderate(shift: &Field) -> bool {
    let fourth: f64 = shift.data().iter().map(|t| t.powi(4)).sum();
    let mean = fourth / shift.data().len().max(1) as f64;
    mean.sqrt() <= MAX_SHIFT && shift.all(|t| t.abs() <= MAX_SHIFT)
}

/// `a x + c` becomes `a x` of `x + c / a`.
fn shift_before(draft: &mut Draft, place: Place) -> Option<()> {
    let polynomial = draft.polynomial(place)?;
    let constant = polynomial.coefficient(0);
    if polynomial.degree() != 1 || constant.is_zero() {
        return None;
    }
    let shift = constant.zip(&polynomial.leading(), |c, a| c / a)?;
    shift.all(|t| t.abs() <= MAX_SHIFT).then_some(())?;
    let scale = polynomial.with_coefficient(0, Field::scalar(0.0))?;
    let edits = before(draft, draft.operand(place)?, &shift)?;
    let op = draft.polynomial_op(place, &scale)?;
    commit(draft, place, &edits)?;
    draft.edit(place).op = op;
    Some(())
}

/// The constant term of a polynomial moves into the biases after it, unless padding would make one number per channel
/// one per element there.
fn push_constant(draft: &mut Draft, place: Place) -> Option<()> {
    let polynomial = draft.polynomial(place)?;
    let constant = polynomial.coefficient(0);
    if polynomial.degree() == 0 || constant.is_zero() {
        return None;
    }
    let mut edits = Edits::new();
    after(draft, place, &constant, &mut edits)?;
    let without = polynomial.with_coefficient(0, Field::scalar(0.0))?;
    let op = draft.polynomial_op(place, &without)?;
    commit(draft, place, &edits)?;
    draft.edit(place).op = op;
    Some(())
}

/// What is added to the results of linear operators.
type Edits = BTreeMap<Place, Field>;

/// How to add `shift` to the value at `place`, which has one user.
fn before(draft: &Draft, place: Place, shift: &Field) -> Option<Edits> {
    let (linear, from) = (absorber(draft, place)?, &draft.items[place].shape);
    let shift = shift.reshaped(from, &draft.items[linear].shape)?;
    Some(Edits::from([(linear, shift)]))
}

/// The linear operator whose bias shifts the value at `place` and nothing else.
fn absorber(draft: &Draft, place: Place) -> Option<Place> {
    draft.sole_user(place)?;
    match draft.items[place].op {
        Op::Linear { .. } => Some(place),
        Op::Reshape => absorber(draft, draft.operand(place)?),
        Op::Add => absorbing_term(draft, place),
        Op::Input { .. } | Op::Polynomial(_) | Op::Multiply => None,
    }
}

/// The absorber of one term of a sum; one with weights, which has a bias anyway, rather than a pool or gather.
fn absorbing_term(draft: &Draft, sum: Place) -> Option<Place> {
    let operands = draft.items[sum].operands.iter();
    let absorbers: Vec<Place> = operands.filter_map(|&o| absorber(draft, o)).collect();
    let weighted = |&&p: &&Place| {
        draft
            .linear(p)
            .is_some_and(|(map, _)| map.weight().is_some())
    };
    let preferred = absorbers.iter().find(weighted);
    preferred.or(absorbers.first()).copied()
}

/// How to make up for taking `shift` away from the value at `place`.
fn after(draft: &Draft, place: Place, shift: &Field, edits: &mut Edits) -> Option<()> {
    if draft.is_output(place) {
        return None;
    }
    let shape = &draft.items[place].shape;
    let moved_to = |other: Place| shift.reshaped(shape, &draft.items[other].shape);
    for &user in draft.users(place) {
        match &draft.items[user].op {
            Op::Linear { map, .. } => {
                let shift = shift.reshaped(shape, &map.input)?;
                add(edits, user, through(draft, map, &shift)?)?;
            }
            Op::Reshape => after(draft, user, &moved_to(user)?, edits)?,
            Op::Add => match absorbing_term(draft, user) {
                Some(linear) => add(edits, linear, moved_to(linear)?)?,
                None => after(draft, user, &moved_to(user)?, edits)?,
            },
            Op::Input { .. } | Op::Polynomial(_) | Op::Multiply => return None,
        }
    }
    Some(())
}

/// `A c`, unless it takes more room than a bias should.
fn through(draft: &Draft, map: &LinearMap, shift: &Field) -> Option<Field> {
    if matches!(&map.kind, LinearKind::Conv2d(conv) if cuts(&conv.window, map)) {
        return None;
    }
    let moved = image(map, &draft.tensors, shift)?;
    moved.is_small(&map.output).then_some(moved)
}

fn add(edits: &mut Edits, place: Place, shift: Field) -> Option<()> {
    let sum = match edits.get(&place) {
        Some(other) => other.zip(&shift, |a, b| a + b)?,
        None => shift,
    };
    edits.insert(place, sum);
    Some(())
}

/// Adds to the biases, all or none; tensors are named after the polynomial at `by`.
fn commit(draft: &mut Draft, by: Place, edits: &Edits) -> Option<()> {
    let by = draft.name(by).to_owned();
    let mut ops = Vec::with_capacity(edits.len());
    for (&place, shift) in edits {
        let (map, bias) = draft.linear(place)?;
        let (map, shape) = (map.clone(), draft.items[place].shape.clone());
        let name = draft.tensor_name(bias, format!("{}.bias", draft.name(place)));
        let sum = shift.zip(&draft.bias(place), |t, b| t + b)?;
        ops.push((
            place,
            linear_op(draft, map, format!("{name}+{by}"), sum, &shape)?,
        ));
    }
    for (place, op) in ops {
        draft.edit(place).op = op;
    }
    Some(())
}
