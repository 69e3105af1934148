//! Functions: a call computes what its body computes in its place, and is predicted as such.

use crate::common::{Parties, Toy, inputs, numbers};
use peregrine_ir::cost::CostModel;
use peregrine_ir::stats::Stats;
use peregrine_ir::testing::{circuits, inlined};
use peregrine_ir::*;
use peregrine_runtime::backend::cpu::CpuFootprint;
use peregrine_runtime::client::Client;
use peregrine_runtime::exec::memory::{self, Budget};
use peregrine_runtime::exec::{KeyResidence, Progress, Silent, Step};
use peregrine_runtime::server::Resources;
use peregrine_runtime::simulate::{self, Options};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const TOY: Toy = Toy {
    log_n: 9,
    depth: 3,
    alpha: 2,
};

/// A function of two results with a complex constant and shared digits, called on its own results: `(a, b)` to
/// `(rotate(a, 1) * c + b, b)`.
fn twice() -> Verified {
    let mut toy = TOY.builder();
    let slots = toy.shape.elements();
    let (re, im) = (
        toy.constant(numbers(1, slots)),
        toy.constant(numbers(2, slots)),
    );
    let (scale, level, low) = (toy.scale(), toy.top, Level(toy.top.0 - 1));
    let ty = Type::cipher(level, scale.clone());
    let mut function = |name: &str, level: Level, to: Level, ty: Type| {
        let scale = scale.clone();
        toy.builder.function(name, |builder| {
            let a = builder.push(Inst::Input { ty: ty.clone() })?;
            let digits = builder.push(Inst::InputDigits(a))?;
            let b = builder.push(Inst::Input { ty })?;
            let rotation = Rotation(1);
            let turned = builder.push(Inst::RotateExt {
                a,
                digits,
                rotation,
            })?;
            let turned = builder.push(Inst::ModDown(turned))?;
            let turned = builder.push(Inst::Add(vec![turned, b]))?;
            let constant = builder.push(Inst::Encode {
                constant: re,
                imaginary: Some(im),
                level,
                scale: scale.clone(),
                basis: Basis::Normal,
            })?;
            let product = builder.push(Inst::MulPlain(turned, constant))?;
            let product = builder.push(Inst::Rescale { a: product, to })?;
            Ok::<_, TypeError>(vec![product, b, turned])
        })
    };
    let step = function("step", level, low, ty).unwrap();
    let x = toy.input("x");
    let y = toy.input("y");
    let first = |toy: &mut crate::common::Toybox, a, b| {
        let digits = toy.push(Inst::Decompose(a));
        toy.builder.call(step, vec![a, digits, b]).unwrap()
    };
    let one = first(&mut toy, x, y);
    let two = first(&mut toy, one[1], one[2]);
    let sum = toy.push(Inst::Add(vec![one[0], two[0]]));
    toy.output(sum);
    toy.finish()
}

fn checked(circuit: Circuit) -> Verified {
    verify(circuit).unwrap_or_else(|errors| panic!("{errors}"))
}

/// What a client decrypts of a circuit, to the last bit, for fixed seeds: what it decrypts is all of a ciphertext that others with the
/// same key can see. None where the values do not fit the circuit.
fn decrypted(circuit: &Verified, seed: u64, window: usize) -> Option<Vec<u64>> {
    let given = inputs(circuit, seed);
    Client::new(Interface::of(circuit)).ok()?;
    let mut parties = Parties::new(circuit);
    let keys = parties.keys();
    let Parties {
        client,
        secret,
        randomness,
        server,
    } = &mut parties;
    let encrypted = client.encrypt(secret, &given, randomness).ok()?;
    let resources = Resources {
        window,
        memory: None,
    };
    let session = server.session(keys, resources).unwrap();
    let outputs = session.run(encrypted, &Silent).ok()?;
    let found = client.decrypt(secret, &outputs, None).ok()?;
    let numbers = found.decrypted.values().flat_map(|array| array.data());
    Some(numbers.map(|x| x.to_bits()).collect())
}

#[test]
fn calls_compute_what_their_bodies_do() {
    let circuit = twice();
    let flat = checked(inlined(&circuit).unwrap());
    assert_eq!((circuit.functions.len(), flat.functions.len()), (1, 0));
    let expected = decrypted(&flat, 3, 1).unwrap();
    for window in [1, 8] {
        let found = decrypted(&circuit, 3, window).unwrap();
        assert!(found == expected, "window {window}");
    }
    let given = inputs(&circuit, 3);
    let simulated =
        |circuit| simulate::run(circuit, &given, Options { noise: None }, &Silent).unwrap();
    assert!(simulated(&circuit).decrypted == simulated(&flat).decrypted);
}

#[test]
fn calls_are_priced_and_counted_as_what_they_run() {
    let circuit = twice();
    let flat = checked(inlined(&circuit).unwrap());
    let [called, flat_stats] = [&circuit, &flat].map(|circuit| Stats::of(circuit));
    // Beside what they run, the calls themselves, further results, and parameters are rows.
    let rows = |circuit: &Circuit| {
        let names = circuit.definitions(circuit.main());
        names
            .filter(|(_, d)| matches!(d.inst, Inst::Call { .. } | Inst::Result { .. }))
            .count()
    };
    let parameters = 2 * circuit.parameters(FunctionId(0)).count();
    let (mut counts, expected) = (called.total, flat_stats.total);
    counts.instructions -= (rows(&circuit) + parameters) as u64;
    assert_eq!(counts, expected);
    assert_eq!(called.key_bytes, flat_stats.key_bytes);
    let model = CostModel::default();
    let seconds = [&circuit, &flat].map(|circuit| model.predict(circuit));
    let ratio = seconds[0].seconds / seconds[1].seconds;
    assert!((ratio - 1.0).abs() < 1e-9, "{ratio}");
    assert!((seconds[0].sharing_seconds / seconds[1].sharing_seconds - 1.0).abs() < 1e-9);
}

