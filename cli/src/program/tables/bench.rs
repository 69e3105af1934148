//! The measurements for people.

use super::grid;
use peregrine::bench::{
    BenchReport, BenchRun, DOT_DISTINCT, DOT_TERMS, Forward, KeySize, Measurement, RingReport,
    Transforms,
};
use peregrine::words::{self, bytes, count};
use std::time::Duration;

/// The measurements as tables.
pub fn text(report: &BenchReport) -> String {
    let machine = &report.machine;
    let mut out = format!(
        "{}, {} kernels, memory copied at {}/s read and written on one thread\n",
        count(machine.cores, "core"),
        machine.kernels,
        bytes(report.copy.bytes_per_second as u64)
    );
    for ring in &report.rings {
        out.push('\n');
        out.push_str(&heading(ring));
        out.push('\n');
        out.push_str(&transforms(&ring.transforms));
        out.push('\n');
        out.push_str(&operations(ring));
    }
    out.push('\n');
    out.push_str(&notes());
    out
}

fn heading(ring: &RingReport) -> String {
    let at = &ring.parameters;
    let key = |key: &KeySize| format!("{} for {} primes", bytes(key.bytes), key.chain);
    let keys: Vec<String> = ring.keys.iter().map(key).collect();
    format!(
        "N = 2^{}: {} + {} special primes below 2^50, {} gadget digits, modulus of {:.0} bits (128-bit security: at most {})\n\
         a key in a file: {}\n",
        at.log_n,
        at.chain,
        at.special,
        at.digits,
        at.modulus_bits,
        at.modulus_limit_bits,
        keys.join(", ")
    )
}

fn transforms(transforms: &Transforms) -> String {
    let in_turn = format!("in turn, {}", count(transforms.primes, "prime"));
    let header = ["forward transform of a limb", "peregrine", "tfhe-ntt"];
    let mut table = grid::table(&header, &[1, 2]);
    let mut row = |name: &str, seconds: fn(&Forward) -> f64| {
        table.add_row([
            name.to_owned(),
            time(seconds(&transforms.peregrine)),
            time(seconds(&transforms.tfhe_ntt)),
        ]);
    };
    row("one prime", |forward| forward.alone_seconds);
    row(&in_turn, |forward| forward.in_turn_seconds);
    grid::show(&table)
}

/// One row for each operation; what it needs at least where it was measured on one thread.
fn operations(ring: &RingReport) -> String {
    let threads = |run: &BenchRun| count(run.threads, "thread");
    let mut header = vec!["operation".to_owned()];
    for (i, run) in ring.runs.iter().enumerate() {
        header.push(threads(run));
        header.push(match i {
            0 => "/ tfhe-ntt".to_owned(),
            _ => "speed-up".to_owned(),
        });
        if run.threads == 1 {
            header.extend(["transforms", "bytes", "bound", "of bound"].map(str::to_owned));
        }
    }
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let numbers: Vec<usize> = (1..header.len()).collect();
    let mut table = grid::table(&header, &numbers);
    let first = ring.runs.first().map_or(&[][..], |run| &run.operations);
    for (at, measured) in first.iter().enumerate() {
        let mut row = vec![measured.operation.title().to_owned()];
        for (i, run) in ring.runs.iter().enumerate() {
            let Some(here) = run.operations.get(at) else {
                continue;
            };
            row.push(time(here.timing.median_seconds));
            row.push(match i {
                0 => format!("{:.1}", here.tfhe_ntt_transforms),
                _ => format!(
                    "{:.2}",
                    measured.timing.median_seconds / here.timing.median_seconds
                ),
            });
            if run.threads == 1 {
                row.extend(bound(here));
            }
        }
        table.add_row(row);
    }
    grid::show(&table)
}

fn bound(measured: &Measurement) -> [String; 4] {
    let transforms = measured.transforms.to_string();
    let moved = bytes(measured.bytes_moved as u64);
    let [bound, of_bound] = match measured.transforms {
        // Passes over operands that a cache holds are not bound by memory.
        0 => [String::new(), String::new()],
        _ => [
            time(measured.bound_seconds),
            format!("{:.0} %", 100.0 * measured.of_bound),
        ],
    };
    [transforms, moved, bound, of_bound]
}

fn notes() -> String {
    format!(
        "Medians, at the highest level. `/ tfhe-ntt`: the time in forward transforms of tfhe-ntt, one prime, one thread.\n\
         `bound`: the transforms that an operation needs, at the speed of this engine in turn, or the bytes that it reads\n\
         and writes at least, at the speed of a copy, whichever takes longer; `of bound`: the bound divided by the time.\n\
         A sum of {DOT_TERMS} products goes through {DOT_DISTINCT} ciphertexts and {DOT_DISTINCT} plaintexts again and again.\n"
    )
}

fn time(seconds: f64) -> String {
    let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    match seconds {
        s if s < 1e-4 => format!("{:.1} us", s * 1e6),
        _ => words::time(time),
    }
}
