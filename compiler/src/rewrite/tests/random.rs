//! Random networks keep their values.

use super::net::{Net, words};
use super::simplified;
use crate::ranges::{Calibration, Ranges, StatedPlanes};
use crate::rewrite::simplify;
use crate::tensor::{Stated, StatedRange};
use petgraph::graph::NodeIndex;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A way to continue a network; numbers choose among what is there.
#[derive(Clone, Debug)]
enum Layer {
    Conv(u32),
    Norm,
    /// Coefficients from constants in random positions, spelled in one of several ways.
    Polynomial(Vec<f64>, u8),
    Residual(usize),
    Product(usize),
    Pool,
    Pad,
    Flatten,
    Gemm,
    /// Also an output.
    Tap,
    Scale(f64),
}

fn layer() -> impl Strategy<Value = Layer> {
    let coefficient = prop_oneof![Just(0.0), Just(1.0), -0.8..0.8f64];
    prop_oneof![
        3 => (1..4u32).prop_map(Layer::Conv),
        2 => Just(Layer::Norm),
        4 => (prop::collection::vec(coefficient, 2..6), any::<u8>())
            .prop_map(|(c, spelling)| Layer::Polynomial(c, spelling)),
        3 => any::<usize>().prop_map(Layer::Residual),
        1 => any::<usize>().prop_map(Layer::Product),
        1 => Just(Layer::Pool),
        1 => Just(Layer::Pad),
        1 => Just(Layer::Flatten),
        1 => Just(Layer::Gemm),
        1 => Just(Layer::Tap),
        1 => (-1.0..1.0f64).prop_map(Layer::Scale),
    ]
}

/// `sum c[k] x^k` as powers and sums, by Horner's rule, or as one node.
fn spell(net: &mut Net, x: NodeIndex, c: &[f64], spelling: u8) -> NodeIndex {
    match spelling % 3 {
        0 => net.polynomial(x, c),
        1 => {
            let mut y = net.scale(x, c[c.len() - 1]);
            for &c in c[1..c.len() - 1].iter().rev() {
                y = net.polynomial(y, &[c, 1.0]);
                y = net.multiply(y, x);
            }
            net.polynomial(y, &[c[0], 1.0])
        }
        _ => {
            let (mut power, mut terms) = (x, vec![net.scale(x, c[1])]);
            for &c in &c[2..] {
                power = net.multiply(power, x);
                terms.push(net.scale(power, c));
            }
            let mut sum = terms[0];
            for &term in &terms[1..] {
                sum = net.add(&[term, sum]);
            }
            net.polynomial(sum, &[c[0], 1.0])
        }
    }
}

fn extend(net: &mut Net, values: &[NodeIndex], layer: &Layer) -> NodeIndex {
    let x = values[values.len() - 1];
    let s = net.shape_of(x);
    let image = s.rank() == 4;
    let like = |at: usize| {
        let same: Vec<NodeIndex> = values
            .iter()
            .copied()
            .filter(|&v| net.shape_of(v) == s)
            .collect();
        same[at % same.len()]
    };
    match layer {
        Layer::Conv(m) if image => net.conv("conv", x, *m, 3),
        Layer::Norm => net.bn("bn", x),
        Layer::Polynomial(c, spelling) => spell(net, x, c, *spelling),
        Layer::Residual(at) => {
            let other = like(*at);
            net.add(&[x, other])
        }
        Layer::Product(at) => {
            let other = like(*at);
            let half = net.scale(other, 0.25);
            net.multiply(x, half)
        }
        Layer::Pool if image && s.dims()[2].is_multiple_of(2) => net.pool(x, 2),
        Layer::Pad if image && s.dims()[2] < 8 => net.pad(x),
        Layer::Flatten => net.flatten(x),
        Layer::Gemm | Layer::Conv(_) => net.gemm("fc", x, 4),
        Layer::Scale(c) => net.scale(x, *c),
        Layer::Pool | Layer::Pad => x,
        Layer::Tap => {
            net.output(x);
            x
        }
    }
}

fn build(seed: u64, layers: &[Layer]) -> Net {
    let mut net = Net::new(seed);
    let mut values = vec![net.input(&[1, 2, 4, 4])];
    for layer in layers {
        let y = extend(&mut net, &values, layer);
        values.push(y);
    }
    net.output(values[values.len() - 1]);
    net
}

/// Whether the reference itself overflows or loses its digits.
fn is_tame(net: &Net) -> bool {
    let x = super::net::inputs(&net.graph);
    let values = net.graph.evaluate_all(&x).unwrap();
    values.iter().flatten().all(|v| v.abs() < 1e4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_global_rejects: 100_000, ..Default::default() })]

    #[test]
    fn values_are_kept(seed in any::<u64>(), layers in prop::collection::vec(layer(), 1..14)) {
        let net = build(seed, &layers);
        prop_assume!(is_tame(&net));
        let (simple, _) = simplified(&net.graph);
        let (again, report) = simplify(&simple).unwrap();
        prop_assert!(report.is_empty(), "{}", report);
        prop_assert_eq!(words(&simple), words(&again));
    }

    #[test]
    fn stated_ranges_hold_for_the_simplified_graph(seed in any::<u64>(), layers in prop::collection::vec(layer(), 1..14)) {
        let net = build(seed, &layers);
        prop_assume!(is_tame(&net));
        let simple = simplify(&net.graph).unwrap().0;
        let [before, after] = [&net.graph, &simple].map(|graph| {
            let sample = |_| super::net::inputs(graph);
            Calibration::new(graph, 1, sample, |_| {}).unwrap()
        });
        let none = BTreeMap::new();
        let seen = Ranges::new(&net.graph, Some(&before), &none).unwrap();
        let values = net.graph.nodes().map(|node| {
            let values = seen.nodes[node.index()].calibrated.unwrap().values;
            let (name, channels) = (node.index().to_string(), Vec::new());
            StatedRange { name, node, min: values.min(), max: values.max(), channels }
        });
        let stated = Stated { images: 1, images_outside: 0, values: values.collect() };
        let planes = StatedPlanes::new(&net.graph, &stated, &simple).unwrap();
        let ranges = Ranges::with_stated(&simple, Some(&after), &none, Some(&planes)).unwrap();
        for node in &ranges.nodes {
            let (seen, stated) = (node.calibrated.unwrap().values, node.stated.unwrap().values);
            let slack = 1e-6 * stated.largest() + 1e-12;
            let holds = stated.min() - slack <= seen.min() && seen.max() <= stated.max() + slack;
            prop_assert!(!stated.is_bounded() || holds, "{:?}", node);
        }
        prop_assert!(ranges.nodes[0].is_stated, "not even the input is found again");
    }

    #[test]
    fn runs_agree(seed in any::<u64>(), layers in prop::collection::vec(layer(), 1..14)) {
        let net = build(seed, &layers);
        let (a, first) = simplify(&net.graph).unwrap();
        let (b, second) = simplify(&net.graph).unwrap();
        prop_assert_eq!(first, second);
        prop_assert_eq!(words(&a), words(&b));
        prop_assert!(a.tensors == b.tensors);
    }
}
