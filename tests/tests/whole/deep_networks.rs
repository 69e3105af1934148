//! Networks that are too deep for a ring: their values are refreshed, and the results are the same.
//!
//! Toy rings, with a limit to their modulus as rings that are secure have it.

use peregrine_compiler::onnx::{self, NoExternalData};
use peregrine_compiler::optimisation::Optimisation;
use peregrine_compiler::pipeline::{CompileError, Compiled, Config, compile};
use peregrine_compiler::tensor::Graph;
use peregrine_ir::{Inst, SecretKind, Security};
use peregrine_runtime::exec::Silent;
use peregrine_runtime::ports::{Array, Arrays};
use peregrine_runtime::simulate::{self, Options};
use peregrine_tests::flow::{self, Encrypted, error_bits};
use peregrine_tests::networks;

/// log2 of the longest modulus: a refresh leaves about 500 bits of it.
const MODULUS_BITS: u32 = 1400;

fn network(model: &[u8]) -> Graph {
    onnx::import(model, &NoExternalData, &onnx::Options::new("deep")).unwrap()
}

fn images(graph: &Graph, count: usize) -> Vec<Arrays> {
    let image = |seed: usize| {
        let tensors = graph.inputs().map(|(index, _)| {
            let pixels = 0..graph.given_shape(index).elements();
            pixels
                .map(|i| ((i * (seed + 3)) as f64 * 0.37).sin() * 0.8)
                .collect()
        });
        flow::inputs(graph, &tensors.collect::<Vec<_>>()).unwrap()
    };
    (0..count).map(image).collect()
}

/// The configuration for a toy ring.
fn toy(graph: &Graph, log_n: u32) -> Config {
    Config {
        security: Security::None,
        modulus_bits: Some(MODULUS_BITS),
        log_n: log_n..=log_n,
        bounds: flow::bounds(graph, &images(graph, 4)).unwrap(),
        ..Config::new("deep")
    }
}

/// Calls of each function of a circuit.
fn calls(compiled: &Compiled, name: &str) -> u64 {
    let circuit = &compiled.circuit;
    let functions = circuit.functions.values().zip(circuit.runs_of_functions());
    let named = functions.filter(|(function, _)| function.name == name);
    named.map(|(_, runs)| runs).sum()
}

/// Bits that are right of outputs of simulated noise, and of ciphertexts.
fn bits(graph: &Graph, compiled: &Compiled) -> [f64; 2] {
    let image = &images(graph, 1)[0];
    let expected = flow::reference(graph, image).unwrap();
    let relative = |found: &Arrays| -error_bits(found, &expected);
    let simulated = flow::simulated(&compiled.circuit, image, Some(1)).unwrap();
    let encrypted = Encrypted::new(&compiled.circuit)
        .unwrap()
        .run(image)
        .unwrap();
    [relative(&simulated), relative(&encrypted)]
}

fn agrees(graph: &Graph, compiled: &Compiled) {
    let [simulated, encrypted] = bits(graph, compiled);
    assert!(simulated > 7.0, "{simulated:.1} bits simulated");
    assert!(
        (encrypted - simulated).abs() < 3.0,
        "{encrypted:.1} bits encrypted, {simulated:.1} simulated"
    );
}

#[test]
fn a_deep_chain_is_refreshed_one_ciphertext_at_a_time() {
    let graph = network(&networks::convolutions(1, 8, &[4; 30]));
    let compiled = compile(&graph, &toy(&graph, 11)).unwrap();
    let (one, two) = (
        calls(&compiled, "refresh_one"),
        calls(&compiled, "refresh_two"),
    );
    assert!(one >= 1 && two == 0, "{one} {two}");
    agrees(&graph, &compiled);
}

#[test]
fn values_that_repeat_are_refreshed_in_a_smaller_ring() {
    let graph = network(&networks::convolutions(1, 8, &[4; 30]));
    let config = Config {
        without: [Optimisation::SkewedReplicas].into(),
        ..toy(&graph, 11)
    };
    let compiled = compile(&graph, &config).unwrap();
    assert!(calls(&compiled, "refresh_one") >= 1);
    let mut rings = compiled.circuit.rings.rings.values();
    let sparse = rings.find(|ring| ring.secret != SecretKind::Ternary);
    assert_eq!(sparse.map(|ring| ring.log_n), Some(10));
    agrees(&graph, &compiled);
}

#[test]
fn several_ciphertexts_are_refreshed_in_pairs() {
    let graph = network(&networks::convolutions(2, 8, &[24; 30]));
    let compiled = compile(&graph, &toy(&graph, 9)).unwrap();
    assert!(calls(&compiled, "refresh_two") >= 1);
    let report = compiled.refreshes.as_ref().unwrap();
    let next = report.next.as_ref().unwrap();
    assert!(
        next.ratio >= 1.0 && next.before != report.before(),
        "{next:?}"
    );
    agrees(&graph, &compiled);
}

