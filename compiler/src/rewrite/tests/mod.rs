//! Tests of simplification: rule by rule, whole networks, random networks.

mod effort;
mod net;
mod random;
mod rules;
mod whole;
mod windows;

use super::simplify;
use crate::tensor::Graph;

/// Simplifies, checks what every simplification keeps, and returns the graph and the rules applied.
fn simplified(graph: &Graph) -> (Graph, Vec<&'static str>) {
    let (simple, report) = simplify(graph).unwrap();
    assert!(
        net::difference(graph, &simple) <= 1e-9,
        "values differ by {}\n{report}{:?}\n{:?}",
        net::difference(graph, &simple),
        net::words(graph),
        net::words(&simple),
    );
    assert!(simple.len() <= graph.len(), "nodes were duplicated");
    let names = |g: &Graph| g.outputs.iter().map(|o| o.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(graph), names(&simple));
    (
        simple,
        report.steps().iter().map(|step| step.rule).collect(),
    )
}
