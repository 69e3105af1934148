//! What no ring can hold is refused before anything is planned, never what one can, and with what would help.

use peregrine_compiler::advice::WaysOut;
use peregrine_compiler::manage::parameters::{ParameterError, ScaleBits};
use peregrine_compiler::manage::possible::Path;
use peregrine_compiler::onnx::{self, NoExternalData, Options};
use peregrine_compiler::optimisation::Optimisation;
use peregrine_compiler::pipeline::{CompileError, Config, Session, compile};
use peregrine_compiler::tensor::Graph;
use peregrine_ir::{Level, Security};
use peregrine_tests::networks;
use peregrine_tests::onnx_bytes::Model;
use peregrine_tests::random_graphs::{NUMBERS, random_graph};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// A vector that is squared and multiplied with a matrix so often.
fn squares(count: usize) -> Graph {
    let mut model = Model::default();
    model.input("x", &[1, 8]);
    let values = (0..64).map(|i| (i as f32 * 0.7).sin() / 4.0);
    let weight = model.weight("w", &[8, 8], values);
    let mut last = "x".to_owned();
    for _ in 0..count {
        let square = model.node("Mul", &[&last, &last], &[]);
        last = model.node("MatMul", &[&square, &weight], &[]);
    }
    let model = {
        let name = model.node("Identity", &[&last], &[]);
        model.output(&name, &[1, 8]);
        model.finish()
    };
    onnx::import(&model, &NoExternalData, &Options::new("squares")).unwrap()
}

#[test]
fn a_chain_of_squares_is_refused_with_what_is_missing_and_what_would_help() {
    let graph = squares(200);
    let mut config = Config::new("squares");
    config.without = [Optimisation::Bootstrapping].into();
    let session = Session::new(&graph, &config.without).unwrap();
    let error = session.possible(&config).unwrap_err();
    let CompileError::Parameters(error) = error else {
        panic!("{error}");
    };
    let ParameterError::Depth { log_n, path, .. } = error else {
        panic!("{error}");
    };
    assert_eq!((log_n, path.products), (17, 200));
    let missing = error.missing_bits().unwrap();
    let said = format!("{:.0} bits are missing", missing.ceil());
    assert!(error.to_string().contains(&said), "{error}");
    assert_eq!(
        compile(&graph, &config).unwrap_err(),
        CompileError::Parameters(error.clone())
    );

    let ways_out = WaysOut::search(&session, &config, &error);
    assert!(!ways_out.is_tried);
    assert_eq!((ways_out.log_n, ways_out.operation_bits), (None, None));
    assert!(ways_out.missing_at_least_bits.unwrap() < missing);
    assert_eq!(ways_out.insecure_log_n, Some(17));
    let (held, needed) = ways_out.products.unwrap();
    assert_eq!(needed, 200);
    // What it says fits does.
    let graph = squares(held as usize);
    let session = Session::new(&graph, &config.without).unwrap();
    session.possible(&config).unwrap();
}

/// What could be refreshed if its values had bounds says so.
#[test]
fn a_chain_whose_values_have_no_bounds_is_refused_with_what_would_give_them() {
    let graph = squares(200);
    let error = compile(&graph, &Config::new("squares")).unwrap_err();
    let CompileError::Placement { source, .. } = &error else {
        panic!("{error}");
    };
    assert!(source.missing_bits().is_some(), "{source}");
    let said = error.to_string();
    assert!(
        said.contains("bits are missing") && said.contains("nothing bounds them"),
        "{said}"
    );
}

#[test]
fn larger_rings_and_fewer_bits_are_named_where_they_do() {
    let graph = squares(12);
    let config = Config {
        log_n: 13..=14,
        ..Config::new("squares")
    };
    let mut session = Session::new(&graph, &config.without).unwrap();
    let error = session.compile(&config, &|_, _| {}).unwrap_err();
    let CompileError::Parameters(error) = error else {
        panic!("{error}");
    };
    let ways_out = WaysOut::search(&session, &config, &error);
    let log_n = ways_out.log_n.unwrap();
    let larger = |log_n| Config {
        log_n: log_n..=log_n,
        ..config.clone()
    };
    compile(&graph, &larger(log_n)).unwrap();
    assert_eq!(log_n, 15);
    let shallow = squares(5);
    let tight = Config {
        precision_bits: 23,
        log_n: 14..=14,
        ..config
    };
    let mut session = Session::new(&shallow, &tight.without).unwrap();
    let Err(CompileError::Parameters(error)) = session.compile(&tight, &|_, _| {}) else {
        panic!("it compiles");
    };
    let bits = WaysOut::search(&session, &tight, &error)
        .operation_bits
        .unwrap();
    let fewer = Config {
        precision_bits: bits,
        ..tight
    };
    compile(&shallow, &fewer).unwrap();
}

/// That a ring has the bits that the network cannot do without.
fn is_bounded_by_its_ring(graph: &Graph, config: &Config) -> Result<(), TestCaseError> {
    let Ok(compiled) = compile(graph, config) else {
        return Ok(());
    };
    let ring = &compiled.circuit.rings;
    let path = Path::longest(
        &compiled.graph,
        &ScaleBits::new(ring.unit_bits, ring.largest_log_n()),
    );
    let top = Level(ring.levels.len() as u32 - 1);
    let (has, base) = (
        ring.level_bits(top).unwrap(),
        ring.unit_bits + config.headroom_bits,
    );
    let needs = f64::from(path.bits + base);
    // Primes are short of their lengths by less than a bit each: in small rings there are few.
    let short = ring.primes.len() as f64;
    prop_assert!(needs <= has + short, "{path:?}: {needs} bits of {has}");
    Ok(())
}

#[test]
fn known_networks_have_the_bits_that_they_cannot_do_without() {
    for model in [networks::resnet8(), networks::squeezenet(32, 16)] {
        let graph = onnx::import(&model, &NoExternalData, &Options::new("network")).unwrap();
        is_bounded_by_its_ring(&graph, &Config::new("network")).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn random_networks_have_the_bits_that_they_cannot_do_without(
        numbers in proptest::collection::vec(any::<u32>(), NUMBERS),
        precision_bits in 8u32..24,
    ) {
        let network = random_graph(&numbers);
        let config = Config {
            security: Security::None,
            precision_bits,
            log_n: network.log_n..=network.log_n,
            ..Config::new("random")
        };
        is_bounded_by_its_ring(&network.graph, &config)?;
    }
}
