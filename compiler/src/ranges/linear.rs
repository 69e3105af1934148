//! Ranges of linear operators: each result is extreme when every operand is at the end of its interval that suits it.

use super::interval::{Interval, Sum};
use super::planes::Planes;
use peregrine_ir::linear::{BoundMap, LinearMap, Window};
use peregrine_ir::{Shape, Tensor};
use rayon::prelude::*;

/// The intervals of the results of a map, for operands within `x`, of any shape with as many elements as the map takes.
pub(super) fn results(map: &BoundMap<'_>, x: &Planes) -> Planes {
    let shape = &map.map().output;
    let x = x.reshaped(&map.map().input);
    let [planes, h, w] = shape.chw();
    let size = h as usize * w as usize;
    let places = places(map.map(), size);
    let plane = |plane: usize| {
        let rows = places
            .iter()
            .map(|place| row(map, plane * size + place, &x));
        rows.reduce(Interval::hull).unwrap_or(Interval::ALL)
    };
    let found: Vec<Interval> = (0..planes as usize).into_par_iter().map(plane).collect();
    Planes::new(shape, |plane| found[plane])
}

/// The intervals of the sum of a tensor of this shape and a bias that broadcasts to it.
pub(super) fn with_bias(y: &Planes, bias: &Tensor, shape: &Shape) -> Planes {
    let bias = Planes::repeated(bias, shape);
    Planes::new(shape, |plane| {
        sum([y.intervals()[plane], bias.intervals()[plane]])
    })
}

/// The interval of a sum.
pub(super) fn sum(terms: impl IntoIterator<Item = Interval>) -> Interval {
    let mut sum = Sum::default();
    terms.into_iter().for_each(|term| sum.add(1.0, term));
    sum.interval()
}

/// The interval of one result.
fn row(map: &BoundMap<'_>, output: usize, x: &Planes) -> Interval {
    let mut sum = Sum::default();
    map.for_each_tap(output, |input, weight| sum.add(weight, x.at(input)));
    sum.interval()
}

/// Elements of a plane of `size` elements that stand for all: every element has an equal among them, with the same weights
/// on operands of the same channels.
fn places(map: &LinearMap, size: usize) -> Vec<usize> {
    let (Some(window), [.., h, w], [.., p, q]) =
        (map.window(), map.input.dims(), map.output.dims())
    else {
        return (0..size).collect();
    };
    let [rows, columns] = [(0, *h, *p), (1, *w, *q)].map(|axis| coordinates(window, axis));
    let places = rows.iter().flat_map(|row| {
        let columns = columns.iter();
        columns.map(move |column| *row as usize * *q as usize + *column as usize)
    });
    places.collect()
}

/// Coordinates along an axis that stand for all: those whose windows reach beyond the image, and one whose window does
/// not.
fn coordinates(window: &Window, (axis, input, output): (usize, u32, u32)) -> Vec<u32> {
    let last = window.kernel[axis].saturating_sub(1);
    let inside = |at: &u32| {
        let sees = |tap| window.input(axis, *at, tap, input).is_some();
        sees(0) && sees(last)
    };
    let first_inside = (0..output).find(inside);
    let outside = (0..output).filter(|at| !inside(at));
    outside.chain(first_inside).collect()
}
