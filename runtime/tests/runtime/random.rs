//! Random circuits with every operation: ciphertexts against the simulator, and plans against each other.

use crate::common::{Parties, inputs, unbounded};
use peregrine_ir::testing::circuits;
use peregrine_ir::*;
use peregrine_runtime::client::Client;
use peregrine_runtime::exec::Silent;
use peregrine_runtime::ports::Arrays;
use peregrine_runtime::server::Resources;
use peregrine_runtime::simulate::{self, Options, Simulation};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::sync::atomic::{AtomicUsize, Ordering};

fn cleartext(circuit: &Verified, inputs: &Arrays, noise: Option<u64>) -> Simulation {
    simulate::run(circuit, inputs, Options { noise }, &Silent).unwrap_or_else(|e| panic!("{e}"))
}

/// Largest difference of two results.
fn distance(a: &Arrays, b: &Arrays) -> f64 {
    (-crate::common::precision(a, b)).exp2()
}

/// How many circuits left room for their messages and could be compared.
static COMPARED: AtomicUsize = AtomicUsize::new(0);
/// And how many of these switch rings.
static SWITCHED: AtomicUsize = AtomicUsize::new(0);

proptest! {
    #![proptest_config(ProptestConfig { cases: 2400, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    fn ciphertexts_follow_the_simulator(circuit in circuits(24), seed in 0..1000u64) {
        let circuit = unbounded(circuit);
        let given = inputs(&circuit, seed);
        let exact = cleartext(&circuit, &given, None);
        // Many draws: an output may be a single number, whose noise may happen to be close to zero.
        let noisy: Vec<Simulation> = (0..16).map(|i| cleartext(&circuit, &given, Some(seed + i))).collect();
        let room = |s: &Simulation| s.headroom.map_or(f64::INFINITY, |h| h.bits);
        let fits = noisy.iter().map(room).fold(room(&exact), f64::min) > 4.0;
        let Ok(mut parties) = Client::new(Interface::of(&circuit)).map(|_| Parties::new(&circuit)) else {
            return Ok(());
        };
        let keys = parties.keys();
        let Parties { client, secret, randomness, server } = &mut parties;
        let Ok(encrypted) = client.encrypt(secret, &given, randomness) else {
            return Ok(());
        };
        let run = |window| {
            let session = server.session(keys.clone(), Resources { window, memory: None }).unwrap();
            session.run(encrypted.clone(), &Silent)
        };
        // A constant beyond the modulus is refused when it is encoded; nothing else may fail.
        let Ok(serial) = run(1) else {
            prop_assert!(!fits, "{}", run(1).unwrap_err());
            return Ok(());
        };
        prop_assert_eq!(&serial, &run(8).unwrap());
        // Wraps of a raised modulus are drawn in the simulation.
        let raised = |d: &Definition| matches!(d.inst, Inst::RaiseExt { .. });
        if fits && !circuit.values.values().any(raised) {
            let found = client.decrypt(secret, &serial, None).unwrap();
            let error = distance(&exact.decrypted, &found.decrypted);
            let draws = noisy.iter().map(|s| distance(&exact.decrypted, &s.decrypted));
            let predicted = draws.fold(0.0, f64::max);
            prop_assert!(error <= 64.0 * predicted + 1e-9, "error {error:e}, predicted {predicted:e}");
            for port in &circuit.outputs {
                let finished = found.decrypted[&port.name].finished(&port.finish).unwrap();
                let output = &found.outputs[&port.name];
                prop_assert_eq!(output.shape(), finished.shape());
                // A function may be undefined where its operand lies.
                let mut pairs = output.data().iter().zip(finished.data());
                prop_assert!(pairs.all(|(x, y)| x.total_cmp(y).is_eq()));
            }
            COMPARED.fetch_add(1, Ordering::Relaxed);
            let switches = |d: &Definition| matches!(d.inst, Inst::SwitchRing { .. });
            let switches = usize::from(circuit.values.values().any(switches));
            SWITCHED.fetch_add(switches, Ordering::Relaxed);
        }
    }
}

#[test]
fn random_circuits() {
    ciphertexts_follow_the_simulator();
    let compared = COMPARED.load(Ordering::Relaxed);
    let switched = SWITCHED.load(Ordering::Relaxed);
    assert!(
        compared > 250 && switched > 15,
        "only {compared} circuits could be compared, {switched} of them with two rings"
    );
}
