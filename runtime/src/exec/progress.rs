//! Observing a run: how far it is, whether it is to go on, and what each instruction takes.

use peregrine_ir::{Node, SourceNode, Value};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// An observer of a run, which may cancel it and may ask for the time of each instruction.
///
/// A closure of `&Step` is an observer. So is a [`CancelFlag`]; an observer of one's own may hold one beside a bar.
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
    /// Some instructions are done; [`ControlFlow::Break`] cancels the run. Called from one thread, after each group of instructions.
    fn advance(&self, step: &Step<'_>) -> ControlFlow<()>;

    /// Whether the run is to end now: asked before each instruction, and inside long ones, from many threads.
    fn is_cancelled(&self) -> bool {
        false
    }

    /// Whether [`Self::timed`] is to be called. Asked once, when a run starts; no clock is read for an observer that says no.
    fn wants_times(&self) -> bool {
        false
    }

    /// An instruction took so long on the thread that computed it. Called from many threads, once for each instruction; the time
    /// includes encoding the plaintexts that only this instruction uses. Plaintexts that are encoded for several instructions
    /// are reported by themselves.
    fn timed(&self, value: Value, node: Option<Node>, took: Duration) {
        let _ = (value, node, took);
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Step<'c> {
    /// Instructions done.
    pub done: usize,
    /// Instructions in all.
    pub total: usize,
    /// Share of the estimated work done, 0 to 1.
    pub fraction: f64,
    /// The ONNX node that was worked on last.
    pub node: Option<(Node, &'c SourceNode)>,
}

/// Observes nothing.
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

/// A flag that another thread raises to cancel a run; once raised it stays so.
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
    /// Cancels every run that looks at this flag.
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
