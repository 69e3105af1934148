//! Refreshes on a toy ring: real vectors with little modulus left come back with much, as precise as the simulator says.

use peregrine_compiler::precision::MAX_REFRESH_BITS;
use peregrine_compiler::refresh::choices::{Choices, Packing};
use peregrine_compiler::refresh::circuit::{INPUTS, OUTPUTS};
use peregrine_ir::cost::CostModel;
use peregrine_ir::{Interface, Security, Shape, Verified, verify};
use peregrine_runtime::client::Client;
use peregrine_runtime::exec::Silent;
use peregrine_runtime::ports::{Array, Arrays};
use peregrine_runtime::ring::Randomness;
use peregrine_runtime::server::{Resources, Server};
use peregrine_runtime::simulate::{self, Options};
use peregrine_runtime::wire::{KeyBytes, KeyFile};
use std::io::Cursor;
use std::sync::Arc;

const LOG_N: u32 = 9;
/// The ring promises nothing: its modulus is that of a ring of degree 2^16.
const LIMIT_BITS: f64 = 1747.0;
/// All slots twice, and values that repeat twice, or so often that raised ones must be made to.
const PACKINGS: [Packing; 3] = [
    Packing::Full,
    Packing::Sparse { log_values: 7 },
    Packing::Sparse { log_values: 5 },
];

fn toy(choices: &Choices) -> Verified {
    let plan = choices.plan().unwrap_or_else(|e| panic!("{e}"));
    let vectors = match choices.packing {
        Packing::Full => 2,
        Packing::Sparse { .. } => 1,
    };
    let circuit = plan.circuit(vectors, Security::None, &CostModel::default());
    let circuit = circuit.unwrap_or_else(|e| panic!("{e}"));
    verify(circuit).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Pseudo-random values up to a magnitude for the inputs of a circuit.
fn inputs(toy: &Verified, seed: u64, magnitude: f64) -> Arrays {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 11) as f64 / (1u64 << 52) as f64 - 1.0) * magnitude
    };
    let mut array = |shape: &Shape| {
        let data = (0..shape.elements()).map(|_| next()).collect();
        Array::new(shape.clone(), data).unwrap()
    };
    let ports = toy.inputs.iter();
    ports
        .map(|port| (port.name.clone(), array(&port.shape)))
        .collect()
}

/// What outputs are off by.
fn errors(given: &Arrays, found: &Arrays) -> Vec<f64> {
    let pairs = INPUTS.iter().zip(OUTPUTS);
    let pairs = pairs.filter_map(|(before, after)| given.get(*before).zip(found.get(after)));
    let errors = pairs.flat_map(|(before, after)| {
        let pairs = after.data().iter().zip(before.data());
        pairs.map(|(y, x)| (y - x).abs())
    });
    errors.collect()
}

/// log2 of the largest error and of the root mean square, as bits.
fn bits(errors: &[f64]) -> [f64; 2] {
    let largest = errors.iter().fold(0.0, |most: f64, &x| most.max(x));
    let squares: f64 = errors.iter().map(|x| x * x).sum();
    [largest, (squares / errors.len() as f64).sqrt()].map(|x| -x.log2())
}

/// All roles for one circuit.
struct Roles {
    client: Client,
    secret: peregrine_runtime::client::Secret,
    session: peregrine_runtime::server::Session,
    randomness: Randomness,
}

impl Roles {
    fn new(circuit: &Verified) -> Self {
        let client = Client::new(Interface::of(circuit)).unwrap();
        let mut randomness = Randomness::from_os();
        let secret = client.generate_secret(&mut randomness).unwrap();
        let file = Cursor::new(Vec::new());
        let file = client.write_evaluation_keys(&secret, &mut randomness, file, |_, _| {});
        let file = KeyFile::open(KeyBytes::Held(file.unwrap().into_inner())).unwrap();
        let server = Server::new(circuit.clone()).unwrap();
        let keys = server.find_keys(vec![file]).unwrap();
        let resources = Resources::of_thread_pool(None);
        Self {
            session: server.session(Arc::new(keys), resources).unwrap(),
            client,
            secret,
            randomness,
        }
    }

