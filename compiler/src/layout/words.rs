//! Packings and choices in words, for reports.

use super::plan::LayoutPlan;
use crate::slots::LinearPlan;
use crate::tensor::Graph;
use peregrine_ir::Layout;
use petgraph::graph::NodeIndex;
use std::fmt::Write;
use std::time::Duration;

/// Describes a packing in a few words.
pub fn packing(layout: &Layout) -> String {
    let parts = layout.parts();
    let [c, h, w] = parts.shape;
    let mut words = format!("{c}x{h}x{w}");
    for (what, [rows, columns]) in [("phases", parts.phases), ("gaps", parts.gaps)] {
        if [rows, columns] != [1, 1] {
            _ = write!(words, ", {what} {rows}x{columns}");
        }
    }
    if parts.replicas > 1 {
        _ = write!(words, ", {} copies", parts.replicas);
    }
    if parts.skew > 0 {
        _ = write!(words, " turned by {}", parts.skew);
    }
    if parts.jump > 0 {
        _ = write!(words, " and by {} every {}", parts.jump, parts.run);
    }
    match layout.ciphertexts() {
        1 => words,
        n => words + &format!(", {n} ciphertexts"),
    }
}

/// The reasons for what a linear operator does, in words.
pub fn reasons(
    graph: &Graph,
    plan: &LayoutPlan,
    (index, from, to): (NodeIndex, &Layout, &Layout),
    chosen: &LinearPlan,
) -> Vec<String> {
    let seconds = chosen.price(to, plan.price(graph, index));
    let (source, result) = (packing(from), packing(to));
    let mut reasons = vec![format!(
        "from {source} to {result}: {chosen}; {} predicted",
        time(seconds)
    )];
    let other = plan
        .considered(index)
        .iter()
        .find(|(layout, _)| layout != to);
    if let Some((layout, other)) = other {
        let verdict = match *other < seconds {
            true => "cheaper here, but dearer for what follows",
            false => "the next best",
        };
        reasons.push(format!(
            "{verdict}: {} in {}",
            packing(layout),
            time(*other)
        ));
    }
    reasons
}

fn time(seconds: f64) -> String {
    format!(
        "{:.1?}",
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    )
}
