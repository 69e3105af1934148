//! The machine: threads to compute with, the memory there is, and what this process takes of it.

use crate::args::MachineArgs;
use crate::error::Error;
use crate::report;
use peregrine_ir::{Circuit, Key, Level};
use peregrine_runtime::backend::cpu::{CpuFootprint, Sizes};
use peregrine_runtime::exec::KeyResidence;
use peregrine_runtime::exec::memory::{self, Budget, MemoryError, Prediction};
use serde::Serialize;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// What the program takes beside circuits, keys and values: code and data that are touched, stacks, the allocator's own.
pub const PROGRAM_BYTES: u64 = 13 << 20;

/// Share of the machine's memory that encoded constants may take when there are several runs and no limit.
const CACHE_SHARE: u64 = 4;
/// The same where the memory of the machine is not known.
const CACHE_BYTES: u64 = 1 << 30;

/// Share of the memory that is free which a run may take when no limit is given: the rest is for what starts meanwhile.
const FREE_SHARE: f64 = 0.9;

/// The most bytes that this process may take: what was asked for, else most of what is free beside it; none where the system does
/// not say.
pub fn memory_limit(args: &MachineArgs) -> Option<u64> {
    args.memory.or_else(|| {
        let free = field("/proc/meminfo", "MemAvailable:")?;
        let free = group_room().map_or(free, |room| room.min(free));
        Some(resident().unwrap_or(0) + (free as f64 * FREE_SHARE) as u64)
    })
}

/// Bytes that the control group of this process has left, where it has a limit.
fn group_room() -> Option<u64> {
    let number = |file: &str| {
        let text = fs::read_to_string(Path::new("/sys/fs/cgroup").join(file)).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let (most, taken) = (number("memory.max")?, number("memory.current")?);
    Some(most.saturating_sub(taken))
}

/// Less than this is said on a terminal only.
const WORTH_SAYING: u64 = 1 << 30;

/// Says on standard error what a run will need, before it starts.
pub fn announce(prediction: Prediction, args: &MachineArgs) {
    if prediction.total() < WORTH_SAYING && !io::stderr().is_terminal() {
        return;
    }
    let limit = memory_limit(args).map_or(String::new(), |limit| {
        let whose = if args.memory.is_some() {
            "by --memory"
        } else {
            "free; --memory sets a limit"
        };
        format!(" of {} ({whose})", report::bytes(limit))
    });
    let needs = report::bytes(prediction.total());
    let _ = writeln!(io::stderr(), "memory: at most {needs}{limit}");
}

/// What a run will need with all evaluation keys in memory, before they are made.
pub fn foresee(circuit: &Circuit, args: &MachineArgs) -> Result<Prediction, MemoryError> {
    let budget = Budget {
        window: rayon::current_num_threads(),
        keys: KeyResidence::Held,
        expanded: 0,
        limit: memory_limit(args),
        cache: 0,
        process: PROGRAM_BYTES,
    };
    memory::fit(circuit, &CpuFootprint::of(circuit), budget).map(|(_, prediction)| prediction)
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
    let bytes = |(key, &level): (&Key, &Level)| sizes.key_bytes(*key, level);
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn without_a_limit_most_of_what_is_free_may_be_taken() {
        let args = |memory| MachineArgs {
            memory,
            threads: None,
        };
        assert_eq!(memory_limit(&args(Some(5))), Some(5));
        let (limit, physical) = (memory_limit(&args(None)).unwrap(), physical().unwrap());
        assert!(0 < limit && limit < physical, "{limit} of {physical}");
    }
}
