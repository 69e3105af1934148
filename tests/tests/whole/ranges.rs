//! Ranges of values: random inputs of random networks never leave what is proven; a network that diverges on some images is
//! refused where it starts to.

use ndarray::{ArrayD, Axis};
use peregrine_compiler::pipeline::{CompileError, Config, compile};
use peregrine_compiler::ranges::{Calibration, Interval, Limit, Ranges};
use peregrine_compiler::rewrite::simplify;
use peregrine_compiler::tensor::{Graph, Op};
use peregrine_tests::flow;
use peregrine_tests::random_graphs::{NUMBERS, random_graph};
use peregrine_tests::shared::shared;
use petgraph::graph::NodeIndex;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// Pseudo-random inputs within an interval, half of them at its ends.
fn inputs(graph: &Graph, domain: Interval, seed: u64) -> BTreeMap<String, Vec<f64>> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        match (state >> 33) % 4 {
            0 => domain.min(),
            1 => domain.max(),
            _ => {
                let share = (state >> 40) as f64 / (1 << 24) as f64;
                (domain.min() + share * (domain.max() - domain.min())).min(domain.max())
            }
        }
    };
    let inputs = graph.inputs().map(|(index, name)| {
        let elements = graph.node(index).shape.elements();
        (name.to_owned(), (0..elements).map(|_| next()).collect())
    });
    inputs.collect()
}

fn stated(graph: &Graph, domain: Interval) -> BTreeMap<String, Interval> {
    let names = graph.inputs();
    names.map(|(_, name)| (name.to_owned(), domain)).collect()
}

/// The extremes that a linear operator without a bias reaches on operands within an interval: row by row.
fn extremes(graph: &Graph, index: NodeIndex, domain: Interval) -> Option<Interval> {
    let Op::Linear { map, bias: None } = &graph.node(index).op else {
        return None;
    };
    let bound = map.bind(&graph.tensors).unwrap();
    let row = |output| {
        let (mut min, mut max) = (0.0, 0.0);
        bound.for_each_tap(output, |_, w| {
            let (a, b) = (w * domain.min(), w * domain.max());
            min += f64::min(a, b);
            max += f64::max(a, b);
        });
        Interval::new(min, max)
    };
    (0..map.output.elements()).map(row).reduce(Interval::hull)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_value_leaves_what_is_proven(numbers in prop::collection::vec(any::<u32>(), NUMBERS), a in -2.0..1.5f64, length in 0.0..2.0f64, simple in any::<bool>()) {
        let mut graph = random_graph(&numbers).graph;
        if simple {
            graph = simplify(&graph).unwrap().0;
        }
        let domain = Interval::new(a, a + length);
        let ranges = Ranges::new(&graph, None, &stated(&graph, domain)).unwrap();
        for seed in 0..4 {
            let all = graph.evaluate_all(&inputs(&graph, domain, seed)).unwrap();
            for (values, node) in all.iter().zip(&ranges.nodes) {
                let (reached, proven) = (Interval::around(values).unwrap(), node.proven.unwrap().values);
                prop_assert!(proven.contains(reached), "{node:?} reaches {reached:?}");
            }
        }
    }

    #[test]
    fn linear_operators_on_inputs_reach_what_is_proven(numbers in prop::collection::vec(any::<u32>(), NUMBERS), a in -2.0..1.5f64, length in 0.0..2.0f64) {
        let graph = random_graph(&numbers).graph;
        let domain = Interval::new(a, a + length);
        let ranges = Ranges::new(&graph, None, &stated(&graph, domain)).unwrap();
        for index in graph.nodes() {
            let of_input = |i: &NodeIndex| matches!(graph.node(*i).op, Op::Input { .. });
            if !graph.operands(index).iter().all(of_input) {
                continue;
            }
            let Some(reached) = extremes(&graph, index, domain) else { continue };
            let proven = ranges.nodes[index.index()].proven.unwrap().values;
            let slack = 1e-9 * reached.largest();
            prop_assert!((reached.min() - proven.min()).abs() <= slack && (reached.max() - proven.max()).abs() <= slack,
                "{reached:?} {proven:?}");
        }
    }
}

/// What the network is fed, for pixels.
fn normalised(path: &Path) -> Vec<Vec<f64>> {
    const MEAN: [f64; 3] = [0.485, 0.456, 0.406];
    const DEVIATION: [f64; 3] = [0.229, 0.224, 0.225];
    let pixels: ArrayD<u8> = ndarray_npy::read_npy(path).unwrap();
    let images = pixels.axis_iter(Axis(0)).map(|image| {
        let channels = image.axis_iter(Axis(0)).enumerate();
        let values = channels.flat_map(|(c, plane)| {
            let value = |&x: &u8| (f64::from(x) / 255.0 - MEAN[c]) / DEVIATION[c];
            plane.iter().map(value).collect::<Vec<f64>>()
        });
        values.collect()
    });
    images.collect()
}

fn calibrated(graph: &Graph, images: &[Vec<f64>]) -> Ranges {
    let (_, name) = graph.inputs().next().unwrap();
    let sample = |i: usize| BTreeMap::from([(name.to_owned(), images[i].clone())]);
    let calibration = Calibration::new(graph, images.len(), sample, |_| {}).unwrap();
    Ranges::new(graph, Some(&calibration), &BTreeMap::new()).unwrap()
}

#[test]
fn a_network_that_diverges_is_refused_where_it_starts() {
    let test = "a_network_that_diverges_is_refused_where_it_starts";
    let Some(folder) = shared(test, "models") else {
        return;
    };
    let model = flow::load(&folder.join("resnet20_cifar10_poly2.onnx")).unwrap();
    let (graph, _) = simplify(&model).unwrap();
    let started = Instant::now();
    let ranges = calibrated(&graph, &normalised(&folder.join("ref/cifar10_100_u8.npy")));
    let bits = ranges.headroom_bits();
    println!("100 images take {bits} bits, {:.1?}", started.elapsed());
    assert!(bits <= 12, "{bits} bits");
    let mut config = Config::new("resnet20");
    config.headroom_bits = bits;
    compile(&model, &config).unwrap();

    let exploding = normalised(&folder.join("ref/cifar10_train_exploding_for_poly2_u8.npy"));
    let ranges = calibrated(&graph, &exploding);
    let asked = ranges.check(Limit::Asked(bits)).unwrap_err().to_string();
    println!("{asked}");
    assert!(asked.starts_with("`/layer1/layer1."), "{asked}");
    config.headroom_bits = ranges.headroom_bits();
    let CompileError::Parameters(error) = compile(&model, &config).unwrap_err() else {
        panic!("no parameters hold that much");
    };
    let (log_n, excess) = error.too_long().unwrap();
    let bits = config.headroom_bits - excess;
    let limit = Limit::Parameters { log_n, bits };
    let fits = ranges.check(limit).unwrap_err().to_string();
    println!("{fits}");
    assert!(fits.starts_with("`/layer"), "{fits}");
}

#[test]
fn the_float_model_is_evaluated_quickly() {
    let Some(folder) = shared("the_float_model_is_evaluated_quickly", "models") else {
        return;
    };
    let model = flow::load(&folder.join("resnet20_cifar10_poly2.onnx")).unwrap();
    let (graph, _) = simplify(&model).unwrap();
    let inputs = inputs(&graph, Interval::new(-1.0, 1.0), 1);
    for _ in 0..5 {
        let started = Instant::now();
        let all = graph.evaluate_all(&inputs).unwrap();
        println!("{} nodes in {:.1?}", all.len(), started.elapsed());
    }
}
