//! The range of a polynomial on an interval.
//!
//! The maximum is searched by bisection. Around the centre of a piece a polynomial is its quadratic part, whose maximum is
//! known, and a remainder, which is bounded term by term and shrinks with the third power of the length. Pieces that cannot
//! hold the maximum are dropped; the bound of those that could, when the number of steps is exhausted, is part of the answer,
//! which is therefore always safe.

use super::interval::{Interval, rounding};

/// How far an end may be too far out, as a share of the length of the answer.
const TOLERANCE: f64 = 1e-6;
/// The largest number of pieces that are looked at.
const PATIENCE: usize = 2000;
/// Points that are tried before pieces are.
const SAMPLES: usize = 16;
/// A magnitude above which sums of terms might overflow.
const TOO_LARGE: f64 = 1e290;

/// An interval that holds `c[0] + c[1] x + c[2] x^2 + ...` for all `x` in `domain`, computed in f64 in any order.
pub(super) fn range(c: &[f64], domain: Interval) -> Interval {
    let used = c.iter().rposition(|&c| c != 0.0).map_or(0, |last| last + 1);
    let c = &c[..used];
    let (&[constant, ..], degree) = (c, used.saturating_sub(1)) else {
        return Interval::point(0.0);
    };
    if degree == 0 {
        return Interval::point(constant);
    }
    let magnitude = c
        .iter()
        .rev()
        .fold(0.0, |sum, c| sum * domain.largest() + c.abs());
    if !domain.is_bounded() || magnitude.is_nan() || magnitude >= TOO_LARGE {
        return Interval::ALL;
    }
    let slack = rounding(2 * used * used, magnitude);
    let negated: Vec<f64> = c.iter().map(|c| -c).collect();
    let (min, max) = (
        -ExtremaSearch::new(&negated, domain, slack).maximum(),
        ExtremaSearch::new(c, domain, slack).maximum(),
    );
    let found = Interval::new(min, max).widened(slack);
    above_constant(c, found)
}

/// The interval, cut at the constant for a polynomial of a constant and even powers of one sign, which stays on one side of it
/// whatever the rounding.
fn above_constant(c: &[f64], found: Interval) -> Interval {
    let Some((&constant, rest)) = c.split_first() else {
        return found;
    };
    let even = rest.iter().step_by(2).all(|&c| c == 0.0);
    if even && rest.iter().all(|&c| c >= 0.0) {
        Interval::new(found.min().max(constant), found.max())
    } else if even && rest.iter().all(|&c| c <= 0.0) {
        Interval::new(found.min(), found.max().min(constant))
    } else {
        found
    }
}

/// A search for the maximum of a polynomial.
struct ExtremaSearch<'c> {
    c: &'c [f64],
    domain: Interval,
    tolerance: f64,
    /// The largest value that was found.
    attained: f64,
}

impl<'c> ExtremaSearch<'c> {
    fn new(c: &'c [f64], domain: Interval, slack: f64) -> Self {
        let length = domain.max() - domain.min();
        let at = |i: usize| value(c, domain.min() + length * (i as f64 / SAMPLES as f64));
        let samples = (0..=SAMPLES).map(at);
        let (low, high) = samples.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| {
            (low.min(y), high.max(y))
        });
        Self {
            c,
            domain,
            tolerance: slack.max(TOLERANCE * (high - low)),
            attained: high,
        }
    }

    /// An upper bound, hardly above the maximum.
    fn maximum(mut self) -> f64 {
        let mut pieces = vec![(self.domain.min(), self.domain.max())];
        let mut bound = f64::NEG_INFINITY;
        let mut patience = PATIENCE;
        while let Some((from, to)) = pieces.pop() {
            let (centre, radius) = (from + 0.5 * (to - from), 0.5 * (to - from));
            let piece = Piece::new(self.c, centre, radius);
            self.attained = self
                .attained
                .max(value(self.c, centre + radius * piece.place));
            patience = patience.saturating_sub(1);
            let settled = piece.bound <= self.attained + self.tolerance;
            if settled || patience == 0 || centre <= from || centre >= to {
                bound = bound.max(piece.bound);
            } else {
                pieces.extend([(from, centre), (centre, to)]);
            }
        }
        bound.max(self.attained)
    }
}

/// A polynomial on a piece of its domain.
struct Piece {
    /// An upper bound of the values.
    bound: f64,
    /// About the place of the maximum: -1 is the start of the piece, 1 its end.
    place: f64,
}

impl Piece {
    fn new(c: &[f64], centre: f64, radius: f64) -> Self {
        let terms = around(c, centre, radius);
        let term = |k: usize| terms.get(k).copied().unwrap_or(0.0);
        let quadratic = |t: f64| (term(2) * t + term(1)) * t + term(0);
        let vertex = -0.5 * term(1) / term(2);
        let inside = term(2) < 0.0 && vertex.abs() < 1.0;
        let place = match inside {
            true => vertex,
            false => term(1).signum(),
        };
        let rest = terms.iter().enumerate().skip(3);
        let rest = rest.map(|(k, &t)| if k % 2 == 0 { t.max(0.0) } else { t.abs() });
        let largest = [-1.0, 1.0, place].map(quadratic);
        let largest = largest.into_iter().fold(f64::NEG_INFINITY, f64::max);
        Self {
            bound: largest + rest.sum::<f64>(),
            place,
        }
    }
}

/// The coefficients of `c` as a polynomial in `t`, where `x = centre + radius t`.
fn around(c: &[f64], centre: f64, radius: f64) -> Vec<f64> {
    let mut terms = c.to_vec();
    for start in 0..terms.len() {
        for k in (start..terms.len() - 1).rev() {
            terms[k] += centre * terms[k + 1];
        }
    }
    let mut power = 1.0;
    for term in &mut terms {
        *term *= power;
        power *= radius;
    }
    terms
}

fn value(c: &[f64], x: f64) -> f64 {
    c.iter().rev().fold(0.0, |y, c| y * x + c)
}
