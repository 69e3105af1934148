//! Convolutional networks on encrypted images.
//!
//! A [`Model`] is a network in ONNX whose activations are polynomials of low degree. [`compile()`] turns it into a typed CKKS
//! circuit at 128-bit security, and into an interface: parameters, packings of tensors into slots, and a list of keys, without
//! weights. Then there are two roles:
//!
//! - the [`Client`] knows the interface. It makes a [`Secret`] and evaluation keys, encrypts inputs and decrypts outputs.
//! - the [`Server`] knows the circuit. With the evaluation keys it opens a [`Session`], which computes encrypted outputs from
//!   encrypted inputs, and can decrypt neither.
//!
//! ```
//! # fn main() -> Result<(), peregrine::Error> {
//! use peregrine::{Client, CompileOptions, DecryptOptions, Model, Randomness, Server, Silent};
//! use peregrine::{argmax, arrays, compile, decrypt};
//! use std::sync::Arc;
//!
//! let digits = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/digits");
//! let model = Model::open(format!("{digits}/digits.onnx"))?;
//! let compiled = compile(&model, &CompileOptions::default())?;
//!
//! let (client, mut randomness) = (Client::new(compiled.interface)?, Randomness::from_os());
//! let secret = client.generate_secret(&mut randomness)?;
//! let keys = client.evaluation_keys(&secret, &mut randomness)?;
//! let image = arrays::named([("image", arrays::load(format!("{digits}/image.npy"))?)]);
//! let encrypted = client.encrypt(&secret, &image, &mut randomness)?;
//!
//! let server = Server::new(compiled.circuit)?;
//! let session = server.session(Arc::new(keys), server.resources())?;
//! let answer = session.run(encrypted, &Silent)?;
//!
//! let decrypted = decrypt(&client, &secret, &answer, &DecryptOptions::default())?;
//! let scores = decrypted.answer()?;
//! assert_eq!(argmax(&scores["logits"]), Some(2));
//! # Ok(())
//! # }
//! ```
//!
//! Without keys, [`simulate()`] runs a circuit on cleartext, with a model of the noise on request, and [`inspect()`] says how each
//! node of the model is computed. [`infer()`] does all that the roles do in one process and compares with the cleartext model.
//!
//! What is computed is data: [`CompileReport`], [`SimulateReport`], [`DecryptReport`], [`InferReport`] and others serialize to
//! the JSON that the program `peregrine` prints. Long work tells a [`Watcher`] how far it is. Every failure becomes an
//! [`Error`] with `?`.
//!
//! Decrypted values carry noise from which, with the ciphertexts, the secret key can be computed: whoever gives them away
//! floods them first, see [`DecryptOptions::flood_bits`] and `SECURITY.md`.
//!
//! # Modules
//!
//! Each uses only those above it.
//!
//! | module | what |
//! |---|---|
//! | [`words`], [`watch`], [`machine`] | numbers for people; progress; the memory there is |
//! | [`arrays`], [`outputs`], [`labels`] | tensors in files and batches, classes, labels |
//! | [`model`], [`options`] | networks, and what a compilation is asked for |
//! | [`summary`], [`predicted`], [`verdict`] | what a circuit is, how long it takes, why an answer is garbage |
//! | [`calibrate`](mod@calibrate), [`mod@compile`] | the ranges of values; from a model to a circuit |
//! | [`mod@inspect`], [`mod@bench`] | how nodes are computed; how fast primitives are |
//! | [`error`] | every failure |
//! | [`mod@simulate`], [`decrypt`](mod@decrypt), [`roles`], [`mod@infer`] | circuits at work, and what is reported of them |

pub mod arrays;
pub mod bench;
pub mod calibrate;
pub mod compile;
pub mod decrypt;
pub mod error;
pub mod infer;
pub mod inspect;
pub mod labels;
pub mod machine;
pub mod model;
pub mod options;
pub mod outputs;
pub mod predicted;
pub mod roles;
pub mod simulate;
pub mod summary;
pub mod verdict;
pub mod watch;
pub mod words;

pub use compile::{CompileError, CompileReport, Compiled, compile, compile_watched};
pub use decrypt::{DecryptOptions, DecryptReport, Decrypted, decrypt};
pub use error::Error;
pub use infer::{InferOptions, InferReport, Inference, Inferred, infer};
pub use inspect::{CircuitReport, InspectOptions, InterfaceReport, inspect, inspect_interface};
pub use model::Model;
pub use options::{AskedRange, CompileOptions};
pub use outputs::{OutputReport, argmax};
pub use roles::{EncryptReport, KeygenReport, RunReport};
pub use simulate::{SimulateOptions, SimulateReport, Simulated, simulate, simulate_watched};
pub use summary::CircuitSummary;
pub use verdict::{Finding, GarbageError};
pub use watch::{Task, Watcher};

pub use peregrine_compiler::optimisation::Optimisation;
pub use peregrine_compiler::passes::keys::KeyBudget;
pub use peregrine_ir::binary::{read_circuit, read_interface, write_circuit, write_interface};
pub use peregrine_ir::cost::{CostModel, Profile};
pub use peregrine_ir::{Interface, Security, Shape, Verified};
pub use peregrine_runtime::backend::cpu::{HeldKeys, KeySource};
pub use peregrine_runtime::client::{Client, ClientError, Decryption, Flood, KeyOrder, Secret};
pub use peregrine_runtime::exec::{CancelFlag, Cancelled, Progress, Silent, Step};
pub use peregrine_runtime::ports::{Array, Arrays, PortError};
pub use peregrine_runtime::ring::Randomness;
pub use peregrine_runtime::server::{
    Resources, Server, ServerError, ServerOptions, Session, Usage,
};
pub use peregrine_runtime::verdict::Fault;
pub use peregrine_runtime::wire::{
    EncryptedInputs, EncryptedOutputs, KeyBytes, KeyFile, StoredKeys, map_file,
};
