//! Measuring every primitive.

use super::bed::Bed;
use super::error::{BenchError, BenchFailure};
use super::keys;
use super::reference::Reference;
use super::report::{BenchReport, BenchRun, RingReport};
use super::speed::{self, Copying, Transforms};
use crate::watch::Watcher;
use std::num::NonZeroUsize;

/// What [`measure`] measures. By default every ring degree, on one thread and on one per processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BenchOptions {
    /// log2 of the only ring degree: 13 to 16.
    pub log_n: Option<u32>,
    /// How many threads to measure on.
    pub threads: Option<NonZeroUsize>,
}

impl BenchOptions {
    /// The numbers of threads to measure on, the largest last.
    pub fn thread_counts(&self) -> Vec<usize> {
        let all = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut threads = match self.threads {
            Some(threads) => vec![threads.get()],
            None => vec![1, all],
        };
        threads.dedup();
        threads
    }
}

/// Measures the primitives of the engine on this machine, which takes minutes.
///
/// # Errors
/// When threads cannot be started, or there is no such ring degree.
pub fn measure(options: &BenchOptions, watcher: &dyn Watcher) -> Result<BenchReport, BenchFailure> {
    let log_n = options.log_n;
    let degrees = log_n.map_or(Reference::LOG_N.collect(), |n| vec![n]);
    let threads = options.thread_counts();
    let task = watcher.begin("bench");
    let copy = one_thread()?.install(Copying::measure);
    let mut rings = Vec::new();
    for (done, &log_n) in degrees.iter().enumerate() {
        rings.push(ring(log_n, &threads, copy)?);
        task.count(done + 1, degrees.len());
    }
    Ok(BenchReport {
        machine: speed::machine(),
        copy,
        rings,
    })
}

fn pool(threads: usize) -> Result<rayon::ThreadPool, BenchFailure> {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    Ok(builder.build()?)
}

pub(super) fn one_thread() -> Result<rayon::ThreadPool, BenchFailure> {
    pool(1)
}

fn ring(log_n: u32, threads: &[usize], copy: Copying) -> Result<RingReport, BenchFailure> {
    let failed = |source: BenchError| BenchFailure::RingTable { log_n, source };
    let parameters = Reference::at_degree(log_n).map_err(failed)?;
    let mut bed = Bed::new(&parameters).map_err(failed)?;
    let transforms = one_thread()?
        .install(|| Transforms::measure(bed.params()))
        .map_err(failed)?;
    let yardsticks = (transforms, copy);
    let mut runs = Vec::new();
    for &threads in threads {
        let run = pool(threads)?.install(|| {
            Ok(BenchRun {
                threads,
                transform_seconds: speed::in_turn(bed.params())?,
                operations: bed.measure_all(&parameters, &yardsticks)?,
            })
        });
        runs.push(run.map_err(failed)?);
    }
    let params = bed.params().clone();
    let sizes = keys::sizes(&parameters, &params, |level| bed.key(level));
    Ok(RingReport {
        keys: sizes.map_err(failed)?,
        parameters,
        transforms,
        runs,
    })
}
