//! Lines of a tensor along an axis, and functions of them.

use crate::shape::Shape;

/// The lines of a tensor along an axis.
pub(super) struct Lines {
    outer: usize,
    length: usize,
    inner: usize,
}

impl Lines {
    pub(super) fn new(shape: &Shape, axis: u32) -> Self {
        let (mut outer, mut length, mut inner) = (1, 1, 1);
        for (&dim, i) in shape.dims().iter().zip(0..) {
            let part = match axis.cmp(&i) {
                std::cmp::Ordering::Greater => &mut outer,
                std::cmp::Ordering::Equal => &mut length,
                std::cmp::Ordering::Less => &mut inner,
            };
            *part *= dim as usize;
        }
        Self {
            outer,
            length,
            inner,
        }
    }

    /// The index at which each line starts, in row-major order of the other axes.
    fn starts(&self) -> impl Iterator<Item = usize> + use<> {
        let (inner, block) = (self.inner, self.length * self.inner);
        (0..self.outer).flat_map(move |o| (0..inner).map(move |i| o * block + i))
    }

    /// The elements of the line that begins at the index `start`.
    fn line<'x>(&self, x: &'x [f64], start: usize) -> impl Iterator<Item = f64> + use<'x> {
        let line = x.iter().skip(start).step_by(self.inner.max(1));
        line.take(self.length).copied()
    }

    /// Replaces every line by its image under `f`.
    pub(super) fn map(&self, x: &mut [f64], f: fn(&mut [f64])) {
        for start in self.starts() {
            let mut line: Vec<f64> = self.line(x, start).collect();
            f(&mut line);
            let places = x.iter_mut().skip(start).step_by(self.inner.max(1));
            places.zip(line).for_each(|(x, y)| *x = y);
        }
    }

    /// Computes `factor x + offset` in place, with the factor and offset of the position in the line.
    pub(super) fn scale(&self, x: &mut [f64], factor: &[f64], offset: &[f64]) {
        for (i, chunk) in x.chunks_mut(self.inner.max(1)).enumerate() {
            let at = i % self.length.max(1);
            let (a, b) = (factor[at], offset[at]);
            chunk.iter_mut().for_each(|x| *x = a.mul_add(*x, b));
        }
    }

    /// The position of the best element of every line: none other is `better`.
    pub(super) fn best(&self, x: &[f64], better: impl Fn(f64, f64) -> bool) -> Vec<f64> {
        let best = |start| {
            let line = self.line(x, start).enumerate();
            let best = line.reduce(|best, next| if better(next.1, best.1) { next } else { best });
            best.map_or(0.0, |(i, _)| i as f64)
        };
        self.starts().map(best).collect()
    }
}

/// Subtracts the largest element and exponentiates, so that no exponential overflows and one is 1; returns the sum.
fn shift(line: &mut [f64]) -> f64 {
    let largest = line.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    line.iter_mut().for_each(|x| *x -= largest);
    line.iter().map(|x| x.exp()).sum()
}

pub(super) fn softmax(line: &mut [f64]) {
    let total = shift(line);
    line.iter_mut().for_each(|x| *x = x.exp() / total);
}

pub(super) fn log_softmax(line: &mut [f64]) {
    let total = shift(line).ln();
    line.iter_mut().for_each(|x| *x -= total);
}
