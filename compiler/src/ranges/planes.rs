//! Intervals for the planes of a tensor.

use super::interval::Interval;
use peregrine_ir::{Broadcast, Shape, Tensor};

/// An interval for each plane of a tensor: for each channel of an image, each element of a vector.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Planes {
    /// Elements of a plane; the elements of one plane follow each other.
    size: usize,
    intervals: Vec<Interval>,
}

impl Planes {
    /// The planes of a tensor of `shape`, with an interval for each.
    pub(super) fn new(shape: &Shape, interval: impl FnMut(usize) -> Interval) -> Self {
        let [planes, h, w] = shape.chw();
        let intervals = (0..planes as usize).map(interval).collect();
        Self {
            size: h as usize * w as usize,
            intervals,
        }
    }

    /// The extremes of the values of a tensor, plane by plane.
    pub(super) fn around(shape: &Shape, values: &[f64]) -> Self {
        let [_, h, w] = shape.chw();
        let mut planes = values.chunks(h as usize * w as usize);
        Self::new(shape, |_| {
            let plane = planes.next().and_then(Interval::around);
            plane.unwrap_or(Interval::ALL)
        })
    }

    /// The intervals of a tensor that is broadcast to `shape`.
    pub(super) fn repeated(tensor: &Tensor, shape: &Shape) -> Self {
        let [_, h, w] = shape.chw();
        let size = h as usize * w as usize;
        let broadcast = Broadcast::new(tensor.shape(), shape);
        let run = broadcast.as_ref().map_or(1, Broadcast::run).clamp(1, size);
        let value = |flat| {
            let source = broadcast.as_ref().map(|b| b.source(flat));
            // What does not repeat to the shape has no values there.
            source.map_or(Interval::ALL, |at| Interval::point(tensor.data()[at]))
        };
        Self::new(shape, |plane| {
            let values = (0..size).step_by(run).map(|at| value(plane * size + at));
            values.reduce(Interval::hull).unwrap_or(Interval::ALL)
        })
    }

    /// The interval of the element with index `flat`.
    pub(super) fn at(&self, flat: usize) -> Interval {
        self.intervals[flat / self.size]
    }

    /// The intervals in order.
    pub(super) fn intervals(&self) -> &[Interval] {
        &self.intervals
    }

    /// The hull of all intervals.
    pub(super) fn hull(&self) -> Interval {
        let all = self.intervals.iter().copied();
        all.reduce(Interval::hull).unwrap_or(Interval::ALL)
    }

    /// Widens the intervals to hold those of another tensor of this shape.
    pub(super) fn join(&mut self, other: &Self) {
        for (mine, other) in self.intervals.iter_mut().zip(&other.intervals) {
            *mine = mine.hull(*other);
        }
    }

    /// Takes over the bounded intervals of another tensor of this shape.
    pub(super) fn replace(&mut self, other: &Self) {
        for (mine, other) in self.intervals.iter_mut().zip(&other.intervals) {
            if other.is_bounded() {
                *mine = *other;
            }
        }
    }

    /// The intervals of the elements under other dimensions.
    pub(super) fn reshaped(&self, shape: &Shape) -> Self {
        let [_, h, w] = shape.chw();
        let size = h as usize * w as usize;
        Self::new(shape, |plane| {
            let (first, last) = (plane * size, (plane + 1) * size - 1);
            let met = (first / self.size)..=(last / self.size);
            let hull = self.intervals[met].iter().copied().reduce(Interval::hull);
            hull.unwrap_or(Interval::ALL)
        })
    }
}
