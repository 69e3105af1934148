//! Optimisations that are left out: the circuit computes the same, and what was left out is gone.

use peregrine_compiler::ablation::{Figures, Outcome, ablate};
use peregrine_compiler::onnx::{self, NoExternalData, Options};
use peregrine_compiler::optimisation::Optimisation;
use peregrine_compiler::passes::keys::{KeyBudget, KeyError};
use peregrine_compiler::pipeline::{CompileError, Compiled, Config, compile};
use peregrine_compiler::tensor::Graph;
use peregrine_ir::stats::Stats;
use peregrine_ir::{Circuit, Level, RingTable, Security};
use peregrine_runtime::ports::Arrays;
use peregrine_tests::flow::{self, Encrypted, error_bits, simulated};
use peregrine_tests::networks;
use peregrine_tests::random_graphs::{NUMBERS, random_graph};
use proptest::prelude::*;
use std::path::Path;

fn digits() -> Graph {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits/digits.onnx");
    flow::load(&path).unwrap()
}

/// A configuration for a network, with something left out.
fn config(without: impl IntoIterator<Item = Optimisation>) -> Config {
    Config {
        without: without.into_iter().collect(),
        ..Config::new("network")
    }
}

/// The same network with everything and without one optimisation.
fn both(graph: &Graph, optimisation: Optimisation) -> [Compiled; 2] {
    [config([]), config([optimisation])].map(|config| compile(graph, &config).unwrap())
}

fn images(graph: &Graph) -> Arrays {
    let value = |i: usize| (i as f64 * 1.3).cos() * 0.9;
    let images: Vec<Vec<f64>> = graph
        .inputs()
        .map(|(index, _)| (0..graph.node(index).shape.elements()).map(value).collect())
        .collect();
    flow::inputs(graph, &images).unwrap()
}

