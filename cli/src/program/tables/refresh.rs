//! Measured refreshes for people.

use super::grid;
use peregrine::bench::{MeasuredRefresh, RefreshReport, RefreshRun};
use peregrine::words::{bytes, count, time};
use std::time::Duration;

/// The measurements as rows and a table for each.
pub fn text(report: &RefreshReport) -> String {
    let mut out = format!(
        "N = 2^{}, 128-bit security; a rotation takes {} on one thread\n",
        report.log_n,
        time(Duration::from_secs_f64(report.rotation_seconds))
    );
    for refresh in &report.refreshes {
        out.push('\n');
        out.push_str(&one(refresh));
    }
    out.push_str("\nThe first refresh encodes the constants; then the median of the others.\n");
    out
}

fn one(refresh: &MeasuredRefresh) -> String {
    let MeasuredRefresh {
        values,
        from_bits,
        to_bits,
        ..
    } = refresh;
    let mut out = format!(
        "a refresh of {values} real values from {from_bits:.0} to {to_bits:.0} bits of modulus, {:.0} gained\n\
         precision: {:.1} bits in the worst value, {:.1} root mean square, of values between -1 and 1\n\
         failure: a coefficient wraps too far with probability 2^{:.1}\n\
         keys: {}, {}\n\n",
        to_bits - from_bits,
        refresh.worst_bits,
        refresh.rms_bits,
        refresh.failure_bits,
        count(refresh.keys, "key"),
        bytes(refresh.key_bytes),
    );
    let mut table = grid::table(&["", "first", "then"], &[1, 2]);
    for run in &refresh.runs {
        table.add_row(row(run));
    }
    out.push_str(&table.to_string());
    out.push('\n');
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
