//! Control: the link of many threads to the observer of a run.

use super::error::Cancelled;
use super::progress::{Progress, Step};
use peregrine_ir::{Node, Value};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

/// The link between a run and its observer.
pub(super) struct Control<'r> {
    observer: &'r dyn Progress,
    timed: bool,
    total: usize,
    done: AtomicUsize,
    stopped: AtomicBool,
}

impl<'r> Control<'r> {
    /// The link of a run of `total` instructions to its observer.
    pub(super) fn new(observer: &'r dyn Progress, total: usize) -> Self {
        Self {
            timed: observer.wants_times(),
            observer,
            total,
            done: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// Checks whether the run is to go on.
    ///
    /// # Errors
    /// When the observer has cancelled the run.
    pub(super) fn check(&self) -> Result<(), Cancelled> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(self.cancelled());
        }
        if self.observer.is_cancelled() {
            self.stopped.store(true, Ordering::Relaxed);
            return Err(self.cancelled());
        }
        Ok(())
    }

    /// Computes a value, and reports its time if the observer asked for times.
    pub(super) fn time<T>(&self, of: (Value, Option<Node>), f: impl FnOnce() -> T) -> T {
        self.time_all(&[of], f)
    }

    /// Computes several values together, and reports an equal share of the time for each if the observer asked for times.
    pub(super) fn time_all<T>(&self, of: &[(Value, Option<Node>)], f: impl FnOnce() -> T) -> T {
        if !self.timed {
            return f();
        }
        let started = Instant::now();
        let result = f();
        let share = started.elapsed() / of.len().max(1) as u32;
        for &(value, node) in of {
            self.observer.timed(value, node, share);
        }
        result
    }

    /// Counts an instruction as done.
    pub(super) fn finished(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// Reports the progress of the run to the observer.
    ///
    /// # Errors
    /// When the observer cancels the run.
    pub(super) fn advance(&self, step: &Step<'_>) -> Result<(), Cancelled> {
        if self.observer.advance(step).is_break() {
            self.stopped.store(true, Ordering::Relaxed);
            return Err(self.cancelled());
        }
        Ok(())
    }

    /// The progress of the run at the moment when it was cancelled.
    pub(super) fn cancelled(&self) -> Cancelled {
        Cancelled {
            done: self.done.load(Ordering::Relaxed),
            total: self.total,
        }
    }
}
