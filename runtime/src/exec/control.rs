//! What the observer of a run wants of it, as many threads see it.

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
    /// Of a run of so many instructions.
    pub(super) fn new(observer: &'r dyn Progress, total: usize) -> Self {
        Self {
            timed: observer.wants_times(),
            observer,
            total,
            done: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// Looks whether the run is to go on.
    ///
    /// # Errors
    /// When it was cancelled.
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

    /// Computes a value, and reports what it took if anyone asked.
    pub(super) fn time<T>(&self, (value, node): (Value, Option<Node>), f: impl FnOnce() -> T) -> T {
        if !self.timed {
            return f();
        }
        let started = Instant::now();
        let result = f();
        self.observer.timed(value, node, started.elapsed());
        result
    }

    /// An instruction is done.
    pub(super) fn finished(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells the observer how far the run is.
    ///
    /// # Errors
    /// When it cancels the run.
    pub(super) fn advance(&self, step: &Step<'_>) -> Result<(), Cancelled> {
        if self.observer.advance(step).is_break() {
            self.stopped.store(true, Ordering::Relaxed);
            return Err(self.cancelled());
        }
        Ok(())
    }

    /// How far the run was when it was cancelled.
    pub(super) fn cancelled(&self) -> Cancelled {
        Cancelled {
            done: self.done.load(Ordering::Relaxed),
            total: self.total,
        }
    }
}