/// A skip that is longer than a stretch crosses several cuts and is refreshed once.
#[test]
fn long_skips_are_refreshed_once() {
    let graph = network(&networks::unet(8, &[4, 6, 8], 5));
    let config = Config {
        precision_bits: 16,
        ..toy(&graph, 11)
    };
    let compiled = compile(&graph, &config).unwrap();
    let cuts = &compiled.refreshes.as_ref().unwrap().cuts;
    assert!(cuts.len() >= 2, "{cuts:?}");
    let crossing = cuts
        .iter()
        .map(|cut| u64::from(cut.ciphertexts().div_ceil(2)));
    assert_eq!(calls(&compiled, "refresh_lift"), crossing.sum::<u64>());
    let mut refreshed: Vec<&str> = cuts
        .iter()
        .flat_map(|cut| &cut.refreshed)
        .map(|node| node.node.as_str())
        .collect();
    let all = refreshed.len();
    refreshed.sort_unstable();
    refreshed.dedup();
    assert_eq!(refreshed.len(), all, "{cuts:?}");
    agrees(&graph, &compiled);
}

#[test]
fn without_bootstrapping_or_bounds_a_deep_network_is_refused() {
    let graph = network(&networks::convolutions(1, 8, &[4; 30]));
    let mut config = toy(&graph, 11);
    config.without = [Optimisation::Bootstrapping].into();
    let error = compile(&graph, &config).err().unwrap();
    assert!(matches!(error, CompileError::Parameters(_)), "{error}");
    config.without.clear();
    config.bounds.clear();
    let error = compile(&graph, &config).err().unwrap().to_string();
    assert!(
        error.contains("nothing bounds them") && error.contains("--calibrate"),
        "{error}"
    );
}

/// With little more modulus than a refresh takes there are fewer special primes to choose from, or no room at all: never a panic.
#[test]
fn a_short_modulus_is_used_or_refused() {
    let graph = network(&networks::convolutions(1, 8, &[4; 30]));
    let held = [990, 1010, 1050, 1100, 1200].map(|bits| {
        let config = Config {
            modulus_bits: Some(bits),
            ..toy(&graph, 11)
        };
        match compile(&graph, &config) {
            Ok(compiled) => calls(&compiled, "refresh_one") > 0,
            Err(error) => {
                assert!(!error.to_string().contains("internal error"), "{error}");
                false
            }
        }
    });
    assert!(!held[0] && held[4], "{held:?}");
}

#[test]
fn a_network_that_fits_a_ring_is_not_refreshed() {
    let graph = network(&networks::convolutions(1, 8, &[4; 6]));
    let mut config = toy(&graph, 11);
    // Whether a refresh would be possible or not.
    for _ in 0..2 {
        let compiled = compile(&graph, &config).unwrap();
        assert!(compiled.circuit.functions.is_empty());
        config.bounds.clear();
    }
    let compiled = compile(&graph, &config).unwrap();
    let values = compiled.circuit.values.values();
    let raises = values.filter(|d| matches!(d.inst, Inst::RaiseExt { .. }));
    assert_eq!(raises.count(), 0);
}

/// Values far outside their bounds come back from a refresh as numbers like any other. No such answer is taken for one.
#[test]
fn values_far_outside_their_bounds_are_noticed() {
    let graph = network(&networks::convolutions(1, 8, &[4; 30]));
    let compiled = compile(&graph, &toy(&graph, 11)).unwrap();
    let roles = Encrypted::new(&compiled.circuit).unwrap();
    let image = images(&graph, 1).remove(0);
    let (mut noticed, mut right) = (Vec::new(), 0);
    for case in 0..20u32 {
        // The whole image by more and more, then single pixels.
        let factor = f64::from(case % 10 + 1) * 1.5;
        let single = (case >= 10).then(|| case as usize * 7);
        let mut odd = image.clone();
        for array in odd.values_mut() {
            let scaled = array.data().iter().enumerate().map(|(i, x)| match single {
                Some(at) if at != i => *x,
                Some(_) => factor * factor,
                None => x * factor,
            });
            *array = Array::new(array.shape().clone(), scaled.collect()).unwrap();
        }
        let options = Options { noise: Some(1) };
        let simulated = simulate::run_all(&compiled.circuit, &[odd.clone()], options, &Silent);
        let limit = compiled.circuit.outputs[0].imaginary.unwrap();
        let changed = &simulated.unwrap().imaginary[0];
        // What is no number is no small one.
        let foreseen = changed.values().any(|&x| x.is_nan() || x > limit);
        match roles.run(&odd) {
            Ok(found) => {
                let expected = flow::reference(&graph, &odd).unwrap();
                let bits = -error_bits(&found, &expected);
                assert!(
                    bits > 4.0,
                    "case {case}: {bits:.1} bits are right, and nobody noticed"
                );
                assert!(!foreseen, "case {case}: {changed:?} of {limit}");
                right += 1;
            }
            Err(error) => {
                assert!(foreseen, "case {case}: {changed:?} of {limit}, {error}");
                noticed.push(error.to_string());
            }
        }
    }
    // What is furthest off has no room in the modulus.
    let named = noticed.iter();
    let named = named.filter(|said| said.contains("a refresh changed values"));
    assert!(
        named.count() >= 1 && noticed.len() >= 5 && right >= 2,
        "{right} right, {noticed:?}"
    );
}
