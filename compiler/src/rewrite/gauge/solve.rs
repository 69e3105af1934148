//! Factors of cells that make polynomials monic: magnitudes first, then signs.
//!
//! Notation: `y = a x^d + ...` is monic when `|a| g(x)^d = |g(y)|` between every pair of cells it connects.
//!
//! # What a factor costs
//!
//! Rounding is as large for every stored value. One that is stored `g` times smaller than the model has it carries `g` times
//! the error: of `0.001 x^2 + 0.5 x`, made monic, `x` is stored 32 times smaller, and half of 32 errors are in the result. So
//! each equation has a *loss*, by how much the error of its result exceeds what it would be with all factors one:
//!
//! ```text
//! loss = sqrt((g(x) D)^2 + (g(x)^2 C2)^2 + (g(x)^4 C4)^2 + ..) / max(1, D), or g(y) / max(1, D) where that is more
//!        with D = sum of k |c[k]|, the slope around one, and Cq what the power x^q, rounded itself, is multiplied with
//!        or max(1, b^2 / 4a) / (16 g(y)) where that is more: weights after a value stored larger are smaller, and rounded as
//!        coarsely; of a x^2 + b x the square is stored, which lies b^2 / 4a from the result
//! ```
//!
//! Errors of channels add up in squares, so that of a polynomial is the root of the mean of squares. Those of `n` polynomials add
//! up, too, and the one with the largest loss is taken to be a fourth of the rest in importance: its loss is divided by
//! `sqrt(1 + (n - 1) / 4)`. What exceeds [`SPARE_LOSS`], for which operations have guard bits, is given to every operation as further
//! bits ([`Report::noise_bits`](super::super::Report::noise_bits)); a polynomial that is not monic takes a level instead. Solutions within
//! several limits of the loss are compared by the bits of modulus that both take.

use super::super::draft::{Draft, Place};
use super::super::field::Field;
use super::super::report::SPARE_LOSS;
use super::super::univariate::Univariate;
use super::TOLERANCE;
use super::cells::{Cell, Cells};
use std::collections::{BTreeMap, BTreeSet};

/// Factors outside this range and its inverse would move values out of any plaintext precision.
const MAX_FACTOR: f64 = (1u64 << 40) as f64;

/// The largest coefficient of a positive power in a monic polynomial.
const MAX_COEFFICIENT: f64 = 1024.0;

/// The most by which values may be stored larger than the model has them, by the slope around one: they take headroom.
const MAX_GROWTH: f64 = 64.0;

/// The loss of precision that guard bits of weights make up for.
const SPARE_WEIGHT_LOSS: f64 = 16.0;

/// Limits of the loss of single equations, of which the one that leads to the least modulus is taken.
const LIMITS: [f64; 7] = [4.0, 8.0, 16.0, 32.0, 64.0, 256.0, 1024.0];

/// About what a product with a leading coefficient takes of the modulus, in bits.
const LEVEL_BITS: f64 = 20.0;

/// The factors of cells, one where absent.
pub(super) struct Solution {
    pub(super) factors: BTreeMap<Cell, f64>,
    /// Polynomials whose leading coefficient becomes one in magnitude.
    pub(super) solved: BTreeSet<Place>,
    /// The solved polynomials that become monic, each with the name of the rule.
    pub(super) monic: BTreeMap<Place, &'static str>,
    /// By how much the errors of results exceed what they would be with all factors one.
    pub(super) loss: f64,
}

impl Solution {
    /// About the bits of modulus that it takes, beside those that any other one takes: `rescales` follow each other.
    fn bits(&self, rescales: u32) -> f64 {
        let further = (self.loss / SPARE_LOSS).max(1.0).log2().ceil();
        further * f64::from(rescales) - LEVEL_BITS * self.monic.len() as f64
    }
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
        self.terms[self.degree()]
    }

    fn degree(&self) -> usize {
        self.terms.len() - 1
    }

    /// The largest derivative for operands up to one.
    fn slope(&self) -> f64 {
        let terms = (0u32..).zip(&self.terms);
        terms.map(|(k, c)| f64::from(k) * c.abs()).sum()
    }

    /// The sum of the magnitudes of what the power `x^q` is multiplied with, `q` a power of two: coefficients up to the next one.
    fn share(&self, q: usize) -> f64 {
        let lower = self.terms.iter().take(self.degree().min(2 * q)).skip(q);
        lower.map(|c| c.abs()).sum()
    }

    /// By how much the error of the result exceeds what it would be with both factors one.
    fn loss(&self, gx: f64, gy: f64) -> f64 {
        let slope = self.slope();
        let powers = (1..)
            .map(|log| 1usize << log)
            .take_while(|&q| q < self.degree());
        let squares = powers.map(|q| (gx.powi(q as i32) * self.share(q)).powi(2));
        let operand = ((gx * slope).powi(2) + squares.sum::<f64>()).sqrt();
        let values = gy.max(operand) / slope.max(1.0);
        let stored = self.offset().max(1.0) / gy;
        values.max(stored / SPARE_WEIGHT_LOSS).max(1.0)
    }

    /// The loss of precision where the equation does not hold: the result is stored as others want it, and a power of an
    /// operand that is stored larger is multiplied with what is left of the polynomial, which is rounded as coarsely as ever.
    fn unsolved_loss(&self, gx: f64, gy: f64) -> f64 {
        let power = match self.degree() {
            0..=2 => 0,
            degree => 1 << (degree - 1).ilog2(),
        };
        let factor = gx.min(1.0).recip().powi(power);
        gy * factor / self.slope().max(1.0)
    }

    /// How far from the result the square lies that is stored in its place: the constant comes after the weights.
    fn offset(&self) -> f64 {
        match self.terms.as_slice() {
            [_, linear, leading] => linear * linear / (4.0 * leading.abs()),
            _ => 0.0,
        }
    }
}

