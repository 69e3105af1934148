//! A progress bar on standard error: only on a terminal, and only for what takes longer than a second.

use indicatif::{ProgressBar, ProgressStyle};
use peregrine::{Task, Watcher};
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is not worth a bar.
const PATIENCE: Duration = Duration::from_secs(1);
/// Steps of a bar.
const STEPS: u64 = 1000;

/// One thing that takes time; its bar vanishes when dropped.
#[derive(Debug)]
struct Bar {
    what: String,
    started: Instant,
    terminal: bool,
    shown: Mutex<Option<ProgressBar>>,
}

impl Bar {
    /// Starts the clock.
    fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            started: Instant::now(),
            terminal: std::io::stderr().is_terminal(),
            shown: Mutex::new(None),
        }
    }

    /// Notes that a share of the work is done, 0 to 1, and what was done last.
    fn set(&self, fraction: f64, detail: &str) {
        if !self.terminal || self.started.elapsed() < PATIENCE {
            return;
        }
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = shown.get_or_insert_with(|| self.bar());
        bar.set_position((fraction * STEPS as f64) as u64);
        bar.set_message(detail.to_owned());
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

/// A bar for each task of the library.
#[derive(Clone, Copy, Debug)]
pub struct Bars;

impl Watcher for Bars {
    fn begin(&self, task: &str) -> Task<'_> {
        let bar = Bar::new(task);
        Task::new(move |share, detail| bar.set(share, detail))
    }
}
