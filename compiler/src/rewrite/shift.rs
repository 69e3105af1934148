//! Move constants into the biases of linear operators: squares completed, constant terms away.
//!
//! A value may be stored as `v - t` with any `t` per element: linear operators before it subtract `t` from their bias,
//! those after it add `A t`. This is exact for every linear operator, pools and gathers included; where padding cuts
//! windows the bias depends on the position.
//!
//! Squares are completed only where the shift is moderate: `(x + t)^2` is larger than `x^2 + 2 t x` by `t^2`, which the
//! biases after it take away again, but the rounding of their weights meets the large value.
//!
//! - *Before*: the operator that computes the value, or one solely used term of the sum that computes it.
//! - *After*: every user must absorb: a linear operator does, a reshape passes on, a sum lets a solely used linear
//!   operator among its other terms absorb, or passes on.

use super::draft::{Draft, Place};
use super::field::Field;
use super::local::{Rule, linear_op};
use crate::tensor::Op;
use std::collections::BTreeMap;

/// The largest shift that completes a square, in the units that make the polynomial monic: it costs weights four bits.
const MAX_SHIFT: f64 = 16.0;

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
    shift.all(|t| t.abs() <= MAX_SHIFT).then_some(())?;
    let removed = b.zip(&shift, |b, t| b * t / 2.0)?;
    let constant = polynomial.coefficient(0).zip(&removed, |c, r| c - r)?;
    let square = polynomial
        .with_coefficient(1, Field::scalar(0.0))?
        .with_coefficient(0, constant)?;
    let edits = before(draft, draft.operand(place)?, &shift)?;
    let op = draft.polynomial_op(place, &square)?;
    commit(draft, place, &edits)?;
    draft.items[place].op = op;
    Some(())
}

/// `a x + c` becomes `a x` of `x + c / a`.
fn shift_before(draft: &mut Draft, place: Place) -> Option<()> {
    let polynomial = draft.polynomial(place)?;
    let constant = polynomial.coefficient(0);
    if polynomial.degree() != 1 || constant.is_zero() {
        return None;
    }
    let shift = constant.zip(&polynomial.leading(), |c, a| c / a)?;
    shift.all(f64::is_finite).then_some(())?;
    let scale = polynomial.with_coefficient(0, Field::scalar(0.0))?;
    let edits = before(draft, draft.operand(place)?, &shift)?;
    let op = draft.polynomial_op(place, &scale)?;
    commit(draft, place, &edits)?;
    draft.items[place].op = op;
    Some(())
}

/// The constant term of a polynomial moves into the biases after it.
fn push_constant(draft: &mut Draft, place: Place) -> Option<()> {
    let polynomial = draft.polynomial(place)?;
    let constant = polynomial.coefficient(0);
    if polynomial.degree() == 0 || constant.is_zero() {
        return None;
    }
    let shift = constant.expand(&draft.items[place].shape)?;
    let mut edits = Edits::new();
    after(draft, place, &shift, &mut edits)?;
    let without = polynomial.with_coefficient(0, Field::scalar(0.0))?;
    let op = draft.polynomial_op(place, &without)?;
    commit(draft, place, &edits)?;
    draft.items[place].op = op;
    Some(())
}

/// What is added to the results of linear operators.
type Edits = BTreeMap<Place, Vec<f64>>;

/// How to add `shift` to the value at `place`, which has one user.
fn before(draft: &Draft, place: Place, shift: &Field) -> Option<Edits> {
    let full = shift.expand(&draft.items[place].shape)?;
    Some(Edits::from([(absorber(draft, place)?, full)]))
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
fn after(draft: &Draft, place: Place, shift: &[f64], edits: &mut Edits) -> Option<()> {
    if draft.is_output(place) {
        return None;
    }
    for &user in draft.users(place) {
        match &draft.items[user].op {
            Op::Linear { map, .. } => {
                let moved = map.bind(&draft.tensors).ok()?.apply(shift);
                add(edits, user, &moved);
            }
            Op::Reshape => after(draft, user, shift, edits)?,
            Op::Add => match absorbing_term(draft, user) {
                Some(linear) => add(edits, linear, shift),
                None => after(draft, user, shift, edits)?,
            },
            Op::Input { .. } | Op::Polynomial(_) | Op::Multiply => return None,
        }
    }
    Some(())
}

fn add(edits: &mut Edits, place: Place, shift: &[f64]) {
    let sum = edits.entry(place).or_insert_with(|| vec![0.0; shift.len()]);
    for (sum, t) in sum.iter_mut().zip(shift) {
        *sum += t;
    }
}

/// Adds to the biases, all or none; tensors are named after the polynomial at `by`.
fn commit(draft: &mut Draft, by: Place, edits: &Edits) -> Option<()> {
    let by = draft.name(by).to_owned();
    let mut ops = Vec::with_capacity(edits.len());
    for (&place, shift) in edits {
        let (map, bias) = draft.linear(place)?;
        let (map, shape) = (map.clone(), draft.items[place].shape.clone());
        let name = draft.tensor_name(bias, format!("{}.bias", draft.name(place)));
        let sum = Field::compact(&shape, shift.clone()).zip(&draft.bias(place), |t, b| t + b)?;
        ops.push((
            place,
            linear_op(draft, map, format!("{name}+{by}"), sum, &shape)?,
        ));
    }
    for (place, op) in ops {
        draft.items[place].op = op;
    }
    Some(())
}
