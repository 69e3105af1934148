//! A progress bar on standard error: only on a terminal, and only for what takes longer than a second.

use indicatif::{ProgressBar, ProgressStyle};
use peregrine_runtime::exec::{Progress, Step};
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is not worth a bar.
const PATIENCE: Duration = Duration::from_secs(1);
/// Steps of a bar.
const STEPS: u64 = 1000;

/// One thing that takes time; its bar vanishes when dropped.
#[derive(Debug)]
pub struct Bar {
    what: String,
    started: Instant,
    terminal: bool,
    shown: Mutex<Option<ProgressBar>>,
}

impl Bar {
    /// Starts the clock.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            started: Instant::now(),
            terminal: std::io::stderr().is_terminal(),
            shown: Mutex::new(None),
        }
    }

    /// Notes that a share of the work is done, 0 to 1, and what was done last.
    pub fn set(&self, fraction: f64, detail: &str) {
        if !self.terminal || self.started.elapsed() < PATIENCE {
            return;
        }
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = shown.get_or_insert_with(|| self.bar());
        bar.set_position((fraction * STEPS as f64) as u64);
        bar.set_message(detail.to_owned());
    }

    /// The same for the `done`th of several.
    pub fn count(&self, done: usize, total: usize) {
        self.set(
            done as f64 / total.max(1) as f64,
            &format!("{done} of {total}"),
        );
    }

    fn bar(&self) -> ProgressBar {
        let bar = ProgressBar::new(STEPS).with_elapsed(self.started.elapsed());
        let template = "{prefix} {bar:32} {percent:>3} % {elapsed}, {eta} left  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.with_prefix(self.what.clone())
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        let shown = self.shown.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = shown {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Bar {
    fn advance(&self, step: &Step<'_>) -> ControlFlow<()> {
        let node = step.node.map_or("", |(_, node)| node.name.as_str());
        self.set(step.fraction, node);
        ControlFlow::Continue(())
    }
}
