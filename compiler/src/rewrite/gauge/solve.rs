//! Factors of cells that make polynomials monic: magnitudes first, then signs.
//!
//! Notation: `y = a x^d + ...` is monic when `|a| g(x)^d = |g(y)|` between every pair of cells it connects.

use super::super::draft::{Draft, Place};
use super::super::field::Field;
use super::super::univariate::Univariate;
use super::TOLERANCE;
use super::cells::{Cell, Cells};
use std::collections::{BTreeMap, BTreeSet};

/// Factors outside this range and its inverse would move values out of any plaintext precision.
const MAX_FACTOR: f64 = (1u64 << 40) as f64;

/// The largest coefficient of a positive power in a monic polynomial.
const MAX_COEFFICIENT: f64 = 1024.0;

/// The factors of cells, one where absent.
pub(super) struct Solution {
    pub(super) factors: BTreeMap<Cell, f64>,
    /// Polynomials whose leading coefficient becomes one in magnitude.
    pub(super) solved: BTreeSet<Place>,
    /// Those of them that become monic, and how.
    pub(super) monic: BTreeMap<Place, &'static str>,
}

/// What a polynomial asks of two cells.
struct Equation {
    x: Cell,
    y: Cell,
    /// Magnitudes of the coefficients, by power; the leading one with its sign.
    terms: Vec<f64>,
}

impl Equation {
    fn leading(&self) -> f64 {
        self.terms.last().copied().unwrap_or(1.0)
    }

    fn degree(&self) -> usize {
        self.terms.len() - 1
    }
}

/// A polynomial whose equations hold.
struct Solved {
    place: Place,
    equations: Vec<Equation>,
    rule: &'static str,
}

/// Factors that solve the equations of as many candidates as possible, later ones first.
pub(super) fn solve(draft: &Draft, cells: &Cells, candidates: &[(Place, Univariate)]) -> Solution {
    let mut magnitudes: BTreeMap<Cell, f64> = cells.pinned().map(|cell| (cell, 1.0)).collect();
    let mut all = Vec::new();
    for (place, polynomial) in candidates.iter().rev() {
        let mut trial = Trial {
            given: &magnitudes,
            new: BTreeMap::new(),
            forward: false,
        };
        let Some(equations) = equations(draft, cells, *place, polynomial) else {
            continue;
        };
        if equations.iter().all(|e| trial.solve(e).is_some()) {
            let rule = match (polynomial.degree(), trial.forward) {
                (1, true) => "absorb-scale-forward",
                (1, false) => "absorb-scale-backward",
                (_, true) => "absorb-leading-forward",
                (_, false) => "absorb-leading-backward",
            };
            let new = trial.new;
            magnitudes.extend(new);
            all.push(Solved {
                place: *place,
                equations,
                rule,
            });
        }
    }
    let signs = signs(cells, &all);
    let sign = |cell: Cell| signs.get(&cell).copied().unwrap_or(1.0);
    let one_sign = |solved: &&Solved| {
        let result = |e: &Equation| {
            let power = if e.degree().is_multiple_of(2) {
                1.0
            } else {
                sign(e.x)
            };
            e.leading().signum() * power * sign(e.y)
        };
        let mut results = solved.equations.iter().map(result);
        let first = results.next();
        results.all(|other| Some(other) == first)
    };
    let monic = all.iter().filter(one_sign).map(|s| (s.place, s.rule));
    Solution {
        factors: magnitudes.iter().map(|(&c, g)| (c, g * sign(c))).collect(),
        solved: all.iter().map(|s| s.place).collect(),
        monic: monic.collect(),
    }
}

