//! Signals that end the program: temporary files go first.
//!
//! A file without a name needs no care. One with a temporary name is listed here as soon as it exists; the list is locked while
//! files are made and moved, so that a signal finds files that belong together all moved or none.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// The temporary files that were made. Those that have moved are no longer there under these names.
static NAMES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Does what no signal may interrupt; with the list of temporary files.
pub fn held<T>(f: impl FnOnce(&mut Vec<PathBuf>) -> T) -> T {
    #[cfg(unix)]
    unix::watch();
    f(&mut NAMES.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(all(test, unix))]
pub use unix::is_ignored;

#[cfg(unix)]
mod unix {
    use super::NAMES;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;
    use std::fs;
    use std::sync::{Once, PoisonError};
    use std::thread;

    /// Starts a thread that waits for signals, once.
    pub fn watch() {
        static STARTED: Once = Once::new();
        STARTED.call_once(|| {
            let ignored = ignored();
            let wanted = [SIGINT, SIGTERM, SIGHUP];
            let wanted = wanted.into_iter().filter(|&signal| !ignored(signal));
            // Without the thread a signal ends the program as ever, and a temporary file may stay.
            let Ok(signals) = Signals::new(wanted) else {
                return;
            };
            let waiting = thread::Builder::new().name("signals".to_owned());
            let _ = waiting.spawn(move || end(signals));
        });
    }

    /// At the first signal, removes temporary files and ends the program by it.
    fn end(mut signals: Signals) {
        for signal in signals.forever() {
            // It stays locked: nothing is made or moved any more.
            let names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
            for name in &*names {
                let _ = fs::remove_file(name);
            }
            let _ = emulate_default_handler(signal);
        }
    }

    /// Whether the program was started to ignore a signal.
    #[cfg(test)]
    pub fn is_ignored(signal: i32) -> bool {
        ignored()(signal)
    }

    /// What the program was started to ignore, as by `nohup`, it goes on to ignore.
    fn ignored() -> impl Fn(i32) -> bool {
        let status = fs::read_to_string("/proc/self/status").ok();
        let mask = status.and_then(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
            u64::from_str_radix(line?.trim(), 16).ok()
        });
        move |signal| match mask {
            Some(mask) => mask >> (signal - 1) & 1 == 1,
            None => signal == SIGHUP,
        }
    }
}
