//! The machine: the memory there is, and what this process takes of it. On Linux; other systems say nothing of it.

use peregrine_ir::{Circuit, Key, Level};
use peregrine_runtime::backend::cpu::{CpuFootprint, Sizes};
use peregrine_runtime::exec::KeyResidence;
use peregrine_runtime::exec::memory::{self, Budget, MemoryError, Prediction};
use serde::Serialize;
use std::fs;
use std::path::Path;

/// Bytes that a program takes beside circuits, keys and values: code and data that are touched (12 to 15 MiB, as the system
/// maps more or less of a file around a page that is needed), stacks, the allocator's own. A constant, so that the least limit
/// that a refusal names is accepted the next time.
pub const PROGRAM_BYTES: u64 = 16 << 20;

/// Share of the machine's memory that encoded constants may take when there are several runs and no limit.
const CACHE_SHARE: u64 = 4;
/// Most bytes of encoded constants where the memory of the machine is not known.
const CACHE_BYTES: u64 = 1 << 30;

/// Share of the memory that is free which a run may take when no limit is given: the rest is for what starts meanwhile.
const FREE_SHARE: f64 = 0.9;

/// The limit of this process's memory in bytes: `asked`, else most of what is free beside it; none where the system does not
/// say.
pub fn memory_limit(asked: Option<u64>) -> Option<u64> {
    asked.or_else(|| {
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

/// Predicts the memory of a run with all evaluation keys held in memory, before they are made. `limit` is the most bytes that
/// the process may take.
///
/// # Errors
/// When the run does not fit the limit.
pub fn foresee(circuit: &Circuit, limit: Option<u64>) -> Result<Prediction, MemoryError> {
    let budget = Budget {
        window: rayon::current_num_threads(),
        keys: KeyResidence::Held,
        expanded: 0,
        limit,
        cache: 0,
        process: PROGRAM_BYTES,
    };
    memory::fit(circuit, &CpuFootprint::of(circuit), budget).map(|(_, prediction)| prediction)
}

/// The most bytes of encoded constants that are kept from one run to the next; a limit that was `asked` for bounds them
/// instead.
pub fn cache_budget(asked: Option<u64>, runs: usize) -> u64 {
    match (runs, asked) {
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

/// Bytes that this process, which holds all evaluation keys of a circuit, has in memory beside them; what compiling and making
/// keys left behind is among them.
pub fn beside_keys(circuit: &Circuit) -> u64 {
    let sizes = Sizes::new(&circuit.rings);
    let keys = circuit.keys.levels.iter();
    let bytes = |(key, &level): (&Key, &Level)| sizes.key_bytes(*key, level);
    let keys: u64 = keys.map(bytes).sum();
    resident().map_or(PROGRAM_BYTES, |bytes| {
        bytes.saturating_sub(keys).max(PROGRAM_BYTES)
    })
}

/// The most bytes that this process has had in memory; none where the system does not say.
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

/// Memory of a run in bytes, predicted and measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MemoryReport {
    /// The predicted memory, by part.
    pub predicted_memory: Prediction,
    /// The predicted memory of all parts together.
    pub predicted_peak: u64,
    /// The most that this process had in memory so far; none where the system does not say.
    pub measured_peak: Option<u64>,
}

impl MemoryReport {
    /// The memory that the process has taken so far, beside what was predicted.
    pub fn measure(predicted: Prediction) -> Self {
        Self {
            predicted_memory: predicted,
            predicted_peak: predicted.total(),
            measured_peak: peak(),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn without_a_limit_most_of_what_is_free_may_be_taken() {
        assert_eq!(memory_limit(Some(5)), Some(5));
        let (limit, physical) = (memory_limit(None).unwrap(), physical().unwrap());
        assert!(0 < limit && limit < physical, "{limit} of {physical}");
    }
}
