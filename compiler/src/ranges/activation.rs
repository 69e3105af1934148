//! Ranges of polynomial operators: of their results, and of what they compute on the way.

use super::interval::Interval;
use super::planes::Planes;
use super::polynomial::range;
use super::steps::Steps;
use crate::tensor::Polynomial;
use peregrine_ir::{Broadcast, Shape, Tensors};
use rayon::prelude::*;

/// A polynomial operator on a tensor.
pub(super) struct Activation<'g> {
    shape: &'g Shape,
    /// The values of each coefficient, constant first, and the map from elements of the tensor to them.
    coefficients: Vec<(&'g [f64], Broadcast)>,
    steps: Steps,
}

impl<'g> Activation<'g> {
    /// The polynomial on a tensor of `shape`; `None` where a coefficient does not broadcast to the shape: then nothing
    /// is known of its values.
    pub(super) fn new(p: &Polynomial, shape: &'g Shape, tensors: &'g Tensors) -> Option<Self> {
        let coefficients = p.coefficients().iter().map(|&id| {
            let tensor = &tensors[id];
            Some((tensor.data(), Broadcast::new(tensor.shape(), shape)?))
        });
        Some(Self {
            shape,
            coefficients: coefficients.collect::<Option<_>>()?,
            steps: Steps::of(p, shape, tensors),
        })
    }

    /// The intervals of the results for operands within `x`.
    pub(super) fn results(&self, x: &Planes) -> Planes {
        let found = self.each_plane(x, |element, domain| {
            let c = self
                .coefficients
                .iter()
                .map(|(data, broadcast)| data[broadcast.source(element)]);
            Some(range(&c.collect::<Vec<_>>(), domain))
        });
        Planes::new(self.shape, |plane| found[plane].unwrap_or(Interval::ALL))
    }

    /// The interval of what is computed between operand and result; `None` for a square.
    pub(super) fn steps(&self, x: &Planes) -> Option<Interval> {
        let found = self.each_plane(x, |element, domain| {
            let steps = self.steps.at(element).into_iter();
            let ranges = steps.map(|c| c.map_or(Interval::ALL, |c| range(&c, domain)));
            ranges.reduce(Interval::hull)
        });
        found.into_iter().flatten().reduce(Interval::hull)
    }

    /// Computes an interval for each plane: the hull over elements that stand for all of the plane.
    fn each_plane(
        &self,
        x: &Planes,
        of: impl Fn(usize, Interval) -> Option<Interval> + Sync,
    ) -> Vec<Option<Interval>> {
        let x = x.reshaped(self.shape);
        let [_, h, w] = self.shape.chw();
        let size = h as usize * w as usize;
        let runs = self.coefficients.iter().map(|(_, b)| b.run());
        let run = runs.min().unwrap_or(size).clamp(1, size);
        let planes = x.intervals().par_iter().enumerate();
        let planes = planes.map(|(plane, &domain)| {
            let elements = (0..size).step_by(run).map(|at| plane * size + at);
            let found = elements.filter_map(|element| of(element, domain));
            found.reduce(Interval::hull)
        });
        planes.collect()
    }
}
