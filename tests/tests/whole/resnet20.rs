//! ResNet-20 with polynomial activations, from file to logits: what its circuit costs, that the circuit computes the
//! network, and that its beginning does so on ciphertexts.

use ndarray::{ArrayD, Axis};
use peregrine_compiler::optimisation::Optimisation;
use peregrine_compiler::pipeline::{Compiled, Config, compile};
use peregrine_compiler::tensor::Graph;
use peregrine_ir::cost::{CostModel, Rates};
use peregrine_ir::stats::Stats;
use peregrine_ir::{Inst, Security, binary};
use peregrine_runtime::exec::Silent;
use peregrine_runtime::ports::Arrays;
use peregrine_runtime::simulate::{self, Options};
use peregrine_tests::flow::{self, Encrypted, arg_max, error_bits};
use peregrine_tests::machines::machine;
use peregrine_tests::shared::shared;
use peregrine_tests::truncate::up_to;
use std::path::Path;
use std::time::Instant;

const POLY2: &str = "resnet20_cifar10_poly2.onnx";

fn rows(path: &Path) -> Vec<Vec<f64>> {
    let array: ArrayD<f32> = ndarray_npy::read_npy(path).unwrap();
    let rows = array.axis_iter(Axis(0));
    rows.map(|row| row.iter().map(|&x| f64::from(x)).collect())
        .collect()
}

/// The first `count` reference images, as inputs of `graph`.
fn images(folder: &Path, graph: &Graph, count: usize) -> Vec<Arrays> {
    let images = rows(&folder.join("ref/cifar10_100_input_f32.npy"));
    let images = images.into_iter().take(count);
    images
        .map(|image| flow::inputs(graph, &[image]).unwrap())
        .collect()
}

/// Simulates `count` images and compares with the logits that the float model of this activation gave for them.
fn logits_match(folder: &Path, (model, activation): (&str, &str), count: usize) {
    let graph = flow::load(&folder.join(model)).unwrap();
    let mut config = Config::new("resnet20");
    if activation == "poly4" {
        // Too deep for rings of 128 bits.
        config.security = Security::None;
        config.log_n = 16..=16;
    }
    let circuit = compile(&graph, &config).unwrap().circuit;
    let logits = format!("ref/resnet20_cifar10_{activation}_100_ort_logits_f32.npy");
    let want = rows(&folder.join(logits));
    let started = Instant::now();
    let found = flow::simulated_all(&circuit, &images(folder, &graph, count)).unwrap();
    println!("{model}: {count} images in {:.1?}", started.elapsed());
    assert_eq!(found.len(), count);
    let worst = worst_error(&found, &want);
    println!("{model}: largest error {worst:.1e} of the largest logit");
    assert!(worst <= 1e-4, "{model}: {worst:.1e}");
}

/// The largest error of a logit over the largest logit of all images; refuses an image of another class.
fn worst_error(found: &[Arrays], want: &[Vec<f64>]) -> f64 {
    let largest = want.iter().flatten().fold(0.0f64, |m, x| m.max(x.abs()));
    let mut worst = 0.0f64;
    for (i, (found, want)) in found.iter().zip(want).enumerate() {
        let found = found.values().next().unwrap().data();
        assert_eq!(found.len(), want.len());
        assert_eq!(arg_max(found), arg_max(want), "image {i}: {found:?}");
        let errors = found.iter().zip(want).map(|(a, b)| (a - b).abs() / largest);
        // A logit that is no number is an error without end.
        worst = errors.fold(
            worst,
            |m, e| if e.is_nan() { f64::INFINITY } else { m.max(e) },
        );
    }
    worst
}

#[test]
fn logits_of_a_hundred_images_match_the_float_model() {
    let test = "logits_of_a_hundred_images_match_the_float_model";
    let Some(folder) = shared(test, "models") else {
        return;
    };
    logits_match(&folder, (POLY2, "poly2"), 100);
}

#[test]
fn noise_at_128_bits_keeps_the_class_of_a_hundred_images() {
    let test = "noise_at_128_bits_keeps_the_class_of_a_hundred_images";
    let Some(folder) = shared(test, "models") else {
        return;
    };
    let graph = flow::load(&folder.join(POLY2)).unwrap();
    let config = Config {
        precision_bits: 9,
        ..Config::new("resnet20")
    };
    let circuit = compile(&graph, &config).unwrap().circuit;
    assert_eq!(circuit.security, Security::Classical128);
    let images = images(&folder, &graph, 100);
    let options = Options { noise: Some(1) };
    let found = simulate::run_all(&circuit, &images, options, &Silent).unwrap();
    let want = rows(&folder.join("ref/resnet20_cifar10_poly2_100_ort_logits_f32.npy"));
    assert_eq!(found.outputs.len(), want.len());
    let bits = worst_error(&found.outputs, &want).log2();
    println!("{POLY2}: noise of 2^{bits:.1} of the largest logit");
    assert!(bits <= -8.0, "2^{bits:.1}");
}

