//! Polynomials on intervals, steps of polynomials, rules. Whole graphs are tested in `tests/tests/whole/ranges.rs`.

use super::planes::Planes;
use super::polynomial::range;
use super::{Calibration, Interval, Limit, RangeError, Ranges, StatedPlanes};
use crate::tensor::{Graph, Node, Op, Output, Polynomial, Source, SourceId, Stated, StatedRange};
use peregrine_ir::{Shape, Tensor};
use petgraph::graph::NodeIndex;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn horner(c: &[f64], x: f64) -> f64 {
    c.iter().rev().fold(0.0, |y: f64, &c| y.mul_add(x, c))
}

/// The extremes over many points of an interval.
fn sampled(c: &[f64], domain: Interval) -> Interval {
    const POINTS: usize = 20_000;
    let length = domain.max() - domain.min();
    let at = |i| (domain.min() + length * (i as f64 / POINTS as f64)).min(domain.max());
    let values: Vec<f64> = (0..=POINTS).map(|i| horner(c, at(i))).collect();
    Interval::around(&values).unwrap()
}

fn coefficients() -> impl Strategy<Value = Vec<f64>> {
    let coefficient = prop_oneof![4 => -2.0..2.0f64, 1 => Just(0.0), 1 => Just(1.0)];
    prop::collection::vec(coefficient, 2..=9)
}

proptest! {
    #[test]
    fn polynomials_stay_in_their_ranges(c in coefficients(), a in -4.0..4.0f64, length in 0.0..6.0f64) {
        let domain = Interval::new(a, a + length);
        let (found, seen) = (range(&c, domain), sampled(&c, domain));
        prop_assert!(found.contains(seen), "{found:?} {seen:?}");
        let slack = 0.01 * (seen.max() - seen.min()) + 1e-9 * seen.largest();
        prop_assert!(seen.widened(slack).contains(found), "{found:?} {seen:?}");
    }

    #[test]
    fn products_and_squares_hold_what_they_should(a in -4.0..4.0f64, b in -4.0..4.0f64, la in 0.0..3.0f64, lb in 0.0..3.0f64, s in 0.0..1.0f64, t in 0.0..1.0f64) {
        let (x, y) = (Interval::new(a, a + la), Interval::new(b, b + lb));
        let (p, q) = ((a + s * la).min(x.max()), (b + t * lb).min(y.max()));
        prop_assert!(x.product(y).contains(Interval::point(p * q)));
        prop_assert!(x.square().contains(Interval::point(p * p)));
        prop_assert!(x.square().min() >= 0.0 && x.product(x).contains(x.square().hull(Interval::point(a * a))));
    }
}

#[test]
fn even_powers_are_exactly_not_negative() {
    let domain = Interval::new(-3.0, 5.0);
    assert_eq!(range(&[0.0, 0.0, 1.0], domain).min(), 0.0);
    assert_eq!(range(&[-7.0, 0.0, 0.3, 0.0, 0.1], domain).min(), -7.0);
    assert_eq!(range(&[0.5, 0.0, -0.3], domain).max(), 0.5);
}

#[test]
fn what_has_no_bound_is_everything() {
    assert_eq!(range(&[0.0, 1.0], Interval::ALL), Interval::ALL);
    assert_eq!(range(&[2.0, 0.0], Interval::ALL), Interval::point(2.0));
    assert_eq!(
        range(&[0.0, 0.0, 1.0], Interval::new(0.0, 1e200)),
        Interval::ALL
    );
    assert_eq!(Interval::ALL.product(Interval::point(0.0)), Interval::ALL);
    assert_eq!(Interval::ALL.square(), Interval::ALL);
    assert_eq!(Interval::new(1.0, f64::NAN), Interval::ALL);
    assert_eq!(Interval::around(&[1.0, f64::NAN, 2.0]), Some(Interval::ALL));
}

