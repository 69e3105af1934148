//! Progress: observers of a run, which learn how far it is, may cancel it, and may ask for the time of each instruction.

use peregrine_ir::{Node, SourceNode, Value};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// An observer of a run, which may cancel it and may ask for the time of each instruction.
///
/// A closure of `&Step` is an observer, and so is a [`CancelFlag`]. An observer may also hold a flag beside a progress bar:
///
/// ```
/// use peregrine_runtime::exec::{CancelFlag, Progress, Step};
/// use std::ops::ControlFlow;
///
/// /// Prints, and ends the run when its flag is raised.
/// struct Printer<'f>(&'f CancelFlag);
///
/// impl Progress for Printer<'_> {
///     fn advance(&self, step: &Step<'_>) -> ControlFlow<()> {
///         println!("{} of {} instructions", step.done, step.total);
///         ControlFlow::Continue(())
///     }
///
///     fn is_cancelled(&self) -> bool {
///         self.0.is_raised()
///     }
/// }
///
/// let flag = CancelFlag::default();
/// let printer = Printer(&flag);
/// assert!(!printer.is_cancelled());
/// flag.raise();
/// assert!(printer.is_cancelled());
/// ```
pub trait Progress: Sync {
    /// Reports progress; [`ControlFlow::Break`] cancels the run. Called from one thread, after each group of instructions.
    fn advance(&self, step: &Step<'_>) -> ControlFlow<()>;

    /// Whether the run must end now: asked before each instruction, and inside long ones, from many threads.
    fn is_cancelled(&self) -> bool {
        false
    }

    /// Whether [`Self::timed`] is called. Asked once, when a run starts; no clock is read for an observer that says no.
    fn wants_times(&self) -> bool {
        false
    }

    /// Reports the time of an instruction on the thread that computed it. Called from many threads, once for each instruction.
    /// The time includes encoding the plaintexts that only this instruction uses; plaintexts that are encoded for several
    /// instructions are reported by themselves. Instructions that are computed together share their time equally.
    fn timed(&self, value: Value, node: Option<Node>, took: Duration) {
        let _ = (value, node, took);
    }
}

/// The progress of a run.
#[derive(Clone, Copy, Debug)]
pub struct Step<'c> {
    /// The number of instructions that are done.
    pub done: usize,
    /// The number of all instructions.
    pub total: usize,
    /// The share of the estimated work that is done, 0 to 1.
    pub fraction: f64,
    /// The ONNX node that was worked on last.
    pub node: Option<(Node, &'c SourceNode)>,
    /// The name of the function that is being called for it, such as a refresh; none in the main program.
    pub function: Option<&'c str>,
}

/// An observer that ignores everything.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn advance(&self, _: &Step<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl<F: Fn(&Step<'_>) -> ControlFlow<()> + Sync> Progress for F {
    fn advance(&self, step: &Step<'_>) -> ControlFlow<()> {
        self(step)
    }
}

/// A flag that another thread raises to cancel a run; it is never lowered.
///
/// ```
/// use peregrine_runtime::exec::CancelFlag;
/// use std::sync::Arc;
///
/// let flag = Arc::new(CancelFlag::default());
/// let other = flag.clone();
/// std::thread::spawn(move || other.raise()).join().unwrap();
/// assert!(flag.is_raised());
/// ```
#[derive(Debug, Default)]
pub struct CancelFlag(AtomicBool);

impl CancelFlag {
    /// Raises the flag, which cancels every run that observes it.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the flag is raised.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Progress for CancelFlag {
    fn advance(&self, _: &Step<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn is_cancelled(&self) -> bool {
        self.is_raised()
    }
}
