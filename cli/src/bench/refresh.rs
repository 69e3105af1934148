//! Refreshes at 128-bit security, of all real values that a ciphertext can hold and of a quarter of them: seconds, precision, keys.

use super::bed::Bed;
use super::error::{BenchError, BenchFailure, RefreshFailure};
use super::measure::one_thread;
use super::operation::Operation;
use super::reference::Reference;
use crate::watch::{Task, Watcher};
use peregrine_compiler::refresh::choices::{Choices, Packing};
use peregrine_compiler::refresh::circuit::{INPUTS, OUTPUTS};
use peregrine_compiler::refresh::plan::RefreshPlan;
use peregrine_ir::cost::CostModel;
use peregrine_ir::{Interface, Security, Shape, Verified, verify};
use peregrine_runtime::client::{Client, Secret};
use peregrine_runtime::exec::Silent;
use peregrine_runtime::ports::{Array, Arrays};
use peregrine_runtime::ring::Randomness;
use peregrine_runtime::server::{Server, ServerOptions, Session, Usage};
use peregrine_runtime::wire::{KeyBytes, KeyFile};
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;

/// log2 of the ring degree at which a refresh is measured.
pub const LOG_N: u32 = 16;
/// Bytes for encoded constants, which are kept from one run to the next as in a network with several refreshes.
const CACHE: u64 = 6 << 30;

pub use peregrine_compiler::precision::MAX_REFRESH_BITS;

/// What [`measure_refresh`] measures.
#[derive(Clone, Debug)]
pub struct RefreshOptions {
    /// Random messages on each number of threads, at least one.
    pub messages: usize,
    /// Numbers of threads.
    pub threads: Vec<usize>,
    /// Bits by which refreshes are finer, up to four: [`Choices::finer`].
    pub refresh_bits: u32,
}

/// Refreshes as they were measured: what `peregrine bench --refresh --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct RefreshReport {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Seconds of a rotation at the reference parameters of that degree, on one thread: what refreshes of machines are compared by.
    pub rotation_seconds: f64,
    /// Of `2^16` values, then of `2^14`.
    pub refreshes: Vec<MeasuredRefresh>,
}

/// A refresh as it was measured.
#[derive(Clone, Debug, Serialize)]
pub struct MeasuredRefresh {
    /// Real values that one refresh takes.
    pub values: usize,
    /// log2 of the modulus of the argument.
    pub from_bits: f64,
    /// log2 of the modulus of the results.
    pub to_bits: f64,
    /// log2 of the probability that a coefficient wraps further than the polynomial reaches.
    pub failure_bits: f64,
    /// Number of evaluation keys.
    pub keys: usize,
    /// Length of the file of evaluation keys.
    pub key_bytes: u64,
    /// Bits of the worst value of all messages; values are between -1 and 1.
    pub worst_bits: f64,
    /// Bits of the root mean square of all errors.
    pub rms_bits: f64,
    /// Times by number of threads.
    pub runs: Vec<RefreshRun>,
}

/// Times of refreshes on some number of threads.
#[derive(Clone, Debug, Serialize)]
pub struct RefreshRun {
    /// How many threads.
    pub threads: usize,
    /// Seconds of the first refresh, which encodes the constants.
    pub first_seconds: f64,
    /// Median seconds of the others; none where there is one message.
    pub median_seconds: Option<f64>,
}

/// Measures refreshes of `2^16` and of `2^14` real values at 128-bit security, as the roles do it: keys in a file, inputs encrypted, outputs
/// decrypted.
///
/// # Errors
/// When keys cannot be written, or a role fails.
pub fn measure_refresh(
    options: &RefreshOptions,
    watcher: &dyn Watcher,
) -> Result<RefreshReport, BenchFailure> {
    let sparse = Packing::Sparse {
        log_values: LOG_N - 2,
    };
    let refreshes = [Packing::Full, sparse];
    Ok(RefreshReport {
        log_n: LOG_N,
        rotation_seconds: rotation()?,
        refreshes: refreshes
            .into_iter()
            .map(|packing| refresh(packing, options, watcher))
            .collect::<Result<_, _>>()?,
    })
}

/// Median seconds of a rotation at the reference parameters, on one thread.
fn rotation() -> Result<f64, BenchFailure> {
    let failed = |source: BenchError| BenchFailure::RingTable {
        log_n: LOG_N,
        source,
    };
    let mut bed = Bed::new(&Reference::at_degree(LOG_N).map_err(failed)?).map_err(failed)?;
    let timing = one_thread()?.install(|| bed.measure(Operation::Rotate));
    Ok(timing.map_err(failed)?.median_seconds)
}

