//! The machine: threads to compute with, the memory there is, and what this process takes of it.

use crate::args::MachineArgs;
use crate::error::Error;
use crate::report;
use peregrine_ir::{Circuit, Key, Level};
use peregrine_runtime::exec::memory::{Prediction, Sizes};
use serde::Serialize;
use std::fs;

/// What the program takes beside circuits, keys and values: code and data that are touched, stacks, the allocator's own.
pub const PROGRAM_BYTES: u64 = 13 << 19;

/// Share of the machine's memory that encoded constants may take when there are several runs and no limit.
const CACHE_SHARE: u64 = 4;
/// The same where the memory of the machine is not known.
const CACHE_BYTES: u64 = 1 << 30;

/// Starts the threads that were asked for.
pub fn start_threads(args: &MachineArgs) -> Result<(), Error> {
    if let Some(threads) = args.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .build_global()?;
    }
    Ok(())
}

/// Most bytes for encoded constants kept from one run to the next; a limit given by the user bounds them instead.
pub fn cache_budget(args: &MachineArgs, runs: usize) -> u64 {
    match (runs, args.memory) {
        (0 | 1, _) => 0,
        (_, Some(_)) => u64::MAX,
        (_, None) => physical().map_or(CACHE_BYTES, |bytes| bytes / CACHE_SHARE),
    }
}

/// Bytes of memory of this machine, where the system says.
fn physical() -> Option<u64> {
    field("/proc/meminfo", "MemTotal:")
}

/// Bytes this process has in memory, where the system says.
fn resident() -> Option<u64> {
    field("/proc/self/status", "VmRSS:")
}

/// Bytes this process has in memory beside the evaluation keys of a circuit, all of which it holds; what compiling and
/// making keys left behind is among them.
pub fn beside_keys(circuit: &Circuit) -> u64 {
    let sizes = Sizes::new(&circuit.ring);
    let keys = circuit.keys.levels.iter();
    let bytes = |(key, &level): (&Key, &Level)| sizes.key_bytes(key.kind, level);
    let keys: u64 = keys.map(bytes).sum();
    resident().map_or(PROGRAM_BYTES, |bytes| {
        bytes.saturating_sub(keys).max(PROGRAM_BYTES)
    })
}

/// The most bytes this process has had in memory, where the system says.
pub fn peak() -> Option<u64> {
    field("/proc/self/status", "VmHWM:")
}

/// A line `NAME   NUMBER kB`, in bytes.
fn field(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1 << 10)
}

/// Memory as it was predicted and as it was taken.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    /// By part.
    pub predicted_memory: Prediction,
    /// All parts together.
    pub predicted_peak: u64,
    /// The most this process had in memory so far, where the system says.
    pub measured_peak: Option<u64>,
}

impl Memory {
    /// As it is now.
    pub fn measure(predicted: Prediction) -> Self {
        Self {
            predicted_memory: predicted,
            predicted_peak: predicted.total(),
            measured_peak: peak(),
        }
    }

    /// In one line.
    pub fn text(&self) -> String {
        let Prediction {
            values,
            keys,
            cache,
            fixed,
            ..
        } = self.predicted_memory;
        let parts = [
            ("values", values),
            ("keys", keys),
            ("encoded constants", cache),
            ("the rest", fixed),
        ];
        let parts = parts.iter().filter(|(_, bytes)| *bytes > 0);
        let parts = parts.map(|(name, bytes)| format!("{name} {}", report::bytes(*bytes)));
        let parts = parts.collect::<Vec<_>>().join(", ");
        let total = report::bytes(self.predicted_peak);
        let measured = self.measured_peak.map_or(String::new(), |bytes| {
            format!("; measured {}", report::bytes(bytes))
        });
        format!("at most {total} predicted ({parts}){measured}")
    }
}