    fn run(&mut self, given: &Arrays) -> Arrays {
        let inputs = self
            .client
            .encrypt(&self.secret, given, &mut self.randomness);
        let outputs = self.session.run(inputs.unwrap(), &Silent).unwrap();
        let decryption = self.client.decrypt(&self.secret, &outputs, None).unwrap();
        decryption.outputs
    }
}

#[test]
fn a_hundred_messages_come_back_as_precise_as_simulated() {
    for packing in PACKINGS {
        let choices = Choices::reference(LOG_N, LIMIT_BITS, packing);
        come_back_as_simulated(&toy(&choices), 13.0);
    }
}

#[test]
fn finer_refreshes_leave_more_bits() {
    let choices = Choices::reference(LOG_N, LIMIT_BITS, Packing::Full);
    come_back_as_simulated(&toy(&choices.finer(MAX_REFRESH_BITS)), 16.0);
}

fn come_back_as_simulated(toy: &Verified, least: f64) {
    let mut roles = Roles::new(toy);
    let (mut simulated, mut encrypted) = (Vec::new(), Vec::new());
    for seed in 1..=100 {
        let given = inputs(toy, seed, 1.0);
        encrypted.extend(errors(&given, &roles.run(&given)));
        let options = Options { noise: Some(seed) };
        let simulation = simulate::run(toy, &given, options, &Silent).unwrap();
        let room = simulation.headroom.map(|room| room.bits);
        assert!(room > Some(0.0), "{:?}", simulation.headroom);
        simulated.extend(errors(&given, &simulation.outputs));
    }
    let ([_, simulated], [worst, encrypted]) = (bits(&simulated), bits(&encrypted));
    println!("simulated {simulated:.2}, encrypted {encrypted:.2}, worst {worst:.2} bits");
    assert!(worst > least, "{worst:.2} bits");
    assert!(
        (simulated - encrypted).abs() < 0.5,
        "simulated {simulated:.2}, encrypted {encrypted:.2} bits"
    );
}

/// Messages beyond their range are distorted, and far beyond it wrap; the simulator shows it before keys exist.
#[test]
fn a_message_out_of_range_is_distorted_in_the_simulator_too() {
    for packing in PACKINGS {
        is_distorted_as_simulated(&toy(&Choices::reference(LOG_N, LIMIT_BITS, packing)));
    }
}

fn is_distorted_as_simulated(toy: &Verified) {
    let mut roles = Roles::new(toy);
    for magnitude in [4.0, 12.0, 40.0] {
        let given = inputs(toy, 3, magnitude);
        let encrypted = bits(&errors(&given, &roles.run(&given)));
        let options = Options { noise: Some(1) };
        let simulation = simulate::run(toy, &given, options, &Silent).unwrap();
        let simulated = bits(&errors(&given, &simulation.outputs));
        println!("{magnitude}: encrypted {encrypted:.2?}, simulated {simulated:.2?} bits");
        let [encrypted, simulated] = [encrypted[1], simulated[1]];
        assert!(encrypted < 9.0);
        assert!((simulated - encrypted).abs() < 0.5);
    }
}

/// With the weight of a secret that wraps further than the polynomial reaches, values are lost, and the simulator shows it.
#[test]
fn wraps_beyond_the_polynomial_lose_values_in_the_simulator_too() {
    let mut choices = Choices::reference(LOG_N, LIMIT_BITS, Packing::Full);
    choices.domain.wraps = 4;
    // So many that no message wraps by 7 at most: only then would the polynomial be good enough by chance.
    choices.weight = 256;
    let plan = choices.plan().unwrap();
    assert!(plan.failure_bits > 0.0, "{}", plan.failure_bits);
    let toy = toy(&choices);
    let given = inputs(&toy, 3, 1.0);
    let [encrypted, _] = bits(&errors(&given, &Roles::new(&toy).run(&given)));
    let options = Options { noise: Some(1) };
    let simulation = simulate::run(&toy, &given, options, &Silent).unwrap();
    let [simulated, _] = bits(&errors(&given, &simulation.outputs));
    println!("encrypted {encrypted:.2}, simulated {simulated:.2} bits in the worst slot");
    assert!(encrypted < 6.0 && simulated < 6.0);
}
