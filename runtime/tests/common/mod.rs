//! What the tests of this crate share: toy rings and small circuits.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

pub mod files;

use peregrine_ir::*;
use peregrine_runtime::backend::cpu::HeldKeys;
use peregrine_runtime::client::{Client, Secret};
use peregrine_runtime::exec::Silent;
use peregrine_runtime::ports::{Array, Arrays};
use peregrine_runtime::ring::Randomness;
use peregrine_runtime::server::{Resources, Server, ServerOptions, Usage};
use peregrine_runtime::simulate::{self, Options};
use peregrine_runtime::wire::{EncryptedInputs, EncryptedOutputs, KeyBytes, StoredKeys};
use std::io::Cursor;
use std::sync::Arc;

/// The scale of toy circuits.
pub const SCALE_BITS: i32 = 40;

/// A ring to be made.
#[derive(Clone, Copy, Debug)]
pub struct Toy {
    pub log_n: u32,
    /// Levels above the first.
    pub depth: usize,
    /// Chain primes per digit, which is also the number of special primes.
    pub alpha: usize,
}

/// The circuit without ranges of its inputs, which random values would leave.
pub fn unbounded(circuit: Verified) -> Verified {
    let mut circuit = circuit.into_inner();
    for port in &mut circuit.inputs {
        port.range = None;
    }
    verify(circuit).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The ring of runs that are looked at from outside.
pub const FLAT: Toy = Toy {
    log_n: 6,
    depth: 3,
    alpha: 2,
};

/// Many instructions side by side.
pub const WIDE: Resources = Resources {
    window: 16,
    memory: None,
};

impl Toy {
    /// First prime 50 bits, others 40, special primes 50.
    pub fn ring(self) -> RingTable {
        let mut large = primes(self.log_n, 50);
        let special = large.by_ref().take(self.alpha).collect();
        let short = primes(self.log_n, SCALE_BITS as u32).take(self.depth);
        let pool = large.take(1).chain(short).collect();
        nested_ring((self.log_n, SCALE_BITS as u32), (pool, special), self.alpha)
    }

    /// A builder with a full-width layout `l0` and one node.
    pub fn builder(self) -> Toybox {
        Toybox::new(self.ring(), Security::None)
    }
}

/// A ring with primes of these sizes, a level and a digit for each, and one special prime.
pub fn chain_ring(log_n: u32, chain: &[u32], special: u32) -> RingTable {
    let mut pool: Vec<u64> = Vec::new();
    for &bits in chain {
        let prime = primes(log_n, bits).find(|p| !pool.contains(p)).unwrap();
        pool.push(prime);
    }
    let special = primes(log_n, special).skip(chain.len()).take(1).collect();
    nested_ring((log_n, 30), (pool, special), 1)
}

/// A ring with a level for each prime, which has it and those before, and digits of `alpha` primes.
pub fn nested_ring(
    degree_and_unit: (u32, u32),
    (pool, special): (Vec<u64>, Vec<u64>),
    alpha: usize,
) -> RingTable {
    let primes: Arena<Prime, u64> = pool.into_iter().collect();
    let pool: Vec<Prime> = primes.keys().collect();
    let rows = (1..=pool.len()).map(|n| pool[..n].to_vec()).collect();
    let digits = pool.chunks(alpha).map(<[Prime]>::to_vec).collect();
    let pools = (primes, special.into_iter().collect());
    RingTable::of_one_ring(degree_and_unit, pools, rows, digits)
}

/// Primes of at most `bits` bits that are 1 modulo 2N, descending.
pub fn primes(log_n: u32, bits: u32) -> impl Iterator<Item = u64> {
    let step = 2u64 << log_n;
    let top = ((1u64 << bits) - 1) / step;
    (1..=top)
        .rev()
        .map(move |k| k * step + 1)
        .filter(move |&p| p < 1 << bits && is_prime(p))
}

fn is_prime(n: u64) -> bool {
    let power = |mut base: u128, mut exponent: u64| {
        let mut result = 1u128;
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = result * base % u128::from(n);
            }
            base = base * base % u128::from(n);
            exponent >>= 1;
        }
        result
    };
    let twos = (n - 1).trailing_zeros();
    n > 40
        && [2u64, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37]
            .iter()
            .all(|&a| {
                let mut x = power(a.into(), (n - 1) >> twos);
                let minus_one = u128::from(n - 1);
                x == 1
                    || (0..twos).any(|_| {
                        let hit = x == minus_one;
                        x = x * x % u128::from(n);
                        hit
                    })
            })
}

/// A circuit under construction whose inputs and outputs fill every slot.
pub struct Toybox {
    pub builder: Builder,
    pub layout: LayoutId,
    pub shape: Shape,
    pub top: Level,
    outputs: usize,
}

