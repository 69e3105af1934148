//! Steps: circuits that are run step by step, stopped behind any of them, and gone on with in other steps, give the same bytes as in
//! one run.

use crate::common::{Parties, inputs, unbounded};
use peregrine_ir::cost::CostModel;
use peregrine_ir::testing::circuits;
use peregrine_ir::*;
use peregrine_runtime::backend::cpu::HeldKeys;
use peregrine_runtime::client::Client;
use peregrine_runtime::exec::Silent;
use peregrine_runtime::server::Server;
use peregrine_runtime::wire::FragmentValues;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs steps; what is kept behind the last one.
fn run(steps: &[Step], mut values: FragmentValues, keys: &Arc<HeldKeys>) -> FragmentValues {
    for step in steps {
        let server = Server::new(step.fragment.clone()).unwrap();
        let session = server.session(keys.clone(), server.resources()).unwrap();
        let exports = session.run_fragment(&values, &Silent).unwrap();
        values.join(exports).unwrap();
        values.retain(|name| step.kept.contains(&name));
        assert!(values.names().eq(step.kept.iter().copied()));
    }
    values
}

/// Runs of one step, and of several.
static SINGLE: AtomicUsize = AtomicUsize::new(0);
static SEVERAL: AtomicUsize = AtomicUsize::new(0);

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    fn steps_compute_the_same(
        circuit in circuits(24),
        seed in 0..1000u64,
        shares in proptest::array::uniform2(0.0..1.0f64),
        longer in 1.0..3.0f64,
        stop in any::<prop::sample::Index>(),
    ) {
        let circuit = unbounded(circuit);
        let cost = CostModel::default();
        let all: f64 = cost.seconds_of_values(&circuit).iter().sum();
        let of = |share: f64, from| {
            let least = share * share * all;
            steps(&circuit, &cost, least..longer * least, from).unwrap()
        };
        let first = of(shares[0], Value(0));
        if first.is_empty() || Client::new(Interface::of(&circuit)).is_err() {
            return Ok(());
        }
        let stop = 1 + stop.index(first.len());
        let begun = first[stop - 1].end;
        let second = of(shares[1], begun);
        let mut parties = Parties::new(&circuit);
        let keys = parties.keys();
        let given = inputs(&circuit, seed);
        let Parties { client, secret, randomness, server } = &mut parties;
        let Ok(encrypted) = client.encrypt(secret, &given, randomness) else {
            return Ok(());
        };
        let values = server.input_values(encrypted.clone()).unwrap();
        let session = server.session(keys.clone(), server.resources()).unwrap();
        let Ok(outputs) = session.run(encrypted, &Silent) else {
            // A constant beyond the modulus.
            return Ok(());
        };
        let expected = server.write_outputs(&outputs);
        let kept = server.write_values(&run(&first[..stop], values, &keys));
        let kept = server.read_all_values(&kept).unwrap();
        let found = run(&second, kept, &keys);
        let found = server.write_outputs(&server.output_values(&found).unwrap());
        prop_assert!(found == expected);
        let count = if first.len() + second.len() > 2 { &SEVERAL } else { &SINGLE };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn random_steps() {
    steps_compute_the_same();
    let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    let (single, several) = (count(&SINGLE), count(&SEVERAL));
    assert!(
        several >= 100,
        "{several} runs of several steps, {single} of one"
    );
}
