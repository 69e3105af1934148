//! Make polynomials monic by storing values in other units.
//!
//! Notation: every value `v` is stored as `v / g` with a factor `g` per element, the gauge. A polynomial
//! `y = a x^d + ...` becomes monic when `|a| g(x)^d = |g(y)|`; a product with a leading coefficient is a level saved.
//!
//! 1. Elements whose factors must agree form a cell ([`cells`]): the positions of a channel around a convolution, the
//!    operands and result of a sum, what a pool averages, both sides of a reshape. Inputs, outputs and the operands and
//!    results of products keep the factor one. Linear operators with weights separate cells: they absorb any factor.
//! 2. Polynomials are visited last to first. An equation with a free result is solved *forward*, `g(y) = a g(x)^d`
//!    (the leading coefficient moves into the weights after it); one with a given result is solved *backward*,
//!    `g(x) = |g(y) / a|^(1/d)` (it moves into the weights before it, the sign staying). Last to first, chains through
//!    residual sums are solved by roots, which keep factors near one; first to last they would be solved by powers.
//! 3. A polynomial with an equation that fails, or with a leading coefficient that is negligible somewhere, is left
//!    alone, and so are all if this makes no further polynomial monic or a weight would stop being finite.
//! 4. Weights, biases and coefficients are rewritten with the factors around them.
//!
//! Degree one is the same equation: what remains of an affine map is then a shift.
//!
//! Cost: O(elements * alpha) for cells, O(elements + weights) for the rest.

mod cells;

use super::draft::{Draft, Place};
use super::field::Field;
use super::local::linear_op;
use super::report::Report;
use super::scaling::{Factors, Scaled, scaled};
use super::univariate::Univariate;
use crate::tensor::Op;
use cells::{Cell, Cells};
use peregrine_ir::linear::LinearKind;
use std::collections::{BTreeMap, BTreeSet};

/// Factors outside this range and its inverse would move values out of any plaintext precision.
const MAX_FACTOR: f64 = (1u64 << 40) as f64;

/// Leading coefficients this near to one are one.
const TOLERANCE: f64 = 1e-9;

/// The factors of all cells, and the polynomials they make monic with the rule that did it.
struct Solution {
    factors: BTreeMap<Cell, f64>,
    monic: BTreeMap<Place, &'static str>,
}

/// Makes as many polynomials monic as the graph allows; says whether that changed anything.
pub(super) fn normalise(draft: &mut Draft, report: &mut Report) -> bool {
    let candidates: Vec<(Place, Univariate)> = draft
        .live()
        .into_iter()
        .filter_map(|place| Some((place, draft.polynomial(place)?)))
        .filter(|(_, p)| p.degree() >= 1 && p.has_sound_leading())
        .collect();
    let is_monic = |p: &Univariate| p.leading().all(|a| (a.abs() - 1.0).abs() <= TOLERANCE);
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
    let solution = solve(draft, &cells, &candidates);
    if solution.monic.len() <= before.len() {
        return false;
    }
    let Some(ops) = rewrite(draft, &cells, &solution) else {
        return false;
    };
    for (place, op) in ops {
        draft.items[place].op = op;
    }
    for (place, rule) in solution.monic.iter().filter(|(p, _)| !before.contains(p)) {
        report.record(rule, &draft.sources, draft.items[*place].source);
    }
    draft.refresh();
    true
}

/// Steps 2 and 3.
fn solve(draft: &Draft, cells: &Cells, candidates: &[(Place, Univariate)]) -> Solution {
    let mut solution = Solution {
        factors: cells.pinned().map(|cell| (cell, 1.0)).collect(),
        monic: BTreeMap::new(),
    };
    for (place, polynomial) in candidates.iter().rev() {
        let mut trial = Trial {
            factors: &solution.factors,
            new: BTreeMap::new(),
            forward: false,
        };
        let equations = equations(draft, cells, *place, polynomial);
        let degree = polynomial.degree();
        let solved = equations.is_some_and(|equations| {
            let mut all = equations.into_iter();
            all.all(|((x, y), a)| trial.solve(x, y, a, degree).is_some())
        });
        if solved {
            let rule = match (degree, trial.forward) {
                (1, true) => "absorb-scale-forward",
                (1, false) => "absorb-scale-backward",
                (_, true) => "absorb-leading-forward",
                (_, false) => "absorb-leading-backward",
            };
            let new = trial.new;
            solution.factors.extend(new);
            solution.monic.insert(*place, rule);
        }
    }
    solution
}

/// The leading coefficient between each pair of cells, or `None` when it differs inside a pair.
fn equations(
    draft: &Draft,
    cells: &Cells,
    place: Place,
    polynomial: &Univariate,
) -> Option<BTreeMap<(Cell, Cell), f64>> {
    let operand = draft.operand(place)?;
    let leading = polynomial.leading().expand(&draft.items[place].shape)?;
    let mut equations = BTreeMap::new();
    let mut last = None;
    for (flat, a) in leading.into_iter().enumerate() {
        let pair = (cells.of(operand, flat), cells.of(place, flat));
        if last != Some((pair, a)) {
            last = Some((pair, a));
            (*equations.entry(pair).or_insert(a) == a).then_some(())?;
        }
    }
    Some(equations)
}

