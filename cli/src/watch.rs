//! Watching work that takes time.

use peregrine_runtime::exec::{Progress, Step};
use std::fmt;
use std::ops::ControlFlow;

/// An observer of long work, such as [`compile`](crate::compile::compile) or [`infer`](crate::infer::infer).
///
/// Work is a sequence of tasks, some of them more than once. `&()` is the watcher that ignores them:
///
/// ```
/// use peregrine::{Task, Watcher};
///
/// struct Printing;
///
/// impl Watcher for Printing {
///     fn begin(&self, task: &str) -> Task<'_> {
///         let task = task.to_owned();
///         Task::new(move |share, detail| println!("{task}: {:.0} %, {detail}", 100.0 * share))
///     }
/// }
///
/// Printing.begin("compile").set(0.5, "layouts");
/// ().begin("compile").set(0.5, "layouts");
/// ```
pub trait Watcher: Sync {
    /// Begins a task, which is over when what is returned is dropped. `task` is a phrase for people: `compile`, `evaluate
    /// samples`, `simulate`, `image 2 of 3`.
    fn begin(&self, task: &str) -> Task<'_>;
}

impl Watcher for () {
    fn begin(&self, _: &str) -> Task<'_> {
        Task::new(|_, _| {})
    }
}

/// One task under way, told how far it is.
pub struct Task<'w>(Box<Told<'w>>);

type Told<'w> = dyn Fn(f64, &str) + Send + Sync + 'w;

impl<'w> Task<'w> {
    /// A task that passes on what it is told: the share that is done, 0 to 1, and what is worked on.
    pub fn new(told: impl Fn(f64, &str) + Send + Sync + 'w) -> Self {
        Self(Box::new(told))
    }

    /// Notes that a share of the task is done, 0 to 1, and what is worked on.
    pub fn set(&self, share: f64, detail: &str) {
        (self.0)(share, detail);
    }

    /// Notes that `done` of `total` equal parts of the task are done.
    pub fn count(&self, done: usize, total: usize) {
        let share = done as f64 / total.max(1) as f64;
        self.set(share, &format!("{done} of {total}"));
    }
}

impl fmt::Debug for Task<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").finish_non_exhaustive()
    }
}

/// A run of a circuit as a task: the node that is worked on is the detail, with the function that is called for it.
impl Progress for Task<'_> {
    fn advance(&self, step: &Step<'_>) -> ControlFlow<()> {
        let node = step.node.map_or("", |(_, node)| node.name.as_str());
        match step.function {
            Some(function) => self.set(step.fraction, &format!("{node} ({function})")),
            None => self.set(step.fraction, node),
        }
        ControlFlow::Continue(())
    }
}
