//! Repeated runs: their median, and the least, which is what a machine with nothing else to do takes.

use rayon::prelude::*;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Runs: at least the first, more within the time, at most the second.
const RUNS: (usize, usize) = (5, 25);
const TIME: Duration = Duration::from_millis(200);
/// Operations in turn on each thread.
const EACH: usize = 4;

/// Times of repeated runs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Timing {
    /// Number of runs.
    pub runs: usize,
    /// Median time of a run.
    pub median_seconds: f64,
    /// Least time of a run.
    pub least_seconds: f64,
}

impl Timing {
    /// The share of each of so many equal parts of what was run.
    pub(super) fn share(self, parts: usize) -> Self {
        Self {
            runs: self.runs,
            median_seconds: self.median_seconds / parts as f64,
            least_seconds: self.least_seconds / parts as f64,
        }
    }
}

/// The median time of an operation; the first run only warms up.
pub(super) fn median<T, E>(mut operation: impl FnMut() -> Result<T, E>) -> Result<Timing, E> {
    median_on(|| (), |()| operation())
}

/// The median time of an operation that is one thread's work: of several side by side, each thread's share.
pub(super) fn median_each<T: Send, E: Send>(
    operation: impl Fn() -> Result<T, E> + Sync,
) -> Result<Timing, E> {
    let count = EACH * rayon::current_num_threads();
    let all = || (0..count).into_par_iter().map(|_| operation().map(drop));
    let timing = median(|| all().collect::<Result<(), E>>())?;
    Ok(timing.share(count))
}

/// The median time of an operation on something made anew for each run, which is not part of the time.
pub(super) fn median_on<S, T, E>(
    mut make: impl FnMut() -> S,
    mut operation: impl FnMut(S) -> Result<T, E>,
) -> Result<Timing, E> {
    operation(make())?;
    let (started, mut times) = (Instant::now(), Vec::new());
    while times.len() < RUNS.0 || (times.len() < RUNS.1 && started.elapsed() < TIME) {
        let operand = make();
        let start = Instant::now();
        let result = operation(operand)?;
        times.push(start.elapsed().as_secs_f64());
        // Freeing the result is not part of the operation.
        drop(result);
    }
    times.sort_by(f64::total_cmp);
    Ok(Timing {
        runs: times.len(),
        median_seconds: times.get(times.len() / 2).copied().unwrap_or(f64::NAN),
        least_seconds: times.first().copied().unwrap_or(f64::NAN),
    })
}
