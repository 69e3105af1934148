//! Inputs that are drawn where nobody gives samples: they show how large values become, and how precise outputs are.
//!
//! No single kind of image is like all others, so several are drawn within the range of the input: smooth ones as
//! photographs are from afar, noise, blocks of the extremes, and the extremes alone. The first [`JUDGED`] are those of ordinary
//! size, on which precision is judged. All of them come from a seed: the same model gives the same circuit.

use peregrine_compiler::ranges::Interval;
use peregrine_ir::Shape;
use peregrine_runtime::ports::{Array, Arrays};
use std::collections::BTreeMap;

/// What an input is taken to be within when nobody says so, the first for which values stay small enough. Images scaled to
/// 0..1 or -1..1 and normalised ones (mean 0, deviation 1) are all within the first.
pub(super) const ASSUMED: [Ends; 3] = [(-3.0, 3.0), (-1.0, 1.0), (-0.25, 0.25)];
/// How many of the samples are like ordinary inputs.
pub(super) const JUDGED: usize = 3;

/// Least and largest value.
pub(super) type Ends = (f64, f64);

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Smooth, over the part of the range that is 0..1, or all of it.
    Scaled,
    /// Smooth with a little noise, over the inner part of the range.
    Smooth,
    /// Uniform.
    Noise,
    /// Blocks of either end.
    Blocks,
    /// The least value everywhere.
    Low,
    /// The largest value everywhere.
    High,
}

const KINDS: [Kind; 6] = [
    Kind::Noise,
    Kind::Smooth,
    Kind::Scaled,
    Kind::Blocks,
    Kind::Low,
    Kind::High,
];

/// Most multiplications of all samples together, in the clear: some ten seconds. There is always one sample.
const MOST_WORK: u64 = 8_000_000_000;

/// Samples of all inputs within their ranges, those like ordinary inputs first; fewer where evaluating one takes `work`
/// multiplications that are many.
pub(super) fn samples(
    ports: &[(&str, &Shape)],
    ranges: &BTreeMap<String, Interval>,
    work: u64,
) -> Vec<Arrays> {
    let count = (MOST_WORK / work.max(1)).clamp(1, KINDS.len() as u64);
    let sample = |kind: Kind| {
        let port = |(at, &(name, shape)): (usize, &(&str, &Shape))| {
            let range = ranges.get(name).copied();
            let range = range.unwrap_or(Interval::point(0.0));
            let data = draw(kind, shape, range, &mut Stream::new(at as u64));
            Some((name.to_owned(), Array::new(shape.clone(), data).ok()?))
        };
        ports.iter().enumerate().filter_map(port).collect()
    };
    KINDS.into_iter().take(count as usize).map(sample).collect()
}

/// Values of one input.
fn draw(kind: Kind, shape: &Shape, range: Interval, stream: &mut Stream) -> Vec<f64> {
    let (low, high) = (range.min(), range.max());
    let between = |share: f64, (low, high): Ends| low + (high - low) * share;
    let count = shape.elements();
    match kind {
        Kind::Scaled => {
            let unit = if low <= 0.0 && high >= 1.0 {
                (0.0, 1.0)
            } else {
                (low, high)
            };
            let field = Field::new(shape, stream);
            (0..count).map(|i| between(field.at(i), unit)).collect()
        }
        Kind::Smooth => {
            // Between a tenth and nine tenths, with noise of a twentieth.
            let field = Field::new(shape, stream);
            let share = |i| 0.1 + 0.8 * field.at(i) + 0.1 * (stream.uniform() - 0.5);
            (0..count)
                .map(share)
                .map(|s| between(s, (low, high)))
                .collect()
        }
        Kind::Noise => (0..count)
            .map(|_| between(stream.uniform(), (low, high)))
            .collect(),
        Kind::Blocks => {
            let field = Field::new(shape, stream);
            let end = |i| if field.at(i) < 0.5 { low } else { high };
            (0..count).map(end).collect()
        }
        Kind::Low => vec![low; count],
        Kind::High => vec![high; count],
    }
}

