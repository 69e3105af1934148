//! The fine-tuned ResNet-20 of the examples: each file compiles at 128 bits from the ranges that it states, and its circuit
//! computes what the model says.

use peregrine_compiler::optimisation::Without;
use peregrine_compiler::pipeline::{Config, compile};
use peregrine_compiler::ranges::{Ranges, StatedPlanes};
use peregrine_compiler::rewrite::simplify_without;
use peregrine_compiler::tensor::{Graph, Op};
use peregrine_tests::flow::{self, arg_max, error_bits};
use std::collections::BTreeMap;
use std::path::Path;

fn load(file: &str) -> Graph {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/resnet20");
    flow::load(&folder.join(file)).unwrap()
}

/// Coloured waves whose pixels are between 0 and 1, normalised as the network's images are.
fn image() -> Vec<f64> {
    let channels = [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)];
    let waves = channels
        .iter()
        .enumerate()
        .flat_map(|(c, (mean, deviation))| {
            (0..32 * 32).map(move |i| {
                let (y, x) = (f64::from(i / 32), f64::from(i % 32));
                let pixel = 0.5 + 0.3 * (0.2 * x + c as f64).sin() * (0.15 * y).cos();
                (pixel - mean) / deviation
            })
        });
    waves.collect()
}

/// The headroom that the stated ranges need, in a network whose polynomials have this degree.
fn headroom_bits(graph: &Graph, degree: usize) -> u32 {
    let stated = graph.stated.as_ref().expect("ranges in the metadata");
    assert_eq!((stated.images, stated.images_outside), (11_000, 0));
    let (simple, _) = simplify_without(graph, &Without::default()).unwrap();
    let degree_of = |index| match &simple.node(index).op {
        Op::Polynomial(p) => Some(p.degree()),
        _ => None,
    };
    let degrees: Vec<usize> = simple.nodes().filter_map(degree_of).collect();
    assert_eq!(degrees, [degree; 19]);
    let planes = StatedPlanes::new(graph, stated, &simple).unwrap();
    let ranges = Ranges::with_stated(&simple, None, &BTreeMap::new(), Some(&planes)).unwrap();
    ranges.headroom_bits()
}

fn check(file: &str, degree: usize, log_n: u32) {
    let graph = load(file);
    let mut config = Config::new("resnet20");
    config.headroom_bits = headroom_bits(&graph, degree);
    config.precision_bits = 9;
    config.log_n = log_n..=log_n;
    assert_eq!(config.security, peregrine_ir::Security::Classical128);
    let circuit = compile(&graph, &config).unwrap().circuit;
    let inputs = flow::inputs(&graph, &[image()]).unwrap();
    let want = flow::reference(&graph, &inputs).unwrap();
    let got = flow::simulated(&circuit, &inputs, None).unwrap();
    let bits = error_bits(&got, &want);
    println!("{file}: 2^{bits:.1} of the largest logit");
    assert!(bits < -15.0, "{file}: 2^{bits:.1} of the largest logit");
    let [got, want] = [
        got.values().next().unwrap().data(),
        &want.values().next().unwrap()[..],
    ];
    assert_eq!(arg_max(got), arg_max(want));
}

#[test]
fn quadratics_compile_from_the_ranges_that_they_state() {
    check("resnet20_d2.onnx", 2, 16);
}

#[test]
fn quartics_compile_from_the_ranges_that_they_state() {
    check("resnet20_d4.onnx", 4, 17);
}
