//! The whole road in one process: compile, simulate, encrypt, run, decrypt.

use peregrine_compiler::onnx::{self, Options};
use peregrine_compiler::optimisation::Without;
use peregrine_compiler::pipeline::{Compiled, Config, Session, compile};
use peregrine_compiler::precision::{self, Found, SearchError};
use peregrine_compiler::ranges::{Calibration, Ranges};
use peregrine_compiler::tensor::Graph;
use peregrine_ir::{Interface, Verified};
use peregrine_runtime::client::Client;
use peregrine_runtime::exec::Silent;
use peregrine_runtime::ports::{Array, Arrays};
use peregrine_runtime::ring::Randomness;
use peregrine_runtime::server::{Resources, Server};
use peregrine_runtime::simulate::{self, Sample, SimulateError};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

/// Anything that went wrong on the way.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Imports the model at `path`.
///
/// # Errors
/// When it is refused.
pub fn load(path: &Path) -> Result<Graph, Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(onnx::load(path, &Options::new(name))?)
}

/// Compiles the model at `path` with the defaults.
///
/// # Errors
/// When it is refused.
pub fn compile_file(path: &Path) -> Result<(Graph, Compiled), Failure> {
    let graph = load(path)?;
    let compiled = compile(&graph, &Config::new("test"))?;
    Ok((graph, compiled))
}

/// Tensors for the inputs of `graph`, in order.
///
/// # Errors
/// When there are too few or they have another size.
pub fn inputs(graph: &Graph, tensors: &[Vec<f64>]) -> Result<Arrays, Failure> {
    let mut arrays = Arrays::new();
    for ((index, name), tensor) in graph.inputs().zip(tensors) {
        arrays.insert(
            name.to_owned(),
            Array::new(graph.given_shape(index).clone(), tensor.clone())?,
        );
    }
    Ok(arrays)
}

/// The reference: the graph in f64, by output name.
///
/// # Errors
/// When an input is missing.
pub fn reference(graph: &Graph, inputs: &Arrays) -> Result<BTreeMap<String, Vec<f64>>, Failure> {
    let inputs = inputs
        .iter()
        .map(|(name, a)| (name.clone(), a.data().to_vec()))
        .collect();
    let names = graph.outputs.iter().map(|o| o.name.clone());
    Ok(names.zip(graph.evaluate(&inputs)?).collect())
}

/// An input of `graph` with what the client is to decrypt.
///
/// # Errors
/// When an input is missing.
pub fn sample(graph: &Graph, inputs: Arrays) -> Result<Sample, Failure> {
    let tensors = inputs
        .iter()
        .map(|(name, a)| (name.clone(), a.data().to_vec()));
    let expected = graph.evaluate_unfinished(&tensors.collect())?;
    let names = graph.outputs.iter().map(|o| o.name.clone());
    Ok(Sample {
        expected: names.zip(expected).collect(),
        inputs,
    })
}

/// Twice the magnitude that the values of each node of the compiled graph reach on some inputs: what [`Config::bounds`] asks for.
///
/// # Errors
/// When an input is missing.
pub fn bounds(graph: &Graph, inputs: &[Arrays]) -> Result<Vec<Option<f64>>, Failure> {
    let session = Session::new(graph, &Without::new())?;
    let values = |i: usize| {
        let named = inputs[i].iter();
        named
            .map(|(name, a)| (name.clone(), a.data().to_vec()))
            .collect()
    };
    let calibration = Calibration::new(session.graph(), inputs.len(), values, |_| ())?;
    let ranges = Ranges::new(session.graph(), Some(&calibration), &BTreeMap::new())?;
    let reached = ranges.nodes.iter().map(|node| node.calibrated.as_ref());
    Ok(reached
        .map(|reach| Some(reach?.values.largest() * 2.0))
        .collect())
}

/// Compiles for a precision of the outputs on samples, judged by simulated noise.
///
/// # Errors
/// When there is no such circuit.
pub fn compile_for(
    graph: &Graph,
    config: &Config,
    bits: u32,
    samples: &[Sample],
) -> Result<Found, SearchError<SimulateError>> {
    precision::compile(graph, config, bits, |compiled| {
        Ok(simulate::predict(&compiled.circuit, samples, &Silent)?.bits())
    })
}

/// The circuit on cleartext slots, with noise when a seed is given.
///
/// # Errors
/// When the inputs do not fit.
pub fn simulated(
    circuit: &Verified,
    inputs: &Arrays,
    noise: Option<u64>,
) -> Result<Arrays, Failure> {
    Ok(simulate::run(circuit, inputs, simulate::Options { noise }, &Silent)?.outputs)
}

/// The same for many images, several times faster than one by one.
///
/// # Errors
/// When the inputs do not fit.
pub fn simulated_all(circuit: &Verified, inputs: &[Arrays]) -> Result<Vec<Arrays>, Failure> {
    let options = simulate::Options { noise: None };
    Ok(simulate::run_all(circuit, inputs, options, &Silent)?.outputs)
}

/// A client with fresh keys and the server that has its evaluation keys.
pub struct Encrypted {
    client: Client,
    server: Server,
    secret: peregrine_runtime::client::Secret,
    keys: Arc<peregrine_runtime::backend::cpu::HeldKeys>,
}

impl Encrypted {
    /// Generates keys for a circuit.
    ///
    /// # Errors
    /// When the engine cannot work in its ring.
    pub fn new(circuit: &Verified) -> Result<Self, Failure> {
        let client = Client::new(Interface::of(circuit))?;
        let mut randomness = Randomness::from_os();
        let secret = client.generate_secret(&mut randomness)?;
        let keys = Arc::new(client.evaluation_keys(&secret, &mut randomness)?);
        Ok(Self {
            client,
            server: Server::new(circuit.clone())?,
            secret,
            keys,
        })
    }

    /// Encrypts, runs and decrypts.
    ///
    /// # Errors
    /// When the inputs do not fit, or the answer is garbage.
    pub fn run(&self, inputs: &Arrays) -> Result<Arrays, Failure> {
        let encrypted = self
            .client
            .encrypt(&self.secret, inputs, &mut Randomness::from_os())?;
        let session = self
            .server
            .session(self.keys.clone(), Resources::of_thread_pool(None))?;
        let answer = session.run(encrypted, &Silent)?;
        let decryption = self.client.decrypt(&self.secret, &answer, None)?;
        match decryption.faults.first() {
            None => Ok(decryption.outputs),
            Some(fault) => Err(format!("the answer is garbage: {fault}").into()),
        }
    }
}

/// log2 of the largest error over all outputs, relative to the largest magnitude of the reference.
pub fn error_bits(got: &Arrays, want: &BTreeMap<String, Vec<f64>>) -> f64 {
    let largest = want.values().flatten().fold(0.0f64, |m, x| m.max(x.abs()));
    let mut worst = 0.0f64;
    for (name, want) in want {
        let Some(got) = got.get(name).filter(|a| a.data().len() == want.len()) else {
            return f64::INFINITY;
        };
        for (a, b) in got.data().iter().zip(want) {
            // A function may be undefined where its operand lies.
            worst = if a.is_nan() && b.is_nan() {
                worst
            } else if (a - b).is_nan() {
                f64::INFINITY
            } else {
                worst.max((a - b).abs())
            };
        }
    }
    if worst == 0.0 {
        f64::NEG_INFINITY
    } else {
        (worst / largest.max(f64::MIN_POSITIVE)).log2()
    }
}

/// Index of the largest element.
pub fn arg_max(values: &[f64]) -> Option<usize> {
    values
        .iter()
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(b.1))
        .map(|(i, _)| i)
}