/// A smooth function of the last two axes, for each index of the others: uniform values on a grid of [`Field::CELLS`] by as
/// many cells, and what lies linearly between. Where there are not two axes of pixels every value is drawn by itself.
struct Field {
    rows: usize,
    columns: usize,
    grid: Vec<f64>,
}

impl Field {
    const CELLS: usize = 4;
    const POINTS: usize = Self::CELLS + 1;

    fn new(shape: &Shape, stream: &mut Stream) -> Self {
        let dims = shape.dims();
        let (rows, columns) = match dims {
            [.., _, rows, columns] => (*rows as usize, *columns as usize),
            _ => (1, 1),
        };
        let planes = shape.elements() / (rows * columns).max(1);
        let points = planes * Self::POINTS * Self::POINTS;
        Self {
            rows,
            columns,
            grid: (0..points).map(|_| stream.uniform()).collect(),
        }
    }

    /// The value of an element, 0 to 1.
    fn at(&self, element: usize) -> f64 {
        let (pixels, points) = (self.rows * self.columns, Self::POINTS);
        let (plane, pixel) = (element / pixels.max(1), element % pixels.max(1));
        let place = |at: usize, extent: usize| {
            let place = (at as f64 + 0.5) / extent as f64 * Self::CELLS as f64;
            (place as usize, place.fract())
        };
        let (i, down) = place(pixel / self.columns.max(1), self.rows);
        let (j, right) = place(pixel % self.columns.max(1), self.columns);
        let point = |i: usize, j: usize| {
            let index = (plane * points + i) * points + j;
            self.grid.get(index).copied().unwrap_or(0.5)
        };
        let row = |i: usize| point(i, j) * (1.0 - right) + point(i, j + 1) * right;
        row(i) * (1.0 - down) + row(i + 1) * down
    }
}

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
struct Stream(u64);

impl Stream {
    fn new(stream: u64) -> Self {
        Self(stream.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// From 0 to 1.
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ x >> 31) as f64 / u64::MAX as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stay_in_their_range_reach_its_ends_and_are_the_same_again() {
        for dims in [&[1, 3, 9, 7][..], &[5], &[2, 3], &[1, 1, 1, 1]] {
            let shape = Shape::new(dims).unwrap();
            let range = Interval::new(-0.5, 2.5);
            let ranges = BTreeMap::from([("x".to_owned(), range)]);
            let drawn = samples(&[("x", &shape)], &ranges, 1);
            assert_eq!(drawn, samples(&[("x", &shape)], &ranges, 1));
            assert_eq!(drawn.len(), KINDS.len());
            assert_eq!(drawn[..1], samples(&[("x", &shape)], &ranges, u64::MAX));
            let hull = |sample: &Arrays| Interval::around(sample["x"].data()).unwrap();
            assert!(drawn.iter().all(|sample| range.contains(hull(sample))));
            let scaled = Interval::new(0.0, 1.0);
            assert!(scaled.contains(hull(&drawn[2])));
            let ends = hull(&drawn[4]).hull(hull(&drawn[5]));
            assert_eq!(ends, range);
        }
    }

    #[test]
    fn neighbouring_pixels_of_a_smooth_image_are_alike_and_those_of_noise_are_not() {
        let shape = Shape::new([1, 2, 32, 32]).unwrap();
        let ranges = BTreeMap::from([("x".to_owned(), Interval::new(0.0, 1.0))]);
        let drawn = samples(&[("x", &shape)], &ranges, 1);
        let step = |at: usize| {
            let data = drawn[at]["x"].data();
            let steps = data.windows(2).map(|pair| (pair[1] - pair[0]).abs());
            steps.sum::<f64>() / data.len() as f64
        };
        assert!(step(2) < 0.08 && step(0) > 0.25, "{} {}", step(2), step(0));
    }
}