/// The equations of a polynomial, or `None` when its leading coefficient differs between two cells.
fn equations(
    draft: &Draft,
    cells: &Cells,
    place: Place,
    polynomial: &Univariate,
) -> Option<Vec<Equation>> {
    let operand = draft.operand(place)?;
    let shape = &draft.items[place].shape;
    let degree = polynomial.degree();
    let fields: Vec<Field> = (1..=degree).map(|k| polynomial.coefficient(k)).collect();
    let per_channel = |field: &Field| field.per_channel(shape).is_some();
    let channel = cells.channel_of_both(operand, place);
    let step = channel.filter(|_| fields.iter().all(per_channel));
    let mut by_pair: BTreeMap<(Cell, Cell), Vec<f64>> = BTreeMap::new();
    for (power, field) in (1..).zip(&fields) {
        let coefficients = match step {
            Some(_) => field.per_channel(shape)?,
            None => field.expand(shape)?,
        };
        let mut last = None;
        for (i, a) in coefficients.into_iter().enumerate() {
            let flat = i * step.unwrap_or(1);
            let pair = (cells.of(operand, flat), cells.of(place, flat));
            if last == Some((pair, a)) {
                continue;
            }
            last = Some((pair, a));
            let terms = by_pair.entry(pair).or_insert_with(|| vec![0.0; degree + 1]);
            if power < degree {
                terms[power] = terms[power].max(a.abs());
            } else if terms[power] == 0.0 || terms[power] == a {
                terms[power] = a;
            } else {
                return None;
            }
        }
    }
    let equations = by_pair.into_iter();
    Some(
        equations
            .map(|((x, y), terms)| Equation { x, y, terms })
            .collect(),
    )
}

/// Magnitudes given so far, and those that one polynomial adds.
struct Trial<'a> {
    given: &'a BTreeMap<Cell, f64>,
    new: BTreeMap<Cell, f64>,
    forward: bool,
}

impl Trial<'_> {
    /// Gives what is not given yet; `None` when the equation cannot hold, or would leave large coefficients.
    fn solve(&mut self, equation: &Equation) -> Option<()> {
        let (x, y, degree) = (equation.x, equation.y, equation.degree());
        let a = equation.leading().abs();
        match (self.get(x), self.get(y)) {
            (None, None) if x == y && degree == 1 => near(a, 1.0)?,
            (None, None) if x == y => self.set(x, root(1.0 / a, degree - 1))?,
            (None, None) => {
                self.set(x, root(1.0 / a, degree))?;
                self.set(y, 1.0)?;
            }
            (Some(gx), None) => {
                self.forward = true;
                self.set(y, a * gx.powi(degree as i32))?;
            }
            (None, Some(gy)) => self.set(x, root(gy / a, degree))?,
            (Some(gx), Some(gy)) => near(a * gx.powi(degree as i32), gy)?,
        }
        let (gx, gy) = (self.get(x).unwrap_or(1.0), self.get(y).unwrap_or(1.0));
        let mut lower = equation.terms.iter().enumerate().take(degree);
        let moderate = lower.all(|(k, c)| c * gx.powi(k as i32) <= MAX_COEFFICIENT * gy);
        moderate.then_some(())
    }

    fn get(&self, cell: Cell) -> Option<f64> {
        self.new.get(&cell).or(self.given.get(&cell)).copied()
    }

    fn set(&mut self, cell: Cell, factor: f64) -> Option<()> {
        let sound = (1.0 / MAX_FACTOR..=MAX_FACTOR).contains(&factor);
        sound.then(|| self.new.insert(cell, factor)).map(|_| ())
    }
}

/// Signs of cells, positive where absent. Even powers first: they decide the sign of their result whatever that of
/// their operand.
fn signs(cells: &Cells, all: &[Solved]) -> BTreeMap<Cell, f64> {
    let mut signs: BTreeMap<Cell, f64> = cells.pinned().map(|cell| (cell, 1.0)).collect();
    let equations = || all.iter().flat_map(|solved| &solved.equations);
    for e in equations().filter(|e| e.degree().is_multiple_of(2)) {
        signs.entry(e.y).or_insert(e.leading().signum());
    }
    for e in equations().filter(|e| !e.degree().is_multiple_of(2)) {
        let a = e.leading().signum();
        match (signs.get(&e.x).copied(), signs.get(&e.y).copied()) {
            (None, Some(y)) => signs.insert(e.x, a * y),
            (x, None) => signs.insert(e.y, a * x.unwrap_or(1.0)),
            (Some(_), Some(_)) => None,
        };
    }
    signs
}

fn near(a: f64, b: f64) -> Option<()> {
    ((a - b).abs() <= TOLERANCE * b).then_some(())
}

/// The positive root of a positive number.
fn root(x: f64, degree: usize) -> f64 {
    match degree {
        1 => x,
        2 => x.sqrt(),
        _ => x.powf(1.0 / degree as f64),
    }
}
