//! `bench`: the primitives of the engine on this machine, at fixed reference parameters.
//!
//! | file | what |
//! |---|---|
//! | `reference` | the parameters, by ring degree |
//! | `operation` | what is measured, and how many transforms and bytes it takes at least |
//! | `bed` | keys, ciphertexts and the measured calls |
//! | `speed` | the yardsticks: transforms of this engine and of `tfhe-ntt`, copied bytes |
//! | `keys` | files of keys |
//! | `weights` | a convolution whose constants are filled |
//! | `profile` | the measurements as a profile of the machine, for `compile --profile` |
//! | `table` | how it is shown |
//!
//! Every time is a median, at the highest level, where operations cost most.

mod bed;
mod keys;
mod operation;
mod profile;
mod reference;
mod speed;
mod table;
mod timing;
mod weights;

use crate::args::Bench;
use crate::error::Error;
use crate::files::{Content, NewFile};
use crate::progress::Bar;
use crate::report;
use bed::Bed;
use keys::KeySize;
use operation::Measured;
use peregrine_ir::binary::ContainerError;
use peregrine_ir::cost::Machine;
use peregrine_ir::{FillError, LayoutError, ShapeError, TensorError};
use peregrine_runtime::ckks::CkksError;
use peregrine_runtime::params::ParametersError;
use peregrine_runtime::ring::RingError;
use peregrine_runtime::rlwe::RlweError;
use peregrine_runtime::wire::WireError;
use reference::Reference;
use serde::Serialize;
use speed::{Copying, Transforms};
use std::num::NonZeroUsize;

/// What was measured.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    copy: Copying,
    rings: Vec<RingReport>,
}

/// The measurements at one ring degree.
#[derive(Debug, Serialize)]
struct RingReport {
    parameters: Reference,
    transforms: Transforms,
    keys: Vec<KeySize>,
    runs: Vec<Run>,
}

/// The operations on some number of threads.
#[derive(Debug, Serialize)]
struct Run {
    threads: usize,
    /// A limb's share of transforming polynomials, one prime after the other.
    transform_seconds: f64,
    operations: Vec<Measured>,
}

/// Measures.
pub fn run(args: &Bench) -> Result<(), Error> {
    let mut file = args
        .profile_out
        .as_deref()
        .map(|path| NewFile::over(path, args.force, |found| *found == Content::Json))
        .transpose()?;
    let degrees = args.log_n.map_or(Reference::LOG_N.collect(), |n| vec![n]);
    let threads = threads(args);
    let bar = Bar::new("bench");
    let copy = one_thread()?.install(Copying::measure);
    let mut rings = Vec::new();
    for (done, &log_n) in degrees.iter().enumerate() {
        rings.push(ring(log_n, &threads, copy)?);
        bar.count(done + 1, degrees.len());
    }
    drop(bar);
    let machine = speed::machine();
    let report = Report {
        machine,
        copy,
        rings,
    };
    if let Some(file) = &mut file {
        let last = threads.last().copied().unwrap_or(1);
        let profile = profile::of(&report, last);
        let text = serde_json::to_string_pretty(&profile)? + "\n";
        file.write(text.as_bytes())?;
    }
    report::print(args.json.json, &report, table::text)?;
    file.map_or(Ok(()), |file| file.commit().map(drop))
}

/// What to measure on: one thread and all, unless told.
fn threads(args: &Bench) -> Vec<usize> {
    let all = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut threads = match args.threads {
        Some(threads) => vec![threads.get()],
        None => vec![1, all],
    };
    threads.dedup();
    threads
}

fn pool(threads: usize) -> Result<rayon::ThreadPool, Error> {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    Ok(builder.build()?)
}

fn one_thread() -> Result<rayon::ThreadPool, Error> {
    pool(1)
}

fn ring(log_n: u32, threads: &[usize], copy: Copying) -> Result<RingReport, Error> {
    let failed = |source| Error::Bench { log_n, source };
    let parameters = Reference::of(log_n).map_err(failed)?;
    let mut bed = Bed::new(&parameters).map_err(failed)?;
    let transforms = one_thread()?
        .install(|| Transforms::measure(bed.params()))
        .map_err(failed)?;
    let yardsticks = (transforms, copy);
    let mut runs = Vec::new();
    for &threads in threads {
        let run = pool(threads)?.install(|| {
            Ok(Run {
                threads,
                transform_seconds: speed::in_turn(bed.params())?,
                operations: bed.measure_all(&parameters, &yardsticks)?,
            })
        });
        runs.push(run.map_err(failed)?);
    }
    Ok(RingReport {
        keys: keys::sizes(&parameters, &mut bed).map_err(failed)?,
        parameters,
        transforms,
        runs,
    })
}

/// Why a primitive could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// Too few primes.
    #[error("there are fewer than {count} primes of 50 bits")]
    Primes {
        /// How many are needed.
        count: usize,
    },
    /// The parameters would be beyond the security line.
    #[error(
        "the reference modulus of {bits:.1} bits is above the limit for 128-bit security, {limit}"
    )]
    Insecure {
        /// log2 of the modulus.
        bits: f64,
        /// The line.
        limit: u32,
    },
    /// No transform to compare with.
    #[error("tfhe-ntt has no transform modulo {prime}")]
    Baseline {
        /// The prime.
        prime: u64,
    },
    /// The engine refuses the parameters.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// The engine refuses an operation.
    #[error(transparent)]
    Ckks(#[from] CkksError),
    /// The engine refuses a key.
    #[error(transparent)]
    Rlwe(#[from] RlweError),
    /// The engine refuses a polynomial.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// A key cannot be written.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A key file cannot be written or mapped.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// A key cannot be read.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// The measured convolution has no layout.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The measured convolution has no shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The measured convolution has no weights.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The measured convolution has no constants.
    #[error(transparent)]
    Fill(#[from] FillError),
}
