//! A measured refresh for people.

use super::grid;
use peregrine::bench::{RefreshReport, RefreshRun};
use peregrine::words::{bytes, count, time};
use std::time::Duration;

/// The measurement as rows and a table.
pub fn text(report: &RefreshReport) -> String {
    let RefreshReport {
        log_n,
        values,
        from_bits,
        to_bits,
        ..
    } = report;
    let mut out = format!(
        "a refresh at N = 2^{log_n}, 128-bit security: {values} real values from {from_bits:.0} to {to_bits:.0} bits of modulus, {:.0} gained\n\
         precision: {:.1} bits in the worst value, {:.1} root mean square, of values between -1 and 1\n\
         failure: a coefficient wraps too far with probability 2^{:.1}\n\
         keys: {}, {}\n\n",
        to_bits - from_bits,
        report.worst_bits,
        report.rms_bits,
        report.failure_bits,
        count(report.keys, "key"),
        bytes(report.key_bytes),
    );
    let mut table = grid::table(&["", "first", "then"], &[1, 2]);
    for run in &report.runs {
        table.add_row(row(run));
    }
    out.push_str(&table.to_string());
    out.push_str("\nThe first refresh encodes the constants; then the median of the others.\n");
    out
}

fn row(run: &RefreshRun) -> [String; 3] {
    let seconds = |seconds| time(Duration::from_secs_f64(seconds));
    [
        count(run.threads, "thread"),
        seconds(run.first_seconds),
        run.median_seconds.map_or_else(String::new, seconds),
    ]
}
