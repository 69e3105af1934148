//! What `compile` prints.

use super::{ablation, costs, grid, keys, ranges, summary};
use peregrine::CompileReport;
use peregrine::words::bytes;

/// A compilation as text and tables.
pub fn text(report: &CompileReport) -> String {
    let mut rows = summary::rows(&report.circuit);
    // The lines on what was chosen say these.
    rows.retain(|[what, _]| what != "ring");
    let mut row = |what: &str, value: String| rows.push([what.to_owned(), value]);
    let headroom_bits = report.headroom_bits;
    row("predicted run", costs::predicted(&report.predicted));
    row("instructions", report.stats.total.instructions.to_string());
    row(
        "work",
        costs::work(&report.stats.total, &report.stats.bounds),
    );
    for file in &report.files {
        row("written", format!("{}, {}", file.path, bytes(file.bytes)));
    }
    if let Some(samples) = &report.calibration {
        row("calibration", ranges::samples(samples));
    }
    if let Some(metadata) = &report.metadata {
        row("stated", ranges::stated(metadata));
    }
    let known = report.ranges.as_ref();
    if let Some(line) = known.and_then(|known| ranges::line(known, headroom_bits)) {
        row("ranges", line);
    }
    rows.extend(costs::remarks(&report.remarks));
    let ports = costs::ports(&report.stats.inputs, &report.stats.outputs);
    let nodes = costs::nodes(&report.stats, true, &report.predicted.prediction);
    let known = known.map_or(String::new(), |known| ranges::table(known) + "\n");
    let budgets = keys::text(&report.key_choices);
    let ablations = report.ablations.as_ref();
    let ablations = ablations.map_or(String::new(), |a| "\n".to_owned() + &ablation::text(a));
    let chosen = grid::list(&report.chosen);
    let rows = grid::list(&rows);
    format!("{chosen}\n{rows}\n{ports}\n{known}{nodes}\n{budgets}{ablations}")
}
