//! Networks in the shape of ResNet-50 and SqueezeNet: scaled-down twins compute what the model says; the whole networks at 224x224
//! compile, which takes minutes, when `PEREGRINE_FULL_SIZE` is set.

use peregrine_compiler::onnx::{self, NoExternalData, Options};
use peregrine_compiler::pipeline::{Compiled, Config, compile};
use peregrine_compiler::tensor::Graph;
use peregrine_ir::Security;
use peregrine_ir::stats::Stats;
use peregrine_tests::flow::{self, error_bits};
use peregrine_tests::networks::{resnet18, resnet32, resnet50, squeezenet};
use peregrine_tests::shared::skipped;
use std::time::Instant;

fn compiled(name: &str, model: &[u8], log_n: u32) -> (Graph, Compiled) {
    let graph = onnx::import(model, &NoExternalData, &Options::new(name)).unwrap();
    // A hundred levels without bootstrapping are beyond any ring of 128-bit security.
    let mut config = Config::new("network");
    config.security = Security::None;
    config.log_n = log_n..=log_n;
    config.precision_bits = 20;
    let start = Instant::now();
    let compiled = compile(&graph, &config).unwrap();
    let Stats { total, bounds, .. } = Stats::of(&compiled.circuit);
    println!(
        "{name}: compiled in {:.1} s, {} instructions, {} products of at least {}, {} key switches",
        start.elapsed().as_secs_f64(),
        total.instructions,
        bounds.products,
        bounds.least_products,
        total.key_switches
    );
    (graph, compiled)
}

fn check(name: &str, model: &[u8], log_n: u32) {
    let (graph, compiled) = compiled(name, model, log_n);
    let (image, _) = graph.inputs().next().unwrap();
    let elements = graph.node(image).shape.elements();
    let x = (0..elements).map(|i| (i as f64 * 0.37).sin()).collect();
    let inputs = flow::inputs(&graph, &[x]).unwrap();
    let want = flow::reference(&graph, &inputs).unwrap();
    let got = flow::simulated(&compiled.circuit, &inputs, None).unwrap();
    let bits = error_bits(&got, &want);
    assert!(bits < -12.0, "{name}: 2^{bits:.1} of the largest output");
}

#[test]
fn a_small_resnet50_computes_what_the_model_says() {
    check(
        "resnet50, 64x64, a sixteenth of the width",
        &resnet50(64, 16),
        12,
    );
}

#[test]
fn a_small_squeezenet_computes_what_the_model_says() {
    check(
        "squeezenet, 63x63, an eighth of the width",
        &squeezenet(63, 8),
        12,
    );
}

/// What is leveled and deep: at 128 bits a circuit, or how many bits are missing.
#[test]
fn deep_residual_networks_fit_a_secure_modulus() {
    for (name, model, precision_bits) in [
        ("resnet32", resnet32(), 8),
        ("resnet32", resnet32(), 18),
        ("resnet18", resnet18(), 8),
    ] {
        let graph = onnx::import(&model, &NoExternalData, &Options::new(name)).unwrap();
        let mut config = Config::new(name);
        config.precision_bits = precision_bits;
        config.log_n = 11..=16;
        let start = Instant::now();
        match compile(&graph, &config) {
            Ok(compiled) => {
                let ring = &compiled.circuit.rings;
                println!(
                    "{name}, {precision_bits} bits: {} levels of {:.0} bits with P, {:.1} s",
                    ring.levels.len() - 1,
                    ring.total_bits(ring.top_ring()),
                    start.elapsed().as_secs_f64()
                );
                assert!(precision_bits == 8 && ring.total_bits(ring.top_ring()) <= 1747.0);
            }
            Err(error) => {
                println!("{name}, {precision_bits} bits: {error}");
                assert!(
                    precision_bits > 8 && error.to_string().contains("bits are missing"),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn whole_networks_compile() {
    if std::env::var_os("PEREGRINE_FULL_SIZE").is_none() {
        let why = "it takes minutes; PEREGRINE_FULL_SIZE=1 runs it";
        skipped("whole_networks_compile", why);
        return;
    }
    let (_, network) = compiled("squeezenet", &squeezenet(224, 1), 16);
    assert!(Stats::of(&network.circuit).bounds.product_ratio.unwrap() < 10.0);
    let (_, network) = compiled("resnet50", &resnet50(224, 1), 16);
    assert!(Stats::of(&network.circuit).bounds.product_ratio.unwrap() < 10.0);
}
