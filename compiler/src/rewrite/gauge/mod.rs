//! Make polynomials monic by storing values in other units.
//!
//! Notation: every value `v` is stored as `v / g` with a factor `g` per element, the gauge. A polynomial
//! `y = a x^d + ...` becomes monic when `|a| g(x)^d = |g(y)|`; a product with a leading coefficient is a level saved.
//!
//! 1. Elements whose factors must agree form a cell ([`cells`]): the positions of a channel around a convolution, the
//!    operands and result of a sum, what a pool averages, both sides of a reshape. Inputs, outputs and the operands and
//!    results of products keep the factor one. Linear operators with weights separate cells: they absorb any factor.
//! 2. Magnitudes ([`solve`]): polynomials are visited last to first. When nothing is given yet the factor is taken
//!    *backward*, `g(x) = |a|^(-1/d)`, into the weights before the polynomial: the result keeps its range, and
//!    coefficients that fall with the power, as those of a fitted activation do, become moderate. When `g(x)` is given
//!    the equation is solved *forward*, `g(y) = |a| g(x)^d`; when `g(y)` is given, by roots. Last to first, chains
//!    through residual sums are solved by roots, which keep factors near one; first to last they would be solved by
//!    powers. Signs follow: an even power gives the result the sign of `a`, an odd one passes it either way.
//! 3. A polynomial is left alone when an equation fails, a leading coefficient is zero somewhere, or values would be stored
//!    so much smaller or larger that the precision lost takes more modulus than the level saved ([`solve`]). All
//!    are left alone when this makes no further polynomial monic or a weight would stop being finite.
//! 4. Weights, biases and coefficients are rewritten with the factors around them.
//!
//! Degree one is the same equation: what remains of an affine map is then a shift.
//!
//! Cost: O(weights) and O(channels), O(elements) where factors are per element.

mod cells;
mod solve;

use super::draft::{Draft, Place};
use super::field::Field;
use super::local::linear_op;
use super::report::Report;
use super::scaling::{Factors, Scaled, scaled, takes_factors};
use super::univariate::Univariate;
use crate::tensor::Op;
use cells::Cells;
use peregrine_ir::{SecondaryMap, Shape};
use solve::Solution;
use std::collections::BTreeSet;

/// Leading coefficients this near to one are one.
const TOLERANCE: f64 = 1e-9;

/// Makes as many polynomials monic as the graph allows; says whether that changed anything.
pub(super) fn normalise(draft: &mut Draft, report: &mut Report) -> bool {
    let candidates: Vec<(Place, Univariate)> = draft
        .live()
        .into_iter()
        .filter_map(|place| Some((place, draft.polynomial(place)?)))
        .filter(|(_, p)| p.degree() >= 1 && p.leading().all(|a| a != 0.0))
        .collect();
    let before: BTreeSet<Place> = candidates
        .iter()
        .filter(|(_, p)| is_monic(p))
        .map(|(place, _)| *place)
        .collect();
    if before.len() == candidates.len() {
        return false;
    }
    let Some(cells) = Cells::new(draft) else {
        return false;
    };
    let solution = solve::solve(draft, &cells, &candidates, rescales(draft));
    if solution.monic.len() <= before.len() {
        return false;
    }
    let Some(ops) = rewrite(draft, &cells, &solution) else {
        return false;
    };
    for (place, op) in ops {
        draft.edit(place).op = op;
    }
    for (place, rule) in solution.monic.iter().filter(|(p, _)| !before.contains(p)) {
        report.record(rule, &draft.sources, draft.items[*place].source);
    }
    draft.refresh();
    report.lose(solution.loss);
    true
}

