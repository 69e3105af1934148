//! Interval arithmetic whose results hold in spite of rounding.

use serde::Serialize;

/// An interval: all numbers from `min` to `max`, which are finite, or [`Interval::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    min: f64,
    max: f64,
}

impl Interval {
    /// The interval of a value of which nothing is known, not even that it is a number.
    pub const ALL: Self = Self {
        min: f64::NEG_INFINITY,
        max: f64::INFINITY,
    };

    /// The interval from `min` to `max`; [`Self::ALL`] unless both are finite and in order.
    pub fn new(min: f64, max: f64) -> Self {
        match min <= max && min.is_finite() && max.is_finite() {
            true => Self { min, max },
            false => Self::ALL,
        }
    }

    /// The interval of one number; [`Self::ALL`] when it is not finite.
    pub fn point(x: f64) -> Self {
        Self::new(x, x)
    }

    /// The smallest interval that holds some values; [`Self::ALL`] when one is not finite, `None` for no values.
    pub fn around(values: &[f64]) -> Option<Self> {
        let points = values.iter().map(|&x| Self::point(x));
        points.reduce(Self::hull)
    }

    /// The lower end.
    pub fn min(self) -> f64 {
        self.min
    }

    /// The upper end.
    pub fn max(self) -> f64 {
        self.max
    }

    /// The largest magnitude in the interval.
    pub fn largest(self) -> f64 {
        self.min.abs().max(self.max.abs())
    }

    /// Whether the ends are finite.
    pub fn is_bounded(self) -> bool {
        self != Self::ALL
    }

    /// Whether all of `other` is in the interval.
    pub fn contains(self, other: Self) -> bool {
        self.min <= other.min && other.max <= self.max
    }

    /// The smallest interval that holds both.
    pub fn hull(self, other: Self) -> Self {
        Self::new(self.min.min(other.min), self.max.max(other.max))
    }

    /// The interval of products of a number in `self` and a number in `other`.
    pub fn product(self, other: Self) -> Self {
        let ends = [
            self.min * other.min,
            self.min * other.max,
            self.max * other.min,
            self.max * other.max,
        ];
        match Self::around(&ends) {
            Some(all) if self.is_bounded() && other.is_bounded() => {
                // No rounding changes the sign of a product.
                let wider = all.widened(rounding(1, all.largest()));
                wider.with_signs(all.min >= 0.0, all.max <= 0.0)
            }
            _ => Self::ALL,
        }
    }

    /// The interval of squares of numbers in it.
    pub fn square(self) -> Self {
        let (low, high) = (self.min * self.min, self.max * self.max);
        let touches_zero = self.min <= 0.0 && self.max >= 0.0;
        let least = if touches_zero { 0.0 } else { low.min(high) };
        let all = Self::new(least, low.max(high));
        let wider = all.widened(rounding(1, all.largest()));
        wider.with_signs(true, false)
    }

    /// The interval, wider by `slack` on both sides.
    pub(super) fn widened(self, slack: f64) -> Self {
        Self::new(self.min - slack, self.max + slack)
    }

    /// The interval without numbers of the wrong sign.
    pub(super) fn with_signs(self, not_negative: bool, not_positive: bool) -> Self {
        if !self.is_bounded() {
            return self;
        }
        let min = if not_negative {
            self.min.max(0.0)
        } else {
            self.min
        };
        let max = if not_positive {
            self.max.min(0.0)
        } else {
            self.max
        };
        Self::new(min, max)
    }
}

/// The error by rounding of `operations` in a row, here and in any other order, on numbers whose magnitudes add up to
/// `magnitude`.
pub(super) fn rounding(operations: usize, magnitude: f64) -> f64 {
    match magnitude == 0.0 {
        true => 0.0,
        false => operations as f64 * (2.0 * f64::EPSILON * magnitude + f64::MIN_POSITIVE),
    }
}

/// A sum of multiples of intervals, with a bound on rounding.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    min: f64,
    max: f64,
    magnitude: f64,
    operations: usize,
    has_negative: bool,
    has_positive: bool,
}

impl Sum {
    /// Adds `factor` times an interval.
    pub(super) fn add(&mut self, factor: f64, term: Interval) {
        let (a, b) = (factor * term.min, factor * term.max);
        self.min += a.min(b);
        self.max += a.max(b);
        self.magnitude += a.abs().max(b.abs());
        // Zero times infinity is lost in a minimum, not in a sum.
        if a.is_nan() || b.is_nan() {
            self.magnitude = f64::NAN;
        }
        self.operations += 2;
        self.has_negative |= a < 0.0 || b < 0.0;
        self.has_positive |= a > 0.0 || b > 0.0;
    }

    /// The interval of the sum.
    pub(super) fn interval(self) -> Interval {
        if !self.magnitude.is_finite() {
            return Interval::ALL;
        }
        let slack = rounding(self.operations, self.magnitude);
        let wider = Interval::new(self.min, self.max).widened(slack);
        wider.with_signs(!self.has_negative, !self.has_positive)
    }
}
