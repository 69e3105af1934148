//! Real models through the front end: the tensor graph computes what ONNX Runtime computes.

use ndarray::{ArrayD, Axis};
use ndarray_npy::{NpzReader, ReadNpyExt};
use peregrine_compiler::onnx::{self, ImportErrors, LoadError, Options, Problem};
use peregrine_compiler::tensor::{Graph, Op};
use peregrine_tests::shared::shared;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

fn load(path: &Path) -> Graph {
    let name = path.file_name().unwrap().to_string_lossy();
    onnx::load(path, &Options::new(name)).unwrap_or_else(|error| panic!("{error}"))
}

fn npy(path: &Path) -> ArrayD<f32> {
    ArrayD::read_npy(File::open(path).unwrap()).unwrap()
}

fn evaluate(graph: &Graph, image: &ArrayD<f32>) -> Vec<f64> {
    let (_, name) = graph.inputs().next().unwrap();
    let x = image.iter().map(|&v| f64::from(v)).collect();
    let inputs = BTreeMap::from([(name.to_owned(), x)]);
    graph.evaluate(&inputs).unwrap().remove(0)
}

/// Largest difference on the first images, relative to the largest logit of all.
fn worst(graph: &Graph, images: &ArrayD<f32>, logits: &ArrayD<f32>, count: usize) -> f64 {
    let largest = logits
        .iter()
        .fold(0.0f64, |m, &x| m.max(f64::from(x).abs()));
    let mut worst = 0.0f64;
    for i in 0..count {
        let image = images.index_axis(Axis(0), i).to_owned();
        let expected = logits.index_axis(Axis(0), i).to_owned();
        for (x, &y) in evaluate(graph, &image).iter().zip(expected.iter()) {
            worst = worst.max((x - f64::from(y)).abs() / largest);
        }
    }
    worst
}

fn agrees(test: &str, models: &[&str], images: &str, logits: &str) {
    for model in models {
        let Some(path) = shared(test, &format!("models/{model}.onnx")) else {
            return;
        };
        let folder = path.with_file_name("ref");
        let graph = load(&path);
        let (images, logits) = (npy(&folder.join(images)), npy(&folder.join(logits)));
        let worst = worst(&graph, &images, &logits, 3);
        assert!(worst < 1e-4, "{model}: off by {worst:.1e}");
        provenance_is_complete(&graph);
    }
}

/// Every operator of the graph stands for a node of the same name in the model.
fn provenance_is_complete(graph: &Graph) {
    for index in graph.nodes() {
        let node = graph.node(index);
        let source = &graph.sources[node.source.0 as usize];
        let input = matches!(node.op, Op::Input { .. });
        assert_eq!(source.op == "Input", input, "{source:?}");
    }
}

#[test]
fn quadratic_resnets_agree_with_their_logits() {
    agrees(
        "quadratic_resnets_agree_with_their_logits",
        &[
            "resnet20_cifar10_poly2",
            "resnet20_cifar10_poly2_folded",
            "resnet20_cifar10_poly2_slicepad_dynamo18",
        ],
        "cifar10_100_input_f32.npy",
        "resnet20_cifar10_poly2_100_ort_logits_f32.npy",
    );
}

#[test]
fn quartic_resnets_agree_with_their_logits() {
    agrees(
        "quartic_resnets_agree_with_their_logits",
        &[
            "resnet20_cifar10_poly4",
            "resnet20_cifar10_poly4_folded",
            "resnet20_cifar10_poly4_slicepad_dynamo18",
        ],
        "cifar10_100_input_f32.npy",
        "resnet20_cifar10_poly4_100_ort_logits_f32.npy",
    );
}

#[test]
fn lenets_agree_with_their_logits() {
    agrees(
        "lenets_agree_with_their_logits",
        &["mnist_lenet_sq", "mnist_lenet_sq_folded"],
        "mnist_100_input_f32.npy",
        "mnist_lenet_sq_100_ort_logits_f32.npy",
    );
}

#[test]
fn custom_operators_agree_with_their_plain_spelling() {
    let test = "custom_operators_agree_with_their_plain_spelling";
    let Some(plain) = shared(test, "models/lattiai_mnist_d2.onnx") else {
        return;
    };
    let folder = plain.parent().unwrap();
    let file = File::open(folder.join("lattiai_mnist_d2_ref.npz")).unwrap();
    let mut arrays = NpzReader::new(file).unwrap();
    let x: ArrayD<f32> = arrays.by_name("x").unwrap();
    let logits: ArrayD<f32> = arrays.by_name("logits").unwrap();
    for model in ["lattiai_mnist_d2.onnx", "lattiai_mnist_d2_customop.onnx"] {
        let count = x.shape()[0].min(10);
        let worst = worst(&load(&folder.join(model)), &x, &logits, count);
        assert!(worst < 1e-4, "{model}: off by {worst:.1e}");
    }
}

fn refused(path: &Path) -> ImportErrors {
    let name = path.file_name().unwrap().to_string_lossy();
    match onnx::load(path, &Options::new(name)) {
        Err(LoadError::Import(errors)) => errors,
        other => panic!("{path:?}: {other:?}"),
    }
}

#[test]
fn relu_networks_are_refused_with_every_reason() {
    let test = "relu_networks_are_refused_with_every_reason";
    for (model, ops) in [
        ("ace_resnet20_cifar10_relu", &[("Relu", 19)][..]),
        ("heir_lenet5_relu_avgpool_mnist", &[("Relu", 4)]),
        (
            "onnxzoo_mnist8_opt_relu_maxpool",
            &[("MaxPool", 2), ("Relu", 2)],
        ),
        ("light_squeezenet", &[("MaxPool", 3), ("Relu", 26)]),
        ("light_resnet50", &[("MaxPool", 1), ("Relu", 49)]),
        ("light_vgg19", &[("MaxPool", 5), ("Relu", 18)]),
        ("light_densenet121", &[("MaxPool", 1), ("Relu", 121)]),
    ] {
        let Some(path) = shared(test, &format!("models/third_party/{model}.onnx")) else {
            return;
        };
        let errors = refused(&path);
        let mut found = BTreeMap::<&str, usize>::new();
        for diagnostic in &errors.diagnostics {
            assert!(
                matches!(diagnostic.problem, Problem::Operator(_)),
                "{model}: {diagnostic:?}"
            );
            let site = diagnostic.site.as_ref().unwrap();
            *found.entry(site.op.as_str()).or_default() += 1;
        }
        let found: Vec<(&str, usize)> = found.into_iter().collect();
        assert_eq!(found, ops, "{model}");
    }
}
