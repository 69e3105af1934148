//! Networks in the shape of well-known ones, and what of them takes room.

use peregrine_compiler::onnx::{self, NoExternalData, Options};
use peregrine_compiler::pipeline::{Config, compile};
use peregrine_compiler::rewrite::simplify;
use peregrine_compiler::tensor::{Graph, Op};
use peregrine_ir::{Security, binary};
use peregrine_tests::networks::{resnet20, resnet50, squeezenet};
use peregrine_tests::shared::shared;
use std::collections::BTreeMap;

fn import(bytes: &[u8]) -> Graph {
    onnx::import(bytes, &NoExternalData, &Options::new("network")).unwrap()
}

/// How many operators of each kind there are: linear, polynomial of degree two, sum, other.
fn counts(graph: &Graph) -> [usize; 4] {
    let mut counts = [0; 4];
    for index in graph.nodes() {
        let kind = match &graph.node(index).op {
            Op::Linear { .. } => 0,
            Op::Polynomial(p) if p.degree() == 2 => 1,
            Op::Add => 2,
            _ => 3,
        };
        counts[kind] += 1;
    }
    counts
}

fn check_values(graph: &Graph, simple: &Graph) {
    let (image, name) = graph.inputs().next().unwrap();
    let elements = graph.node(image).shape.elements();
    let x = (0..elements).map(|i| (i as f64 * 0.37).sin()).collect();
    let inputs = BTreeMap::from([(name.to_owned(), x)]);
    let [before, after] = [graph, simple].map(|g| g.evaluate(&inputs).unwrap().concat());
    let largest = before.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    assert!(largest > 0.01, "values vanish");
    let difference = before.iter().zip(&after).map(|(a, b)| (a - b).abs());
    let worst = difference.fold(0.0f64, f64::max);
    assert!(worst <= 1e-12 * largest.max(1.0), "{worst}");
}

#[test]
fn a_residual_network_of_twenty_layers_keeps_its_values() {
    let graph = import(&resnet20());
    let (simple, _) = simplify(&graph).unwrap();
    // Nineteen convolutions, two shortcuts, and the mean in one with the last layer.
    assert_eq!(counts(&simple), [22, 19, 9, 2]);
    check_values(&graph, &simple);
}

#[test]
fn a_residual_network_of_fifty_layers_keeps_its_values() {
    let graph = import(&resnet50(64, 16));
    let (simple, _) = simplify(&graph).unwrap();
    assert_eq!(counts(&simple)[1..3], [49, 16]);
    check_values(&graph, &simple);
}

#[test]
fn concatenations_of_convolutions_keep_their_values() {
    let graph = import(&squeezenet(63, 16));
    let (simple, _) = simplify(&graph).unwrap();
    check_values(&graph, &simple);
}

/// Large images cost nothing in the rewrites, and weights are stored once.
#[test]
fn no_rewrite_expands_a_number_to_an_image() {
    for bytes in [resnet50(224, 8), squeezenet(224, 2)] {
        let (simple, _) = simplify(&import(&bytes)).unwrap();
        let stored: usize = simple.tensors.values().map(|t| t.data().len()).sum();
        assert!(
            4 * stored <= bytes.len(),
            "{stored} numbers, {} bytes",
            bytes.len()
        );
    }
}

#[test]
fn a_circuit_is_at_most_three_times_its_model() {
    let Some(folder) = shared("a_circuit_is_at_most_three_times_its_model", "models") else {
        return;
    };
    let config = Config {
        security: Security::None,
        ..Config::new("network")
    };
    for name in [
        "lattiai_mnist_d2",
        "mnist_lenet_sq",
        "resnet20_cifar10_poly2_slicepad_dynamo18",
    ] {
        let model = std::fs::read(folder.join(name).with_extension("onnx")).unwrap();
        let compiled = compile(&import(&model), &config).unwrap();
        let circuit = binary::write_circuit(&compiled.circuit);
        assert!(
            circuit.len() <= 3 * model.len(),
            "{name}: {} bytes of {}",
            circuit.len(),
            model.len()
        );
    }
}