#[test]
fn every_spelling_and_degree_gives_the_logits_of_the_float_model() {
    let test = "every_spelling_and_degree_gives_the_logits_of_the_float_model";
    let Some(folder) = shared(test, "models") else {
        return;
    };
    for (variant, activation) in [
        ("poly2_folded", "poly2"),
        ("poly2_slicepad_dynamo18", "poly2"),
        ("poly4", "poly4"),
        ("poly4_folded", "poly4"),
        ("poly4_slicepad_dynamo18", "poly4"),
    ] {
        let model = format!("resnet20_cifar10_{variant}.onnx");
        logits_match(&folder, (&model, activation), 10);
    }
}

/// A machine on which encoding takes long.
fn dear_products() -> CostModel {
    let rates = Rates {
        transform: 1e-4,
        add: 4e-5,
        multiply: 5e-5,
        accumulate: 2e-5,
        key_product: 1e-4,
        convert: 1e-5,
        fill: 1e-4,
        encode_fixed: 1e-2,
        encode_limb: 1e-4,
        read: 1e-4,
    };
    machine(16, rates).unwrap()
}

/// Where bits are scarce, products are spent to save levels. What packing alone needs shows where products are dear and bits are not.
#[test]
fn its_circuit_is_small() {
    let Some(folder) = shared("its_circuit_is_small", "models") else {
        return;
    };
    let config = Config {
        security: Security::None,
        log_n: 16..=16,
        cost: dear_products(),
        // Half the slots need more products of half the price, weights that repeat more of a fraction of it.
        without: [Optimisation::RingSwitching, Optimisation::PeriodicWeights].into(),
        ..Config::new("resnet20")
    };
    let graph = flow::load(&folder.join(POLY2)).unwrap();
    let Compiled { circuit, .. } = compile(&graph, &config).unwrap();
    let total = Stats::of(&circuit).total;
    let values = circuit.values.values();
    let scalars = values.filter(|d| matches!(d.inst, Inst::MulScalar { .. }));
    let products = total.plaintext_products + scalars.count() as u64;
    let levels = circuit.rings.levels.len() as u64 - 1;
    let file = binary::write_circuit(&circuit).len() as u64;
    let model = std::fs::metadata(folder.join(POLY2)).unwrap().len();
    let figures = format!(
        "{levels} levels, {products} products, {} key switches, {:.1} times the model's file",
        total.key_switches,
        file as f64 / model as f64
    );
    println!("{POLY2}: {figures}");
    assert!(products <= 3000, "{figures}");
    assert!(total.key_switches <= 700, "{figures}");
    assert!(file <= 3 * model, "{figures}");
}

#[test]
fn two_residual_blocks_on_ciphertexts_at_128_bits_within_2_to_the_minus_10() {
    let test = "two_residual_blocks_on_ciphertexts_at_128_bits_within_2_to_the_minus_10";
    let Some(folder) = shared(test, "models") else {
        return;
    };
    let whole = flow::load(&folder.join(POLY2)).unwrap();
    let graph = up_to(&whole, "/layer1/layer1.1/act2/Add_1").expect("the second block");
    let compiled = compile(&graph, &Config::new("blocks")).unwrap();
    assert_eq!(compiled.circuit.security, Security::Classical128);
    println!(
        "ring 2^{}, {} levels",
        compiled.circuit.rings.largest_log_n(),
        compiled.circuit.rings.levels.len() - 1
    );
    let inputs = images(&folder, &graph, 1).remove(0);
    let want = flow::reference(&graph, &inputs).unwrap();
    let largest = want.values().flatten().fold(0.0f64, |m, x| m.max(x.abs()));
    let started = Instant::now();
    let encrypted = Encrypted::new(&compiled.circuit).unwrap();
    println!("keys in {:.1?}", started.elapsed());
    let got = encrypted.run(&inputs).unwrap();
    let bits = error_bits(&got, &want);
    println!(
        "error 2^{bits:.1} of {largest:.2}, all in {:.1?}",
        started.elapsed()
    );
    assert!(bits <= -10.0, "error 2^{bits:.1}");
}
