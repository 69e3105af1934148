//! What `inspect` prints.

use super::node::text;
use super::{costs, grid, summary};
use peregrine::summary::key_summary;
use peregrine::{CircuitReport, InterfaceReport};

/// A circuit, or the chosen nodes of it, as tables.
pub fn circuit(report: &CircuitReport) -> String {
    let CircuitReport {
        kind: _,
        circuit,
        stats,
        predicted,
        remarks,
        nodes,
    } = report;
    let tables = costs::nodes(stats, nodes.is_none(), &predicted.prediction);
    if let Some(nodes) = nodes {
        let views: Vec<String> = nodes.iter().map(text).collect();
        return format!("{}\n{tables}", views.join("\n"));
    }
    let mut rows = summary::rows(circuit);
    rows.push(["keys".to_owned(), key_summary(&stats.keys)]);
    rows.push(["work".to_owned(), costs::work(&stats.total, &stats.bounds)]);
    rows.push(["predicted run".to_owned(), costs::predicted(predicted)]);
    rows.extend(costs::remarks(remarks));
    let ports = costs::ports(&stats.inputs, &stats.outputs);
    format!("{}\n{ports}\n{tables}", grid::list(&rows))
}

/// A client interface as tables.
pub fn interface(report: &InterfaceReport) -> String {
    let mut rows = summary::rows(&report.circuit);
    rows.push(["keys".to_owned(), key_summary(&report.keys)]);
    let ports = costs::ports(&report.inputs, &report.outputs);
    format!("{}\n{ports}", grid::list(&rows))
}
