//! The machine: threads to compute with, and what a run will need, said before it starts.

use super::args::MachineArgs;
use super::error::Error;
use peregrine::machine::memory_limit;
use peregrine::words::bytes;
use peregrine_runtime::exec::memory::Prediction;
use std::io::{self, IsTerminal, Write};

/// Less than this is said on a terminal only.
const WORTH_SAYING: u64 = 1 << 30;

/// Says on standard error what a run will need, before it starts.
pub fn announce(prediction: Prediction, args: &MachineArgs) {
    if prediction.total() < WORTH_SAYING && !io::stderr().is_terminal() {
        return;
    }
    let limit = memory_limit(args.memory).map_or(String::new(), |limit| {
        let whose = if args.memory.is_some() {
            "by --memory"
        } else {
            "free; --memory sets a limit"
        };
        format!(" of {} ({whose})", bytes(limit))
    });
    let needs = bytes(prediction.total());
    let _ = writeln!(io::stderr(), "memory: at most {needs}{limit}");
}

/// Starts the threads that were asked for.
pub fn start_threads(args: &MachineArgs) -> Result<(), Error> {
    if let Some(threads) = args.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .build_global()?;
    }
    Ok(())
}