impl Toybox {
    pub fn new(ring: RingTable, security: Security) -> Self {
        let (slots, top) = (ring.view(ring.top_ring()).slots(), ring.top().unwrap());
        let mut builder = Builder::new(Circuit::new("toy", security, ring));
        let circuit = builder.circuit();
        let layout = Layout::row_major(slots.ilog2(), [slots, 1, 1]).unwrap();
        let layout = circuit.layouts.push(layout);
        let node = circuit.nodes.push(SourceNode {
            name: "conv1".into(),
            op: "Conv".into(),
        });
        builder.serve(node);
        Self {
            builder,
            layout,
            shape: Shape::new([1, slots]).unwrap(),
            top,
            outputs: 0,
        }
    }

    /// 2^40.
    pub fn scale(&self) -> Scale {
        Scale::power_of_two(SCALE_BITS)
    }

    /// One input ciphertext at the top level.
    pub fn input(&mut self, name: &str) -> Value {
        let at = (self.top, self.scale());
        let shape = self.shape.clone();
        self.builder.input(name, shape, self.layout, at).unwrap()[0]
    }

    /// Pushes an instruction.
    pub fn push(&mut self, inst: Inst) -> Value {
        self.builder.push(inst).unwrap()
    }

    /// The taps of a convolution along the slots, each one number: tap `k` belongs to rotation `k`.
    pub fn taps(&mut self, weights: &[f64]) -> Vec<Const> {
        let (layout, slots) = (self.layout, self.shape.elements() as u32);
        let taps = weights.len() as u32;
        let circuit = self.builder.circuit();
        let image = Shape::new([1, 1, 1, slots]).unwrap();
        let shape = Shape::new([1, 1, 1, taps]).unwrap();
        let tensor = Tensor::new("taps", shape, weights.to_vec()).unwrap();
        let weight = circuit.tensors.push(tensor);
        let map = linear::LinearMap {
            kind: linear::LinearKind::Conv2d(linear::Conv2d {
                weight,
                window: linear::Window {
                    kernel: [1, taps],
                    strides: [1, 1],
                    pads: [0, 0],
                    dilations: [1, 1],
                },
                groups: 1,
            }),
            input: image.clone(),
            output: image,
        };
        let operator = circuit.operators.push(Operator::Linear {
            fold: 1,
            period: None,
            map,
            input: layout,
            output: layout,
        });
        (0..taps)
            .map(|rotation| {
                circuit.constants.push(Constant::Uniform {
                    operator,
                    input: 0,
                    output: 0,
                    rotation,
                })
            })
            .collect()
    }

    /// The constant with these slots, of which fewer than all repeat.
    pub fn constant(&mut self, slots: Vec<f64>) -> Const {
        let layout = self.layout;
        let (all, own) = (self.shape.elements() as u32, slots.len() as u32);
        let shape = Shape::new([all / own, own]).unwrap();
        let circuit = self.builder.circuit();
        let name = format!("weight{}", circuit.tensors.len());
        let tensor = circuit
            .tensors
            .push(Tensor::new(name, Shape::new([own]).unwrap(), slots).unwrap());
        let operator = circuit.operators.push(Operator::Broadcast {
            tensor,
            shape,
            layout,
        });
        circuit.constants.push(Constant::Fill { operator, part: 0 })
    }

    /// A plaintext that meets `beside`, at scale 2^40.
    pub fn plain(&mut self, slots: Vec<f64>, beside: Value) -> Value {
        let constant = self.constant(slots);
        let scale = self.scale();
        self.encode(constant, beside, scale)
    }

    /// Encodes a constant to meet `beside`.
    pub fn encode(&mut self, constant: Const, beside: Value, scale: Scale) -> Value {
        let Some(Type::Cipher { level, form, .. }) = self.builder.type_of(beside).cloned() else {
            panic!("a ciphertext was expected");
        };
        self.builder
            .encode(constant, level, scale, form.basis())
            .unwrap()
    }

    /// Declares an output `y0`, `y1`, ... of one ciphertext.
    pub fn output(&mut self, value: Value) {
        let name = format!("y{}", self.outputs);
        self.outputs += 1;
        let shape = self.shape.clone();
        self.builder.output(&name, shape, self.layout, vec![value]);
    }

    /// Verifies.
    pub fn finish(self) -> Verified {
        verify(self.builder.finish()).unwrap_or_else(|e| panic!("{e}"))
    }
}

/// A sum of rotations of the input, each times a constant; every other one takes the same constant.
pub fn sum_of_products(terms: u64, toy: Toy) -> Verified {
    let mut toy = toy.builder();
    let x = toy.input("x");
    let shared = toy.plain(numbers(99, toy.shape.elements()), x);
    let mut sum = toy.push(Inst::MulPlain(x, shared));
    for term in 0..terms {
        let rotation = Rotation(1 + term as u32 % 3);
        let turned = toy.push(Inst::Rotate { a: x, rotation });
        let plain = match term % 2 {
            0 => shared,
            _ => toy.plain(numbers(term, toy.shape.elements()), x),
        };
        let product = toy.push(Inst::MulPlain(turned, plain));
        sum = toy.push(Inst::Add(vec![sum, product]));
    }
    let low = toy.push(Inst::Rescale {
        a: sum,
        to: Level(2),
    });
    toy.output(low);
    toy.finish()
}

