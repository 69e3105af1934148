//! What is known of a tensor, plane by plane.

use super::interval::Interval;
use peregrine_ir::{Broadcast, Shape, Tensor};

/// An interval for each plane of a tensor: for each channel of an image, each element of a vector.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Planes {
    /// Elements of a plane; those of one plane follow each other.
    size: usize,
    intervals: Vec<Interval>,
}

impl Planes {
    /// By an interval for each plane of a tensor of `shape`.
    pub(super) fn new(shape: &Shape, interval: impl FnMut(usize) -> Interval) -> Self {
        let [planes, h, w] = shape.chw();
        let intervals = (0..planes as usize).map(interval).collect();
        Self {
            size: h as usize * w as usize,
            intervals,
        }
    }

    /// What some values of a tensor are, plane by plane.
    pub(super) fn around(shape: &Shape, values: &[f64]) -> Self {
        let [_, h, w] = shape.chw();
        let mut planes = values.chunks(h as usize * w as usize);
        Self::new(shape, |_| {
            let plane = planes.next().and_then(Interval::around);
            plane.unwrap_or(Interval::ALL)
        })
    }

    /// The values of a tensor that is repeated to `shape`.
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

    /// What element `flat` can be.
    pub(super) fn at(&self, flat: usize) -> Interval {
        self.intervals[flat / self.size]
    }

    /// The intervals in order.
    pub(super) fn intervals(&self) -> &[Interval] {
        &self.intervals
    }

    /// What any element can be.
    pub(super) fn hull(&self) -> Interval {
        let all = self.intervals.iter().copied();
        all.reduce(Interval::hull).unwrap_or(Interval::ALL)
    }

    /// What elements are in one or the other of two tensors of one shape.
    pub(super) fn join(&mut self, other: &Self) {
        for (mine, other) in self.intervals.iter_mut().zip(&other.intervals) {
            *mine = mine.hull(*other);
        }
    }

    /// Takes over the intervals of another tensor of this shape that have ends.
    pub(super) fn replace(&mut self, other: &Self) {
        for (mine, other) in self.intervals.iter_mut().zip(&other.intervals) {
            if other.is_bounded() {
                *mine = *other;
            }
        }
    }

    /// The same elements under other dimensions.
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