/// About how many rescales follow each other on the longest path.
fn rescales(draft: &Draft) -> u32 {
    let mut depths = SecondaryMap::filled(&draft.items, 0u32);
    for place in draft.live() {
        let item = &draft.items[place];
        let own = match &item.op {
            Op::Linear { .. } | Op::Multiply => 1,
            Op::Polynomial(p) => Univariate::depth(p.degree()),
            Op::Input { .. } | Op::Add | Op::Reshape => 0,
        };
        let before = item.operands.iter().map(|&operand| depths[operand]).max();
        depths[place] = before.unwrap_or(0) + own;
    }
    depths.values().copied().max().unwrap_or(0)
}

/// Whether the leading coefficient is one, or minus one, everywhere.
fn is_monic(polynomial: &Univariate) -> bool {
    let leading = polynomial.leading();
    let all = |unit: f64| leading.all(|a| (a - unit).abs() <= TOLERANCE);
    all(1.0) || all(-1.0)
}

/// Step 4: the operators that change, or `None` when a number would not be finite.
fn rewrite(draft: &mut Draft, cells: &Cells, solution: &Solution) -> Option<Vec<(Place, Op)>> {
    let mut ops = Vec::new();
    for place in draft.live() {
        let Some(operand) = draft.operand(place) else {
            continue;
        };
        let columns = factors(draft, cells, solution, operand)?;
        let rows = factors(draft, cells, solution, place)?;
        if rows.all(|g| g == 1.0) && columns.all(|g| g == 1.0) {
            continue;
        }
        match &draft.items[place].op {
            Op::Linear { .. } => {
                let operand_shape = draft.items[operand].shape.clone();
                let columns = (&columns, &operand_shape);
                ops.push((place, rewrite_linear(draft, place, &rows, columns)?));
            }
            Op::Polynomial(_) => {
                let monic = solution.solved.contains(&place);
                let op = rewrite_polynomial(draft, place, &rows, &columns, monic)?;
                ops.push((place, op));
            }
            Op::Input { .. } | Op::Add | Op::Multiply | Op::Reshape => {}
        }
    }
    Some(ops)
}

/// The factors of a value, a field of its shape.
fn factors(draft: &Draft, cells: &Cells, solution: &Solution, place: Place) -> Option<Field> {
    let shape = &draft.items[place].shape;
    let factor = |cell| solution.factors.get(&cell).copied().unwrap_or(1.0);
    let each: Vec<f64> = cells.of_value(place).map(factor).collect();
    match each.len() == shape.elements() {
        true => Some(Field::compact(shape, each)),
        false => Field::along_channels(shape, each),
    }
}

fn rewrite_linear(
    draft: &mut Draft,
    place: Place,
    rows: &Field,
    (columns, operand): (&Field, &Shape),
) -> Option<Op> {
    let (map, bias) = draft.linear(place)?;
    let (mut map, shape) = (map.clone(), draft.items[place].shape.clone());
    let inverse = rows.map(|g| 1.0 / g);
    let new_bias = draft.bias(place).zip(&inverse, |b, r| b * r)?;
    let bias_name = draft.tensor_name(bias, String::new());
    if takes_factors(&map) {
        let factors = Factors {
            rows: &inverse,
            columns: &columns.reshaped(operand, &map.input)?,
        };
        if let Scaled::Weights(weight_shape, data) = scaled(&map, &draft.tensors, factors)? {
            let name = draft.tensor_name(map.weight(), String::new());
            let weight = draft.store_full(format!("{name}*gauge"), weight_shape, data)?;
            map = map.with_weight(weight);
        }
    }
    linear_op(draft, map, format!("{bias_name}*gauge"), new_bias, &shape)
}

fn rewrite_polynomial(
    draft: &mut Draft,
    place: Place,
    rows: &Field,
    columns: &Field,
    monic: bool,
) -> Option<Op> {
    let polynomial = draft.polynomial(place)?;
    let mut polynomial = polynomial.rescaled(columns, rows)?;
    if monic {
        let degree = polynomial.degree();
        let unit = polynomial.leading().map(f64::signum);
        polynomial = polynomial.with_coefficient(degree, unit)?;
    }
    draft.polynomial_op(place, &polynomial)
}