fn refresh(
    packing: Packing,
    options: &RefreshOptions,
    watcher: &dyn Watcher,
) -> Result<MeasuredRefresh, RefreshFailure> {
    let limit = Security::max_modulus_bits(LOG_N).unwrap_or(0);
    let choices = Choices::reference(LOG_N, f64::from(limit), packing);
    let plan = choices.finer(options.refresh_bits).plan()?;
    let circuit = circuit(&plan)?;
    let mut randomness = Randomness::from_os();
    let client = Client::new(Interface::of(&circuit))?;
    let secret = client.generate_secret(&mut randomness)?;
    let task = watcher.begin("keys");
    let file = tempfile::tempfile()?;
    let made = |done, total| task.count(done, total);
    let file = client.write_evaluation_keys(&secret, &mut randomness, file, made)?;
    drop(task);
    let mut bed = RefreshBed {
        client,
        secret,
        randomness,
        inputs: circuit.inputs.len(),
        values: plan.values(),
        errors: Vec::new(),
    };
    let mut runs = Vec::new();
    let task = watcher.begin("refreshes");
    for (done, &threads) in options.threads.iter().enumerate() {
        let server = Server::with_options(
            circuit.clone(),
            ServerOptions {
                threads: Some(threads),
                memory: None,
                usage: Usage {
                    cache: CACHE,
                    ..Usage::default()
                },
            },
        )?;
        let keys = server.find_keys(vec![KeyFile::open(KeyBytes::map(&file)?)?])?;
        let session = server.session(Arc::new(keys), server.resources())?;
        let progress = (&task, done * options.messages.max(1));
        runs.push(bed.run(&session, threads, options, progress)?);
    }
    let [from_bits, to_bits] = plan.modulus_bits;
    Ok(MeasuredRefresh {
        values: bed.inputs * bed.values as usize,
        from_bits,
        to_bits,
        failure_bits: plan.failure_bits,
        keys: circuit.keys.levels.len(),
        key_bytes: file.metadata()?.len(),
        worst_bits: -bed
            .errors
            .iter()
            .fold(0.0, |most: f64, &x| most.max(x))
            .log2(),
        rms_bits: -root_mean_square(&bed.errors).log2(),
        runs,
    })
}

fn circuit(plan: &RefreshPlan) -> Result<Verified, RefreshFailure> {
    let vectors = match plan.refresh.packing {
        Packing::Full => 2,
        Packing::Sparse { .. } => 1,
    };
    let circuit = plan.circuit(vectors, Security::Classical128, &CostModel::default())?;
    Ok(verify(circuit)?)
}

fn root_mean_square(errors: &[f64]) -> f64 {
    let squares: f64 = errors.iter().map(|x| x * x).sum();
    (squares / errors.len().max(1) as f64).sqrt()
}

/// The client's side.
struct RefreshBed {
    client: Client,
    secret: Secret,
    randomness: Randomness,
    /// The number of vectors, and the values of each.
    inputs: usize,
    values: u32,
    /// Of all values so far.
    errors: Vec<f64>,
}

impl RefreshBed {
    fn run(
        &mut self,
        session: &Session,
        threads: usize,
        options: &RefreshOptions,
        (task, before): (&Task<'_>, usize),
    ) -> Result<RefreshRun, RefreshFailure> {
        let mut seconds = Vec::new();
        for message in 0..options.messages.max(1) {
            let given = self.messages(message as u64 + 1)?;
            let inputs = self
                .client
                .encrypt(&self.secret, &given, &mut self.randomness)?;
            let started = Instant::now();
            let outputs = session.run(inputs, &Silent)?;
            seconds.push(started.elapsed().as_secs_f64());
            let found = self.client.decrypt(&self.secret, &outputs, None)?.outputs;
            for (before, after) in INPUTS.iter().zip(OUTPUTS) {
                let pairs = given.get(*before).zip(found.get(after));
                let pairs = pairs
                    .into_iter()
                    .flat_map(|(x, y)| x.data().iter().zip(y.data()));
                self.errors.extend(pairs.map(|(x, y)| (x - y).abs()));
            }
            task.count(
                before + message + 1,
                options.threads.len() * options.messages.max(1),
            );
        }
        let first_seconds = seconds.first().copied().unwrap_or(f64::NAN);
        let mut others = seconds.split_off(1.min(seconds.len()));
        others.sort_by(f64::total_cmp);
        Ok(RefreshRun {
            threads,
            first_seconds,
            median_seconds: others.get(others.len() / 2).copied(),
        })
    }

    /// Pseudo-random values between -1 and 1.
    fn messages(&self, seed: u64) -> Result<Arrays, RefreshFailure> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        };
        let mut arrays = Arrays::new();
        for name in INPUTS.into_iter().take(self.inputs) {
            let data = (0..self.values).map(|_| next()).collect();
            let shape = Shape::new([1, self.values])?;
            arrays.insert(name.to_owned(), Array::new(shape, data)?);
        }
        Ok(arrays)
    }
}
