//! Random networks through the whole compiler: the simulated circuit computes what the tensor graph says, and so do
//! ciphertexts, whatever operator meets whatever shape in whatever ring.
//!
//! `PEREGRINE_CASES` sets how many networks are simulated, `PEREGRINE_SEED` which. Both are printed, and so is how many
//! networks had which traits; one that no network has fails the test, unless fewer networks than usual were asked for.

use peregrine_compiler::pipeline::{Compiled, Config, compile};
use peregrine_compiler::tensor::Graph;
use peregrine_ir::{Security, text};
use peregrine_runtime::exec::Silent;
use peregrine_runtime::ports::Arrays;
use peregrine_runtime::simulate;
use peregrine_tests::flow::{self, Encrypted, error_bits};
use peregrine_tests::random_graphs::{NUMBERS, RandomGraph, random_graph};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestError, TestRunner};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// Networks simulated by default.
const CASES: u32 = 1500;
/// Networks of one sequence of random numbers; sequences run side by side.
const SEQUENCE: u32 = 25;

/// What some network of the default run must have: operators, shapes, packings.
const TRAITS: &[&str] = &[
    "asymmetric pads",
    "batch",
    "channels joined",
    "coefficients by element",
    "columns joined",
    "degree 1",
    "degree 2",
    "degree 3",
    "degree 4",
    "depth to space",
    "depthwise",
    "dilation 2",
    "edge padding",
    "factors",
    "fully connected",
    "gaps",
    "global pool",
    "groups",
    "many phases",
    "map larger than the slots",
    "map of one pixel",
    "matrices by channel",
    "matrix",
    "mean over axes",
    "odd extents",
    "other dimensions",
    "padding",
    "phases",
    "pool",
    "pool, ceil mode",
    "pool, ceil mode, padding counts",
    "pool, padding counts",
    "prime extents",
    "product",
    "replicas",
    "reversed",
    "rows joined",
    "several ciphertexts",
    "several inputs",
    "several outputs",
    "slice",
    "slice with steps",
    "small ring",
    "space to depth",
    "split",
    "square",
    "stride 2",
    "stride 3",
    "sum at different depths",
    "sum of three",
    "sum over axes",
    "sum with itself",
    "tensor larger than the slots",
    "tensor that leaves most slots empty",
    "transposed convolution",
    "transposition",
    "upsampling",
    "vector larger than the slots",
    "wide and flat",
];

fn setting(name: &str, default: u32) -> u32 {
    let value = std::env::var(name);
    value.map_or(default, |v| {
        v.parse().unwrap_or_else(|e| panic!("{name}={v}: {e}"))
    })
}

fn is_prime(n: u32) -> bool {
    n > 1 && (2..n).all(|d| !n.is_multiple_of(d))
}

/// The traits of shapes and packings.
fn traits(graph: &Graph, compiled: &Compiled) -> Vec<&'static str> {
    let slots = 1u64 << (compiled.circuit.rings.largest_log_n() - 1);
    let mut found = Vec::new();
    let mut note = |holds: bool, name| found.extend(holds.then_some(name));
    for index in graph.nodes() {
        let shape = &graph.node(index).shape;
        let (elements, [_, h, w]) = (shape.elements() as u64, shape.chw());
        note(u64::from(h * w) > slots, "map larger than the slots");
        note(elements > slots, "tensor larger than the slots");
        note(4 * elements <= slots, "tensor that leaves most slots empty");
        let prime = |e| e > 4 && is_prime(e);
        note(prime(h) && prime(w), "prime extents");
        note(h > 1 && h % 2 == 1 && w > 1 && w % 2 == 1, "odd extents");
        note(h == 1 && w == 1, "map of one pixel");
        note((h == 1) != (w == 1), "wide and flat");
        note(
            shape.rank() < 4 && elements > slots,
            "vector larger than the slots",
        );
    }
    note(compiled.circuit.rings.rings.len() > 1, "small ring");
    for layout in compiled.circuit.layouts.values() {
        let parts = layout.parts();
        note(parts.phases != [1, 1], "phases");
        note(parts.phases.iter().any(|&p| p > 2), "many phases");
        note(parts.gaps != [1, 1], "gaps");
        note(parts.replicas > 1, "replicas");
        note(layout.ciphertexts() > 1, "several ciphertexts");
    }
    found
}

/// Inputs between -0.9 and 0.9.
fn inputs(graph: &Graph) -> Arrays {
    let image = |(port, (index, _)): (usize, (_, &str))| {
        let elements = graph.node(index).shape.elements();
        let value = |i| ((i + 7 * port) as f64 * 1.3).cos() * 0.9;
        (0..elements).map(value).collect()
    };
    let images: Vec<Vec<f64>> = graph.inputs().enumerate().map(image).collect();
    flow::inputs(graph, &images).unwrap()
}

fn compiled(network: &RandomGraph) -> Result<Compiled, TestCaseError> {
    let mut config = Config::new("random");
    config.security = Security::None;
    config.log_n = network.log_n..=network.log_n;
    config.precision_bits = 20;
    config.headroom_bits = 14;
    compile(&network.graph, &config).map_err(|e| TestCaseError::fail(e.to_string()))
}

fn largest(outputs: &BTreeMap<String, Vec<f64>>) -> f64 {
    outputs
        .values()
        .flatten()
        .fold(0.0f64, |m, x| m.max(x.abs()))
}