#[test]
fn ciphertexts_give_the_same_without_each() {
    let graph = digits();
    let inputs = images(&graph);
    let want = flow::reference(&graph, &inputs).unwrap();
    for each in Optimisation::ALL {
        let circuit = compile(&graph, &config([each])).unwrap().circuit;
        let remark = &circuit.remarks.last().unwrap().text;
        assert_eq!(remark, &format!("made without {each}"));
        let bits = error_bits(&simulated(&circuit, &inputs, None).unwrap(), &want);
        assert!(bits < -20.0, "without {each}: error 2^{bits:.1}");
        let got = Encrypted::new(&circuit).unwrap().run(&inputs).unwrap();
        let bits = error_bits(&got, &want);
        assert!(
            bits < -10.0,
            "without {each}: error 2^{bits:.1} on ciphertexts"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn random_networks_compute_the_same_without_any(
        numbers in proptest::collection::vec(any::<u32>(), NUMBERS),
        without in proptest::sample::subsequence(Optimisation::ALL.to_vec(), 0..=Optimisation::ALL.len()),
    ) {
        let network = random_graph(&numbers);
        let graph = &network.graph;
        let config = Config {
            security: Security::None,
            log_n: network.log_n..=network.log_n,
            precision_bits: 20,
            headroom_bits: 14,
            ..config(without)
        };
        let circuit = compile(graph, &config).unwrap().circuit;
        let inputs = images(graph);
        let want = flow::reference(graph, &inputs).unwrap();
        let bits = error_bits(&simulated(&circuit, &inputs, None).unwrap(), &want);
        prop_assert!(bits < -12.0, "2^{bits:.1}");
    }
}

#[test]
fn without_rewrites_the_graph_is_that_of_the_model() {
    let graph = digits();
    let rules =
        |compiled: &Compiled| -> Vec<&str> { compiled.rewrites.counts().into_keys().collect() };
    let [all, unfused] = both(&graph, Optimisation::NodeFusing);
    assert!(all.graph.len() < graph.len() && unfused.graph.len() == graph.len());
    let [_, unmoved] = both(&graph, Optimisation::Redistribution);
    let (fusing, moving) = (rules(&unmoved), rules(&unfused));
    assert!(!fusing.is_empty() && !moving.is_empty());
    assert!(fusing.iter().all(|rule| !moving.contains(rule)));
    let neither = config([Optimisation::NodeFusing, Optimisation::Redistribution]);
    assert!(compile(&graph, &neither).unwrap().rewrites.is_empty());
}

#[test]
fn without_turned_copies_all_are_exact() {
    let [all, without] = both(&digits(), Optimisation::SkewedReplicas);
    let aligned = |circuit: &Circuit| circuit.layouts.values().all(|layout| layout.is_aligned());
    assert!(!aligned(&all.circuit) && aligned(&without.circuit));
}

#[test]
fn without_hoisting_nothing_is_shared() {
    let counts = |compiled: &Compiled| Stats::of(&compiled.circuit).total;
    let [all, without] = both(&digits(), Optimisation::Hoisting).map(|c| counts(&c));
    assert!(all.decompositions < all.key_switches);
    assert_eq!(without.decompositions, without.key_switches);
    assert_eq!(without.mod_downs, without.key_switches);
    let [all, without] = both(&digits(), Optimisation::DoubleHoisting).map(|c| counts(&c));
    assert!(all.mod_downs < all.key_switches);
    assert_eq!(without.mod_downs, without.key_switches);
    assert_eq!(without.decompositions, all.decompositions);
}

#[test]
fn without_key_selection_no_budget_is_met() {
    let graph = digits();
    let bytes = Stats::of(&compile(&graph, &config([])).unwrap().circuit).key_bytes;
    let budget = |without: &[Optimisation]| Config {
        key_budget: KeyBudget::AtMost(bytes / 2),
        ..config(without.iter().copied())
    };
    compile(&graph, &budget(&[])).unwrap();
    let error = compile(&graph, &budget(&[Optimisation::KeySelection])).unwrap_err();
    let CompileError::Keys(KeyError::Budget { least, .. }) = error else {
        panic!("{error}");
    };
    assert!(least >= bytes);
}

/// Bits that each rescale drops, the lowest level first.
fn drops(ring: &RingTable) -> Vec<f64> {
    let levels = (0..ring.levels.len() as u32).map(Level);
    let bits: Vec<f64> = levels
        .map(|level| ring.level_bits(level).unwrap())
        .collect();
    bits.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// Whether each level has all primes of the level below.
fn is_nested(ring: &RingTable) -> bool {
    let mut above = (1..ring.levels.len() as u32).map(Level);
    above.all(|level| ring.contains(level, Level(level.0 - 1)))
}

#[test]
fn moduli_are_simpler_without_each() {
    let bytes = networks::squeezenet(32, 16);
    let graph = onnx::import(&bytes, &NoExternalData, &Options::new("squares")).unwrap();
    let ring = |without: &[Optimisation]| {
        let config = Config {
            security: Security::None,
            log_n: 12..=12,
            // Going to another ring takes a level that drops nothing.
            ..config(without.iter().copied().chain([Optimisation::RingSwitching]))
        };
        compile(&graph, &config).unwrap().circuit.rings.clone()
    };
    let all = ring(&[]);
    assert!(!is_nested(&all));
    assert!(is_nested(&ring(&[Optimisation::GranularModuli])));
    // Squares that are not rescaled by themselves.
    let eager = ring(&[Optimisation::TowerReuse]);
    assert!(eager.levels.len() > all.levels.len() + 10);
    let shorter = |ring: &RingTable| {
        let unit = f64::from(ring.unit_bits) - 0.2;
        drops(ring).into_iter().any(|bits| bits < unit)
    };
    assert!(shorter(&all) && !shorter(&ring(&[Optimisation::SeparateScales])));
}

#[test]
fn a_report_compares_and_says_by_how_much_a_modulus_is_too_long() {
    let graph = digits();
    let config = Config {
        log_n: 13..=13,
        ..config([Optimisation::KeySelection])
    };
    let full = compile(&graph, &config).unwrap().circuit;
    let rows = ablate(&graph, &config, &full);
    assert_eq!(rows, ablate(&graph, &config, &full));
    let names: Vec<_> = rows.iter().map(|row| row.without).collect();
    let rest = Optimisation::ALL
        .into_iter()
        .filter(|o| *o != Optimisation::KeySelection);
    let expected: Vec<_> = std::iter::once(None).chain(rest.map(Some)).collect();
    assert_eq!(names, expected);
    let own = Figures::of(&full, &config);
    for row in rows {
        match (row.without, row.outcome) {
            (
                None,
                Outcome::Compiled {
                    figures,
                    more_seconds,
                },
            ) => {
                assert_eq!((&figures, more_seconds), (&own, 0.0));
                assert!(
                    (figures.levels, figures.primes) == (6, 6) && figures.modulus_bits <= 218.0
                );
            }
            (Some(Optimisation::NodeFusing), outcome) => {
                let Outcome::Refused {
                    refused,
                    missing_bits,
                } = outcome
                else {
                    panic!("{outcome:?}");
                };
                assert!(
                    missing_bits.unwrap() > 10.0 && refused.contains("218"),
                    "{refused}"
                );
            }
            (Some(Optimisation::Hoisting | Optimisation::SkewedReplicas), outcome) => {
                let Outcome::Compiled {
                    figures,
                    more_seconds,
                } = outcome
                else {
                    panic!("{outcome:?}");
                };
                assert!(more_seconds > 0.0);
                assert_eq!(figures.seconds - own.seconds, more_seconds);
            }
            _ => {}
        }
    }
}
