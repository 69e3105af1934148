//! Stated ranges, carried over from the nodes of a model to those of its rewritten graph.
//!
//! Rewriting stores a value `v` as `v / g + s`, by planes, and keeps no account of `g` and `s`. They are found again from what
//! both graphs compute: two polynomials in the inputs that are affine to each other at random inputs are so everywhere, but
//! with probability zero. Nothing is stated of a plane that is nearly the same at all probes.

use super::interval::Interval;
use super::planes::Planes;
use crate::tensor::{EvaluateError, Graph, PerNode, Stated, StatedRange};
use petgraph::graph::NodeIndex;
use std::collections::BTreeMap;

/// The number of inputs that are evaluated: two points lie on a line, the others say whether it is the right one.
const PROBES: u64 = 4;
/// The share of an input's range that the probes take: far from any image, polynomials grow beyond use.
const SPREAD: f64 = 0.25;
/// Elements of a plane that are compared.
const ELEMENTS: usize = 24;
/// How far from a line a value may be, as a share of how far apart the values of its plane are: the line is extended far
/// beyond them.
const TOLERANCE: f64 = 1e-11;
/// How far rounding may move a value, as a share of the largest magnitude of its plane.
const ROUNDING: f64 = 1e-13;
/// The share of its interval, and of its magnitude, that the probes of a plane must cover: a line through less says too
/// little.
const COVERED: f64 = 1e-3;
/// How far from its interval the found line may be, as a share of the interval: where the values of the probes are far larger
/// than it, rounding hides where it lies.
const SHIFTED: f64 = 1e-7;

/// The ranges that are stated of the values of a rewritten graph.
#[derive(Clone, Debug, Default)]
pub struct StatedPlanes {
    /// The nodes that have a stated range.
    pub(super) nodes: BTreeMap<NodeIndex, Planes>,
}

impl StatedPlanes {
    /// Carries the ranges that `stated` has for nodes of `graph` over to `simple`, which computes the same outputs.
    ///
    /// # Errors
    /// When a graph is not well formed.
    pub fn new(graph: &Graph, stated: &Stated, simple: &Graph) -> Result<Self, EvaluateError> {
        let domains = domains(graph, stated);
        let original = signatures(graph, &domains)?;
        let simplified = signatures(simple, &domains)?;
        let mut nodes: BTreeMap<NodeIndex, Planes> = BTreeMap::new();
        for range in &stated.values {
            let known = &original[range.node];
            let intervals = intervals(range, known.len());
            for index in simple.nodes() {
                let shape = &simple.node(index).shape;
                if let Some(planes) = carried(known, &simplified[index], &intervals) {
                    let planes = Planes::new(shape, |plane| planes[plane]);
                    nodes.entry(index).or_insert(planes);
                }
            }
        }
        Ok(Self { nodes })
    }
}

/// The stated interval of each of `planes` planes.
fn intervals(range: &StatedRange, planes: usize) -> Vec<Interval> {
    let channels = range.channels.iter().map(|&[a, b]| Interval::new(a, b));
    match range.channels.len() == planes {
        true => channels.collect(),
        false => vec![Interval::new(range.min, range.max); planes],
    }
}

/// The interval of each input by name; for an input without a stated range, one around zero.
fn domains(graph: &Graph, stated: &Stated) -> BTreeMap<String, Interval> {
    let inputs = graph.inputs();
    let domain = |node| {
        let range = stated.values.iter().find(|range| range.node == node);
        range.map_or(Interval::new(-1.0, 1.0), |r| Interval::new(r.min, r.max))
    };
    inputs
        .map(|(node, name)| (name.to_owned(), domain(node)))
        .collect()
}

/// Some values of each plane of a node, over all probes.
type Signature = Vec<Vec<f64>>;

fn signatures(
    graph: &Graph,
    domains: &BTreeMap<String, Interval>,
) -> Result<PerNode<Signature>, EvaluateError> {
    let mut found: PerNode<Signature> = PerNode::filled(graph, Vec::new());
    for seed in 0..PROBES {
        graph.evaluate_each(&probe(graph, domains, seed), |index, values| {
            let [planes, h, w] = graph.node(index).shape.chw();
            let size = h as usize * w as usize;
            let signature = &mut found[index];
            signature.resize(planes as usize, Vec::new());
            for (plane, values) in signature.iter_mut().zip(values.chunks(size)) {
                plane.extend(values.iter().step_by(size.div_ceil(ELEMENTS)));
            }
        })?;
    }
    Ok(found)
}

/// Pseudo-random inputs from the middle of their domains.
fn probe(
    graph: &Graph,
    domains: &BTreeMap<String, Interval>,
    seed: u64,
) -> BTreeMap<String, Vec<f64>> {
    let mut state = seed;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1u64 << 24) as f64 - 0.5
    };
    let mut values = |name: &str, elements: usize| -> Vec<f64> {
        let domain = domains[name];
        let (middle, width) = (
            f64::midpoint(domain.min(), domain.max()),
            domain.max() - domain.min(),
        );
        let level = middle + SPREAD * width * next();
        (0..elements)
            .map(|_| level + SPREAD * width * next())
            .collect()
    };
    let inputs = graph.inputs();
    inputs
        .map(|(node, name)| {
            let elements = graph.node(node).shape.elements();
            (name.to_owned(), values(name, elements))
        })
        .collect()
}

/// The intervals of `found`, plane by plane, when it is affine to `known`, whose intervals are given.
fn carried(known: &Signature, found: &Signature, intervals: &[Interval]) -> Option<Vec<Interval>> {
    if known.len() != found.len() {
        return None;
    }
    let planes = known.iter().zip(found).zip(intervals);
    let planes: Option<Vec<Interval>> = planes.map(|((v, w), &x)| plane(v, w, x)).collect();
    planes.filter(|planes| planes.iter().any(|plane| plane.is_bounded()))
}

/// The image of `interval` under the affine map from `v` to `w`; `None` where there is no such map.
fn plane(v: &[f64], w: &[f64], interval: Interval) -> Option<Interval> {
    if v.len() != w.len() || !v.iter().chain(w).all(|x| x.is_finite()) {
        return None;
    }
    let at = |least: bool| {
        let places = (0..v.len()).min_by(|&a, &b| match least {
            true => v[a].total_cmp(&v[b]),
            false => v[b].total_cmp(&v[a]),
        });
        places.map(|place| (v[place], w[place]))
    };
    let ((v0, w0), (v1, w1)) = (at(true)?, at(false)?);
    let largest = |x: &[f64]| x.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let width = (interval.max() - interval.min()).max(largest(v));
    if v1 - v0 <= COVERED * width {
        return Some(Interval::ALL);
    }
    let factor = (w1 - w0) / (v1 - v0);
    let line = |x: f64| w0 + factor * (x - v0);
    let slack = TOLERANCE * (w1 - w0).abs() + ROUNDING * largest(w);
    let close = v.iter().zip(w).all(|(&v, &w)| (line(v) - w).abs() <= slack);
    if !close || factor == 0.0 {
        return None;
    }
    let ends = [interval.min(), interval.max()];
    let shift = |x: f64| slack * (1.0 + 2.0 * (x - v0).abs() / (v1 - v0));
    let [a, b] = ends.map(line);
    if ends.iter().any(|&x| shift(x) > SHIFTED * (b - a).abs()) {
        return Some(Interval::ALL);
    }
    Some(Interval::new(a.min(b), a.max(b)))
}