/// Numbers in [-1, 1), the same for the same seed.
pub fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        })
        .collect()
}

/// Inputs for every port of a circuit.
pub fn inputs(circuit: &Circuit, seed: u64) -> Arrays {
    let arrays = circuit.inputs.iter().enumerate().map(|(i, port)| {
        let shape = given_shape(&port.shape, port.prepare.as_ref()).clone();
        let data = numbers(seed + i as u64, shape.elements());
        let element = port.prepare.as_ref().map(|prepare| prepare.element);
        let array = match element {
            None | Some(InputElement::Real) => Array::new(shape, data),
            // Every type of integers has 0 and 1.
            Some(_) => Array::of_integers(shape, data.iter().map(|x| x.abs().round()).collect()),
        };
        (port.name.clone(), array.unwrap())
    });
    arrays.collect()
}

/// Worst agreement of two results, in bits: -log2 of the largest difference.
pub fn precision(expected: &Arrays, found: &Arrays) -> f64 {
    assert!(expected.keys().eq(found.keys()), "different outputs");
    let pairs = expected.iter().flat_map(|(name, array)| {
        assert_eq!(array.shape(), found[name].shape());
        array.data().iter().zip(found[name].data())
    });
    let worst = pairs.fold(0.0f64, |worst, (x, y)| {
        assert!(y.is_finite());
        worst.max((x - y).abs())
    });
    -worst.log2()
}

/// Client and server of a circuit in one process.
pub struct Parties {
    pub client: Client,
    pub server: Server,
    pub secret: Secret,
    pub randomness: Randomness,
}

impl Parties {
    pub fn new(circuit: &Verified) -> Self {
        Self::with_seed(circuit, 1)
    }

    /// With another key pair for each seed.
    pub fn with_seed(circuit: &Verified, seed: u128) -> Self {
        let client = Client::new(Interface::of(circuit)).unwrap();
        let mut randomness = Randomness::from_seed_for_tests(seed);
        let secret = client.generate_secret(&mut randomness).unwrap();
        Self {
            client,
            server: Server::new(circuit.clone()).unwrap(),
            secret,
            randomness,
        }
    }

    /// A server of the same circuit that uses its memory so.
    pub fn server_for(&self, usage: Usage) -> Server {
        let options = ServerOptions {
            usage,
            ..ServerOptions::default()
        };
        Server::with_options(self.server.circuit().clone(), options).unwrap()
    }

    pub fn keys(&mut self) -> Arc<HeldKeys> {
        let keys = self
            .client
            .evaluation_keys(&self.secret, &mut self.randomness);
        Arc::new(keys.unwrap())
    }

    /// The keys in a file.
    pub fn stored_keys(&mut self) -> StoredKeys {
        let Self {
            client,
            secret,
            randomness,
            server,
        } = self;
        let out = Cursor::new(Vec::new());
        let file = client.write_evaluation_keys(secret, randomness, out, |_, _| {});
        let file = file.unwrap().into_inner();
        server.read_keys(KeyBytes::Held(file)).unwrap()
    }

    pub fn encrypt(&mut self, inputs: &Arrays) -> EncryptedInputs {
        let Self {
            client,
            secret,
            randomness,
            ..
        } = self;
        client
            .encrypt(secret, inputs, randomness)
            .unwrap_or_else(|e| panic!("{e}"))
    }

    pub fn decrypt(&self, outputs: &EncryptedOutputs) -> Arrays {
        let decrypted = self.client.decrypt(&self.secret, outputs, None);
        decrypted.unwrap_or_else(|e| panic!("{e}")).outputs
    }
}

/// Encrypts, runs with `window` instructions side by side, decrypts.
pub fn execute(circuit: &Verified, inputs: &Arrays, window: usize) -> Arrays {
    let mut parties = Parties::new(circuit);
    let keys = parties.keys();
    let encrypted = parties.encrypt(inputs);
    let resources = Resources {
        window,
        memory: None,
    };
    let session = parties.server.session(keys, resources).unwrap();
    let outputs = session
        .run(encrypted, &Silent)
        .unwrap_or_else(|e| panic!("{e}"));
    parties.decrypt(&outputs)
}

/// Runs on cleartext.
pub fn simulate(circuit: &Verified, inputs: &Arrays) -> Arrays {
    let options = Options { noise: None };
    simulate::run(circuit, inputs, options, &Silent)
        .unwrap_or_else(|e| panic!("{e}"))
        .outputs
}

/// Ciphertexts and cleartext agree to this many bits.
pub fn check(circuit: &Verified, bits: f64) {
    let inputs = inputs(circuit, 7);
    let expected = simulate(circuit, &inputs);
    let found = execute(circuit, &inputs, 4);
    let agreed = precision(&expected, &found);
    assert!(
        agreed >= bits,
        "{agreed:.1} bits of precision, at least {bits} expected"
    );
}
