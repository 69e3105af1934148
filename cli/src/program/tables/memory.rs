//! The memory of a run, in one line.

use peregrine::machine::MemoryReport;
use peregrine::words::bytes;
use peregrine_runtime::exec::memory::Prediction;

/// The memory of a run as a line: predicted by part, and measured.
pub fn text(memory: &MemoryReport) -> String {
    let Prediction {
        values,
        keys,
        cache,
        fixed,
        ..
    } = memory.predicted_memory;
    let parts = [
        ("values", values),
        ("keys", keys),
        ("encoded constants", cache),
        ("the rest", fixed),
    ];
    let parts = parts.iter().filter(|(_, part)| *part > 0);
    let parts = parts.map(|(name, part)| format!("{name} {}", bytes(*part)));
    let parts = parts.collect::<Vec<_>>().join(", ");
    let total = bytes(memory.predicted_peak);
    let measured = memory
        .measured_peak
        .map_or(String::new(), |peak| format!("; measured {}", bytes(peak)));
    format!("at most {total} predicted ({parts}){measured}")
}