/// `y = c(x)` for a vector, coefficients by element where they differ, followed by its square.
fn activation(coefficients: &[[f64; 2]]) -> Graph {
    let mut graph = Graph::default();
    let shape = Shape::new([1, 2]).unwrap();
    let ids: Vec<_> = coefficients
        .iter()
        .map(|c| {
            let tensor = Tensor::new("c", Shape::new([2]).unwrap(), c.to_vec()).unwrap();
            graph.tensors.push(tensor)
        })
        .collect();
    let polynomial = Polynomial::new(ids, &shape, &graph.tensors).unwrap();
    let ops = [
        Op::Input { name: "x".into() },
        Op::Polynomial(polynomial),
        Op::Multiply,
    ];
    let operands: [&[usize]; 3] = [&[], &[0], &[1, 1]];
    for (i, (op, operands)) in ops.into_iter().zip(operands).enumerate() {
        let (name, source) = (format!("n{i}"), SourceId(i as u32));
        graph.sources.push(Source {
            name,
            op: "Op".into(),
        });
        let operands: Vec<NodeIndex> = operands.iter().map(|&i| NodeIndex::new(i)).collect();
        let shape = shape.clone();
        graph.add(Node { op, shape, source }, &operands);
    }
    graph.outputs.push(Output {
        name: "y".into(),
        node: NodeIndex::new(2),
        finish: Default::default(),
    });
    graph
}

fn calibrated(graph: &Graph, samples: &[[f64; 2]]) -> Calibration {
    let inputs = |i: usize| BTreeMap::from([("x".to_owned(), samples[i].to_vec())]);
    Calibration::new(graph, samples.len(), inputs, |_| {}).unwrap()
}

/// `x^4 - 10 x^2 + 16` is small where `x^4` and `x^2 - 10`, which the circuit computes, are not.
#[test]
fn steps_of_a_polynomial_count() {
    let graph = activation(&[[16.0; 2], [0.0; 2], [-10.0; 2], [0.0; 2], [1.0; 2]]);
    let calibration = calibrated(&graph, &[[0.0, 3.0], [1.0, -2.9]]);
    let ranges = Ranges::new(&graph, Some(&calibration), &BTreeMap::new()).unwrap();
    let reach = ranges.nodes[1].calibrated.unwrap();
    assert!(reach.values.largest() <= 16.0, "{reach:?}");
    let inside = reach.inside.unwrap();
    assert!((80.0..82.0).contains(&inside.max()), "{reach:?}");
    assert!((-90.5..-89.0).contains(&inside.min()), "{reach:?}");
}

#[test]
fn a_square_has_no_steps() {
    let graph = activation(&[[0.0; 2], [0.0; 2], [1.0; 2]]);
    let calibration = calibrated(&graph, &[[0.0, 3.0]]);
    let ranges = Ranges::new(&graph, Some(&calibration), &BTreeMap::new()).unwrap();
    assert_eq!(ranges.nodes[1].calibrated.unwrap().inside, None);
}

#[test]
fn coefficients_differ_by_element() {
    let graph = activation(&[[1.0, 2.0], [0.0, -1.0], [3.0, 0.0]]);
    let stated = BTreeMap::from([("x".to_owned(), Interval::new(-1.0, 2.0))]);
    let ranges = Ranges::new(&graph, None, &stated).unwrap();
    let reach = ranges.nodes[1].proven.unwrap();
    // 1 + 3 x^2 and 2 - x; on the way 3 x and x (0 x - 1).
    assert!(reach.values.min().abs() < 1e-9 && (reach.values.max() - 13.0).abs() < 1e-9);
    let inside = reach.inside.unwrap();
    assert!(
        (inside.min() + 3.0).abs() < 1e-9 && (inside.max() - 12.0).abs() < 1e-9,
        "{inside:?}"
    );
}

#[test]
fn the_first_node_that_leaves_is_named() {
    let graph = activation(&[[0.0; 2], [1.0; 2], [1.0; 2]]);
    let calibration = calibrated(&graph, &[[0.5, 0.5], [9.0, -1.0], [2.0, 2.0]]);
    let ranges = Ranges::new(&graph, Some(&calibration), &BTreeMap::new()).unwrap();
    // 90 and 8100: 6.5 and 13 bits, 2 of margin, 1 for the sign.
    assert_eq!(ranges.headroom_bits(), 16);
    assert_eq!(ranges.check(Limit::Asked(16)), Ok(()));
    let error = ranges.check(Limit::Asked(15)).unwrap_err().to_string();
    assert!(
        error.starts_with("`n2` (Op) reaches 8100.0000 in sample 1: "),
        "{error}"
    );
    assert!(
        error.ends_with("takes 16 headroom bits, 15 are asked for"),
        "{error}"
    );
    let error = ranges.check(Limit::Asked(9)).unwrap_err().to_string();
    assert!(error.starts_with("`n1` "), "{error}");
}