/// A polynomial with its equations.
struct System {
    place: Place,
    degree: usize,
    equations: Vec<Equation>,
}

/// A polynomial whose equations hold.
struct Solved<'a> {
    place: Place,
    equations: &'a [Equation],
    rule: &'static str,
}

/// Factors that solve the equations of many candidates: of several limits of the loss those that lead to the least modulus.
/// `rescales` follow each other.
pub(super) fn solve(
    draft: &Draft,
    cells: &Cells,
    candidates: &[(Place, Univariate)],
    rescales: u32,
) -> Solution {
    let systems: Vec<System> = candidates
        .iter()
        .rev()
        .filter_map(|(place, polynomial)| {
            Some(System {
                place: *place,
                degree: polynomial.degree(),
                equations: equations(draft, cells, *place, polynomial)?,
            })
        })
        .collect();
    let mut best = within(cells, &systems, LIMITS[0]);
    for limit in LIMITS.into_iter().skip(1) {
        if best.monic.len() == candidates.len() {
            break;
        }
        let other = within(cells, &systems, limit);
        if other.bits(rescales) < best.bits(rescales) {
            best = other;
        }
    }
    best
}

/// Factors that solve as many systems as possible without more than a limit of loss, in their order.
fn within(cells: &Cells, systems: &[System], limit: f64) -> Solution {
    let mut magnitudes: BTreeMap<Cell, f64> = cells.pinned().map(|cell| (cell, 1.0)).collect();
    let (mut all, mut unsolved) = (Vec::new(), Vec::new());
    let (mut nonlinear, mut largest) = (0u32, 1.0f64);
    for system in systems {
        let mut trial = Trial {
            given: &magnitudes,
            new: BTreeMap::new(),
            forward: false,
            limit,
            squares: 0.0,
        };
        if system.equations.iter().all(|e| trial.solve(e).is_some()) {
            let rule = match (system.degree, trial.forward) {
                (1, true) => "absorb-scale-forward",
                (1, false) => "absorb-scale-backward",
                (_, true) => "absorb-leading-forward",
                (_, false) => "absorb-leading-backward",
            };
            let mean = trial.squares / system.equations.len().max(1) as f64;
            largest = largest.max(mean.sqrt());
            let new = trial.new;
            magnitudes.extend(new);
            all.push(Solved {
                place: system.place,
                equations: &system.equations,
                rule,
            });
        } else {
            unsolved.extend(&system.equations);
        }
        nonlinear += u32::from(system.degree > 1);
    }
    let factor = |cell| magnitudes.get(&cell).copied().unwrap_or(1.0);
    let losses = unsolved
        .iter()
        .map(|e| e.unsolved_loss(factor(e.x), factor(e.y)));
    let largest = losses.fold(largest, f64::max);
    let signs = signs(cells, &all);
    let sign = |cell: Cell| signs.get(&cell).copied().unwrap_or(1.0);
    let monic = all.iter().filter(|s| has_one_sign(s, sign));
    let monic = monic.map(|s| (s.place, s.rule));
    Solution {
        factors: magnitudes.iter().map(|(&c, g)| (c, g * sign(c))).collect(),
        solved: all.iter().map(|s| s.place).collect(),
        monic: monic.collect(),
        loss: largest / (1.0 + f64::from(nonlinear.saturating_sub(1)) / 4.0).sqrt(),
    }
}

/// Whether the leading coefficients of a system that was solved all come out with one sign.
fn has_one_sign(solved: &Solved<'_>, sign: impl Fn(Cell) -> f64) -> bool {
    let result = |e: &Equation| {
        let power = match e.degree().is_multiple_of(2) {
            true => 1.0,
            false => sign(e.x),
        };
        e.leading().signum() * power * sign(e.y)
    };
    let mut results = solved.equations.iter().map(result);
    let first = results.next();
    results.all(|other| Some(other) == first)
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
            let pair = (cells.cell(operand, flat), cells.cell(place, flat));
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
    /// The largest loss of an equation.
    limit: f64,
    /// Sum of the squares of all losses.
    squares: f64,
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
        let loss = equation.loss(gx, gy);
        self.squares += loss * loss;
        let kept = loss <= self.limit && equation.slope().max(1.0) <= MAX_GROWTH * gy;
        (moderate && kept).then_some(())
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
fn signs(cells: &Cells, all: &[Solved<'_>]) -> BTreeMap<Cell, f64> {
    let mut signs: BTreeMap<Cell, f64> = cells.pinned().map(|cell| (cell, 1.0)).collect();
    let equations = || all.iter().flat_map(|solved| solved.equations);
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