/// Compiles, simulates and compares; gives the traits of the network and the error in bits.
fn simulated(numbers: &[u32]) -> Result<(Vec<&'static str>, f64), TestCaseError> {
    let network = random_graph(numbers);
    let graph = &network.graph;
    let compiled = compiled(&network)?;
    prop_assert_eq!(
        text::parse(&text::print(&compiled.circuit)).unwrap(),
        (*compiled.circuit).clone()
    );
    let inputs = inputs(graph);
    let want = flow::reference(graph, &inputs).unwrap();
    let got = flow::simulated(&compiled.circuit, &inputs, None).unwrap();
    // Products with numbers are rounded to the working scale, 23 to 27 bits here; deep networks amplify that.
    let bits = error_bits(&got, &want);
    prop_assert!(bits < -12.0, "2^{bits:.1} of {}", largest(&want));
    let mut traits = traits(graph, &compiled);
    traits.extend(&network.features);
    traits.sort_unstable();
    traits.dedup();
    Ok((traits, bits))
}

/// One sequence of random networks, the same for the same numbers.
fn sequence(
    (seed, number, cases): (u32, u32, u32),
    check: impl Fn(&[u32]) -> Result<(), TestCaseError>,
) -> Result<(), String> {
    let mut runner = TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 1000,
        rng_seed: RngSeed::Fixed(u64::from(seed) << 32 | u64::from(number)),
        ..ProptestConfig::default()
    });
    let numbers = prop::collection::vec(any::<u32>(), NUMBERS);
    let failed = runner.run(&numbers, |numbers| check(&numbers)).err();
    failed.map_or(Ok(()), |error| match error {
        TestError::Fail(reason, numbers) => {
            let RandomGraph { graph, log_n, .. } = random_graph(&numbers);
            let nodes = graph.nodes().map(|i| {
                format!(
                    "\n  {:?} {:?} {:.400}",
                    i,
                    graph.operands(i),
                    format!("{:?}", graph.node(i))
                )
            });
            let nodes: String = nodes.collect();
            Err(format!(
                "sequence {number}, ring 2^{log_n}: {reason}{nodes}\n  outputs {:?}",
                graph.outputs
            ))
        }
        TestError::Abort(reason) => Err(reason.to_string()),
    })
}

#[test]
fn the_simulator_agrees() {
    let (cases, seed) = (
        setting("PEREGRINE_CASES", CASES),
        setting("PEREGRINE_SEED", 1),
    );
    println!("PEREGRINE_CASES={cases} PEREGRINE_SEED={seed}");
    let counts: Mutex<BTreeMap<&str, u32>> = Mutex::default();
    let worst = Mutex::new(f64::NEG_INFINITY);
    let failures: Mutex<Vec<String>> = Mutex::default();
    let next = AtomicU32::new(0);
    let work = || loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let cases = cases
            .saturating_sub(number.saturating_mul(SEQUENCE))
            .min(SEQUENCE);
        if cases == 0 || failures.lock().unwrap().len() > 2 {
            return;
        }
        let outcome = sequence((seed, number, cases), |numbers| {
            let (traits, bits) = simulated(numbers)?;
            let mut counts = counts.lock().unwrap();
            for name in traits {
                *counts.entry(name).or_insert(0) += 1;
            }
            let mut worst = worst.lock().unwrap();
            *worst = worst.max(bits);
            Ok(())
        });
        failures.lock().unwrap().extend(outcome.err());
    };
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    let counts = counts.into_inner().unwrap();
    for (name, count) in &counts {
        println!("{count:6} {name}");
    }
    println!("largest error 2^{:.1}", worst.into_inner().unwrap());
    let missing: Vec<_> = TRAITS
        .iter()
        .filter(|t| !counts.contains_key(**t))
        .collect();
    assert!(
        cases < CASES || missing.is_empty(),
        "never met: {missing:?}"
    );
}

#[test]
fn ciphertexts_agree() {
    let (compared, switched) = (AtomicU32::new(0), AtomicU32::new(0));
    let outcome = sequence((1, u32::MAX, 60), |numbers| {
        let network = random_graph(numbers);
        if network.log_n > 9 {
            return Ok(());
        }
        let compiled = compiled(&network)?;
        let inputs = inputs(&network.graph);
        let want = flow::reference(&network.graph, &inputs).unwrap();
        let options = simulate::Options { noise: Some(1) };
        let simulation = simulate::run(&compiled.circuit, &inputs, options, &Silent).unwrap();
        let fits = simulation.headroom.is_some_and(|least| least.bits > 1.0);
        if !fits || !(0.01..100.0).contains(&largest(&want)) {
            return Ok(());
        }
        compared.fetch_add(1, Ordering::Relaxed);
        let switches = compiled.circuit.rings.rings.len() > 1;
        switched.fetch_add(u32::from(switches), Ordering::Relaxed);
        let encrypted = Encrypted::new(&compiled.circuit).unwrap();
        let bits = error_bits(&encrypted.run(&inputs).unwrap(), &want);
        prop_assert!(bits < -6.0, "2^{bits:.1}");
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    let compared = compared.into_inner();
    assert!(
        compared >= 20,
        "only {compared} networks were small enough to compare"
    );
    let switched = switched.into_inner();
    assert!(switched >= 5, "only {switched} of them switch rings");
}
