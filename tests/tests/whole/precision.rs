//! Precision of outputs: what is asked for is predicted, and what is predicted is measured on ciphertexts.

use ndarray::{ArrayD, Axis};
use peregrine_compiler::pipeline::{CompileError, Config};
use peregrine_compiler::precision::{Found, MAX_TRIALS, PrecisionError, SearchError};
use peregrine_compiler::tensor::Graph;
use peregrine_ir::Security;
use peregrine_runtime::simulate::{Deviation, Sample};
use peregrine_tests::flow::{self, Encrypted};
use peregrine_tests::random_graphs::{NUMBERS, random_graph};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::path::Path;

/// The most by which other draws of the noise change the largest error, in bits.
const TOLERANCE: f64 = 2.0;

fn digits() -> (Graph, Vec<Sample>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits");
    let graph = flow::load(&folder.join("digits.onnx")).unwrap();
    let images: ArrayD<f32> = ndarray_npy::read_npy(folder.join("images.npy")).unwrap();
    let samples = images.axis_iter(Axis(0)).take(3).map(|image| {
        let image = image.iter().map(|&x| f64::from(x)).collect();
        let inputs = flow::inputs(&graph, &[image]).unwrap();
        flow::sample(&graph, inputs).unwrap()
    });
    let samples = samples.collect();
    (graph, samples)
}

fn toy() -> Config {
    Config {
        security: Security::None,
        log_n: 11..=11,
        ..Config::new("toy")
    }
}

/// Precision of the decrypted outputs of all samples.
fn measured(found: &Found, samples: &[Sample]) -> f64 {
    let encrypted = Encrypted::new(&found.compiled.circuit).unwrap();
    let deviations = samples.iter().map(|sample| {
        let outputs = encrypted.run(&sample.inputs).unwrap();
        Deviation::of(&outputs, &sample.expected)
    });
    deviations.reduce(Deviation::join).unwrap().bits()
}

/// Compiles digits for so many bits, and compares prediction and measurement.
fn agrees_on_digits(config: &Config, asked: u32) {
    let (graph, samples) = digits();
    let found = flow::compile_for(&graph, config, asked, &samples).unwrap();
    let (predicted, measured) = (found.predicted_bits, measured(&found, &samples));
    let context = format!(
        "asked {asked}, predicted {predicted:.1}, measured {measured:.1}, {} bits per operation, {} trials",
        found.internal_bits, found.trials
    );
    println!("{context}");
    assert!(predicted >= f64::from(asked), "{context}");
    // Not more bits per operation than it takes.
    assert!(predicted < f64::from(asked) + 2.0, "{context}");
    assert!((predicted - measured).abs() <= TOLERANCE, "{context}");
    assert!(found.trials <= MAX_TRIALS, "{context}");
}

#[test]
fn predicted_precision_is_measured_in_a_small_ring() {
    for asked in [8, 13, 19] {
        agrees_on_digits(&toy(), asked);
    }
}

#[test]
fn predicted_precision_is_measured_at_128_bits() {
    for asked in [10, 16] {
        agrees_on_digits(&Config::new("digits"), asked);
    }
}

#[test]
fn the_search_is_deterministic_and_spares_at_most_a_bit() {
    let (graph, samples) = digits();
    let find = |asked| flow::compile_for(&graph, &toy(), asked, &samples).unwrap();
    let (one, two) = (find(14), find(14));
    assert_eq!(*one.compiled.circuit, *two.compiled.circuit);
    assert_eq!(one.predicted_bits, two.predicted_bits);
    let fewer = Config {
        precision_bits: one.internal_bits - 2,
        ..toy()
    };
    let compiled = peregrine_compiler::pipeline::compile(&graph, &fewer).unwrap();
    let silent = peregrine_runtime::exec::Silent;
    let predicted =
        peregrine_runtime::simulate::predict(&compiled.circuit, &samples, &silent).unwrap();
    assert!(predicted.bits() < 14.0, "{}", predicted.bits());
}

#[test]
fn what_no_ring_gives_is_refused_with_the_bits_that_are_missing() {
    let (graph, samples) = digits();
    // Depth 5 in a ring of degree 2^13 at 128 bits leaves little to choose.
    let config = Config {
        log_n: 13..=13,
        ..Config::new("digits")
    };
    let error = flow::compile_for(&graph, &config, 20, &samples).unwrap_err();
    let SearchError::Precision(PrecisionError::Unreached {
        asked,
        reached,
        internal,
        ref limit,
    }) = error
    else {
        panic!("{error}");
    };
    assert!(matches!(**limit, CompileError::Parameters(_)), "{limit}");
    assert_eq!(asked, 20);
    assert!((10.0..18.0).contains(&reached), "{error}");
    let missing = format!("{:.1} bits are missing", 20.0 - reached);
    assert!(error.to_string().contains(&missing), "{error}");
    // It is indeed the limit: one bit per operation more has no parameters, and what is reached can be asked for.
    let more = Config {
        precision_bits: internal + 1,
        ..config.clone()
    };
    assert!(peregrine_compiler::pipeline::compile(&graph, &more).is_err());
    let found = flow::compile_for(&graph, &config, reached.floor() as u32, &samples).unwrap();
    assert!(found.internal_bits <= internal);
    // Where nothing compiles at all, the reason is that of the compiler.
    let shallow = Config {
        log_n: 11..=11,
        ..config
    };
    let error = flow::compile_for(&graph, &shallow, 12, &samples).unwrap_err();
    assert!(matches!(error, SearchError::Compile(_)), "{error}");
}

/// Inputs between -0.9 and 0.9.
fn inputs(graph: &Graph) -> Sample {
    let image = |(port, (index, _)): (usize, (_, &str))| {
        let elements = graph.node(index).shape.elements();
        let value = |i| ((i + 7 * port) as f64 * 1.3).cos() * 0.9;
        (0..elements).map(value).collect()
    };
    let images: Vec<Vec<f64>> = graph.inputs().enumerate().map(image).collect();
    flow::sample(graph, flow::inputs(graph, &images).unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 100, failure_persistence: None, rng_seed: RngSeed::Fixed(5), ..Default::default() })]

    #[test]
    fn more_asked_bits_are_never_fewer_predicted_bits(numbers in prop::collection::vec(any::<u32>(), NUMBERS), asked in 6..14u32, more in 1..8u32) {
        let network = random_graph(&numbers);
        let (graph, samples) = (&network.graph, [inputs(&network.graph)]);
        let config = Config {
            security: Security::None,
            headroom_bits: 14,
            log_n: network.log_n..=network.log_n,
            ..Config::new("random")
        };
        let find = |asked| match flow::compile_for(graph, &config, asked, &samples) {
            Ok(found) => {
                let predicted = found.predicted_bits;
                prop_assert!(predicted >= f64::from(asked), "{predicted} for {asked}");
                Ok(Some(predicted))
            }
            Err(SearchError::Precision(error)) => {
                println!("{error}");
                Ok(None)
            }
            Err(error) => Err(TestCaseError::fail(error.to_string())),
        };
        let (few, many) = (find(asked)?, find(asked + more)?);
        prop_assert!(few.is_some() || many.is_none(), "{asked} + {more}: {few:?}, {many:?}");
        if let (Some(few), Some(many)) = (few, many) {
            prop_assert!(many > few - TOLERANCE, "{asked} + {more}: {few:?}, {many:?}");
        }
    }
}