/// Factors given so far, and those that one polynomial adds.
struct Trial<'a> {
    factors: &'a BTreeMap<Cell, f64>,
    new: BTreeMap<Cell, f64>,
    forward: bool,
}

impl Trial<'_> {
    /// Solves `|a| g(x)^d = |g(y)|` for what is not given yet; `None` when it cannot hold.
    fn solve(&mut self, x: Cell, y: Cell, a: f64, degree: usize) -> Option<()> {
        let power = degree as i32;
        match (self.get(x), self.get(y)) {
            (None, None) if x == y && degree == 1 => near(a.abs(), 1.0),
            (None, None) if x == y => self.set(x, signed_root(1.0 / a, degree - 1)),
            (None, None) => {
                self.set(x, 1.0)?;
                self.forward = true;
                self.set(y, a)
            }
            (Some(gx), None) => {
                self.forward = true;
                self.set(y, a * gx.powi(power))
            }
            (None, Some(gy)) => self.set(x, signed_root(gy / a, degree)),
            (Some(gx), Some(gy)) => near((a * gx.powi(power)).abs(), gy.abs()),
        }
    }

    fn get(&self, cell: Cell) -> Option<f64> {
        self.new.get(&cell).or(self.factors.get(&cell)).copied()
    }

    fn set(&mut self, cell: Cell, factor: f64) -> Option<()> {
        let sound = (1.0 / MAX_FACTOR..=MAX_FACTOR).contains(&factor.abs());
        sound.then(|| self.new.insert(cell, factor)).map(|_| ())
    }
}

fn near(a: f64, b: f64) -> Option<()> {
    ((a - b).abs() <= TOLERANCE * b).then_some(())
}

/// The root with the sign of `x` where there is one, of `|x|` otherwise.
fn signed_root(x: f64, degree: usize) -> f64 {
    let root = match degree {
        2 => x.abs().sqrt(),
        _ => x.abs().powf(1.0 / degree as f64),
    };
    if degree % 2 == 1 {
        root.copysign(x)
    } else {
        root
    }
}

/// Step 4: the operators that change, or `None` when a number would not be finite.
fn rewrite(draft: &mut Draft, cells: &Cells, solution: &Solution) -> Option<Vec<(Place, Op)>> {
    let mut ops = Vec::new();
    for place in draft.live() {
        let Some(operand) = draft.operand(place) else {
            continue;
        };
        let columns = factors(draft, cells, solution, operand);
        let rows = factors(draft, cells, solution, place);
        if rows.iter().chain(&columns).all(|&g| g == 1.0) {
            continue;
        }
        match &draft.items[place].op {
            Op::Linear { .. } => ops.push((place, rewrite_linear(draft, place, &rows, &columns)?)),
            Op::Polynomial(_) => {
                let monic = solution.monic.contains_key(&place);
                ops.push((
                    place,
                    rewrite_polynomial(draft, place, &rows, &columns, monic)?,
                ));
            }
            Op::Input { .. } | Op::Add | Op::Multiply | Op::Reshape => {}
        }
    }
    Some(ops)
}

fn factors(draft: &Draft, cells: &Cells, solution: &Solution, place: Place) -> Vec<f64> {
    (0..draft.items[place].shape.elements())
        .map(|flat| solution.factors.get(&cells.of(place, flat)).copied())
        .map(|factor| factor.unwrap_or(1.0))
        .collect()
}

fn rewrite_linear(draft: &mut Draft, place: Place, rows: &[f64], columns: &[f64]) -> Option<Op> {
    let (map, bias) = draft.linear(place)?;
    let (mut map, shape) = (map.clone(), draft.items[place].shape.clone());
    let inverse: Vec<f64> = rows.iter().map(|g| 1.0 / g).collect();
    let new_bias = draft
        .bias(place)
        .expand(&shape)?
        .iter()
        .zip(&inverse)
        .map(|(b, r)| b * r)
        .collect();
    let bias_name = draft.tensor_name(bias, String::new());
    if !matches!(map.kind, LinearKind::AveragePool(_) | LinearKind::Gather(_)) {
        let factors = Factors {
            rows: &inverse,
            columns,
        };
        if let Scaled::Weights(weight_shape, data) = scaled(&map, &draft.tensors, factors)? {
            let name = draft.tensor_name(map.weight(), String::new());
            let weight = draft.store_full(format!("{name}*gauge"), weight_shape, data)?;
            map = map.with_weight(weight);
        }
    }
    let bias = Field::compact(&shape, new_bias);
    linear_op(draft, map, format!("{bias_name}*gauge"), bias, &shape)
}

fn rewrite_polynomial(
    draft: &mut Draft,
    place: Place,
    rows: &[f64],
    columns: &[f64],
    monic: bool,
) -> Option<Op> {
    let shape = draft.items[place].shape.clone();
    let field = |g: &[f64]| Field::compact(&shape, g.to_vec());
    let polynomial = draft.polynomial(place)?;
    let mut polynomial = polynomial.rescaled(&field(columns), &field(rows))?;
    if monic {
        let degree = polynomial.degree();
        let unit = polynomial.leading().map(f64::signum);
        polynomial = polynomial.with_coefficient(degree, unit)?;
    }
    draft.polynomial_op(place, &polynomial)
}