#[test]
fn the_memory_of_a_call_is_that_of_its_body() {
    let circuit = twice();
    let flat = checked(inlined(&circuit).unwrap());
    for (window, keys) in [
        (1, KeyResidence::Held),
        (1, KeyResidence::Stored),
        (8, KeyResidence::Stored),
    ] {
        let predict = |circuit: &Verified| {
            let budget = Budget {
                window,
                keys,
                expanded: 0,
                limit: None,
                cache: 0,
                process: 0,
            };
            memory::fit(circuit, &CpuFootprint::of(circuit), budget)
                .unwrap()
                .1
        };
        let (called, flat) = (predict(&circuit), predict(&flat));
        // An argument that is needed afterwards is there twice while the function runs.
        let ratio = called.values as f64 / flat.values as f64;
        // What is not called runs wider.
        let least = if window == 1 { 1.0 } else { 0.7 };
        assert!((least..1.3).contains(&ratio), "window {window}: {ratio}");
        assert_eq!(called.keys, flat.keys);
    }
}

/// Notes what it is told of.
#[derive(Default)]
struct Times {
    timed: Mutex<Vec<(Value, Option<Node>)>>,
    last: Mutex<(usize, usize, f64)>,
}

impl Progress for Times {
    fn advance(&self, step: &Step<'_>) -> ControlFlow<()> {
        *self.last.lock().unwrap() = (step.done, step.total, step.fraction);
        ControlFlow::Continue(())
    }

    fn wants_times(&self) -> bool {
        true
    }

    fn timed(&self, value: Value, node: Option<Node>, _: Duration) {
        self.timed.lock().unwrap().push((value, node));
    }
}

#[test]
fn an_observer_sees_each_call_of_an_instruction_and_its_node() {
    let circuit = twice();
    let given = inputs(&circuit, 3);
    let times = Times::default();
    simulate::run(&circuit, &given, Options { noise: None }, &times).unwrap();
    let (done, total, fraction) = *times.last.lock().unwrap();
    let body = circuit.body(FunctionId(0)).unwrap();
    let inside = circuit
        .definitions(body)
        .filter(|(_, d)| d.inst.is_step())
        .count();
    assert_eq!((done, total), (2 * inside + 3, total));
    assert_eq!(done, total);
    assert!((fraction - 1.0).abs() < 1e-12);
    let timed = times.timed.lock().unwrap();
    let of_body = timed.iter().filter(|(value, _)| body.contains(*value));
    assert_eq!(of_body.clone().count(), 2 * inside);
    assert!(of_body.clone().all(|(_, node)| *node == Some(Node(0))));
}

#[test]
fn every_call_has_noise_of_its_own() {
    let mut toy = TOY.builder();
    let ty = Type::cipher(toy.top, toy.scale());
    let turn = toy.builder.function("turn", |builder| {
        let a = builder.push(Inst::Input { ty: ty.clone() })?;
        let rotation = Rotation(1);
        Ok::<_, TypeError>(vec![builder.push(Inst::Rotate { a, rotation })?])
    });
    let turn = turn.unwrap();
    let x = toy.input("x");
    let [a, b] = [0, 1].map(|_| toy.builder.call(turn, vec![x]).unwrap()[0]);
    let difference = toy.push(Inst::Sub(a, b));
    toy.output(difference);
    let circuit = toy.finish();
    let given = inputs(&circuit, 5);
    let noisy = simulate::run(&circuit, &given, Options { noise: Some(7) }, &Silent).unwrap();
    assert!(noisy.decrypted["y0"].data().iter().all(|x| *x != 0.0));
}

/// How many circuits with calls could be run.
static CALLED: AtomicUsize = AtomicUsize::new(0);

proptest! {
    #![proptest_config(ProptestConfig { cases: 8000, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    fn inlining_changes_no_ciphertext(circuit in circuits(24), seed in 0..1000u64) {
        let calls = |d: &Definition| matches!(d.inst, Inst::Call { .. });
        let mut circuit = circuit.into_inner();
        if !circuit.definitions(circuit.main()).any(|(_, d)| calls(d)) {
            return Ok(());
        }
        for port in &mut circuit.inputs {
            port.range = None;
        }
        let circuit = checked(circuit);
        let flat = checked(inlined(&circuit).unwrap());
        // A function that nothing calls may need a key of its own, and other keys are drawn otherwise.
        if flat.keys != circuit.keys {
            return Ok(());
        }
        let expected = decrypted(&flat, seed, 1);
        for window in [1, 8] {
            prop_assert!(decrypted(&circuit, seed, window) == expected);
        }
        CALLED.fetch_add(usize::from(expected.is_some()), Ordering::Relaxed);
    }
}

#[test]
fn random_calls() {
    inlining_changes_no_ciphertext();
    let called = CALLED.load(Ordering::Relaxed);
    assert!(
        called > 100,
        "only {called} circuits with calls could be run"
    );
}