#[test]
fn values_that_are_not_finite_are_refused_everywhere() {
    let graph = activation(&[[0.0; 2], [0.0; 2], [1.0; 2]]);
    let calibration = calibrated(&graph, &[[1.0, 1.0], [1e100, 1.0]]);
    let ranges = Ranges::new(&graph, Some(&calibration), &BTreeMap::new()).unwrap();
    assert_eq!(ranges.headroom_bits(), 100);
    let finite = ranges.check(Limit::Asked(40)).unwrap_err().to_string();
    assert!(
        finite.starts_with("`n0` (Op) reaches 2^332 in sample 1"),
        "{finite}"
    );
    let last = ranges.nodes[2].calibrated.unwrap();
    assert_eq!(last.values, Interval::ALL);
    assert_eq!(last.bits_left(40), f64::NEG_INFINITY);
    assert_eq!(ranges.is_proven(64), Some(false));
}

#[test]
fn samples_contradict_what_is_stated() {
    let graph = activation(&[[0.0; 2], [0.0; 2], [1.0; 2]]);
    let calibration = calibrated(&graph, &[[1.0, 1.5]]);
    let stated = BTreeMap::from([("x".to_owned(), Interval::new(-1.0, 1.0))]);
    let error = Ranges::new(&graph, Some(&calibration), &stated).unwrap_err();
    assert!(matches!(error, RangeError::Stated { .. }), "{error}");
    let nothing = Ranges::new(&graph, None, &BTreeMap::new()).unwrap();
    assert_eq!(nothing.is_proven(10), None);
    assert_eq!(nothing.nodes[2].proven, None);
}

/// The intervals that `simple` has for its activation, rounded, plane by plane, when `range` is stated of that of `graph`.
fn stated_activation(
    graph: &Graph,
    simple: &Graph,
    range: [f64; 2],
    channels: &[[f64; 2]],
) -> Vec<[f64; 2]> {
    let value = StatedRange {
        name: String::new(),
        node: NodeIndex::new(1),
        min: range[0],
        max: range[1],
        channels: channels.to_vec(),
    };
    let stated = Stated {
        images: 1,
        images_outside: 0,
        values: vec![value],
    };
    let planes = StatedPlanes::new(graph, &stated, simple).unwrap();
    let found = planes.nodes.get(&NodeIndex::new(1));
    found
        .map_or(&[][..], Planes::intervals)
        .iter()
        .map(|x| [x.min(), x.max()].map(|end| (end * 1e6).round() / 1e6))
        .collect()
}

const UNKNOWN: [f64; 2] = [f64::NEG_INFINITY, f64::INFINITY];

/// `simple` stores `5 - 2 v` for `v`; element 1 is the same for all inputs.
#[test]
fn stated_ranges_follow_a_value_through_factors_and_shifts() {
    let graph = activation(&[[0.0, 3.0], [1.0, 0.0]]);
    let simple = activation(&[[5.0, 7.0], [-2.0, 0.0]]);
    let stated = |channels| stated_activation(&graph, &simple, [-1.0, 4.0], channels);
    assert_eq!(stated(&[]), [[-3.0, 7.0], UNKNOWN]);
    assert_eq!(stated(&[[0.5, 1.0], [3.0, 3.0]]), [[3.0, 4.0], UNKNOWN]);
}

/// Values of `1e12` at the probes hide where in `simple` the range lies.
#[test]
fn a_range_far_smaller_than_the_probes_says_nothing() {
    let graph = activation(&[[0.0, 0.0], [1e12, 1e12]]);
    let simple = activation(&[[5.0, 5.0], [2e12, 2e12]]);
    let stated = |range| stated_activation(&graph, &simple, range, &[]);
    assert!(stated([-1.0, 4.0]).is_empty());
    for [min, max] in stated([-1e12, 4e12]) {
        assert!(
            (min + 2e12).abs() < 1e6 && (max - 8e12).abs() < 1e6,
            "{min} {max}"
        );
    }
}
