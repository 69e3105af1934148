//! `inspect`: what a circuit or a client interface holds, and how the nodes of a model are computed.

mod diagonals;
mod formula;
mod node;
mod packing;
mod picture;
#[cfg(test)]
mod samples;

use crate::args::{Format, Inspect};
use crate::costs::{self, Predicted};
use crate::error::Error;
use crate::files::{self, Content, Wanted};
use crate::report::{self, Summary};
use node::NodeView;
use peregrine_ir::stats::{KeyStats, PortStats, Stats};
use peregrine_ir::{Circuit, FileKind, Interface, Node, Remark, SourceNode, text};
use serde::Serialize;
use std::collections::BTreeSet;

/// Names to list in a message.
const MOST_NAMES: usize = 12;

/// A circuit.
#[derive(Debug, Serialize)]
struct CircuitReport {
    kind: &'static str,
    circuit: Summary,
    stats: Stats,
    predicted: Predicted,
    /// Of the whole circuit and of all nodes.
    remarks: Vec<Remark>,
    /// The chosen nodes.
    nodes: Option<Vec<NodeView>>,
}

/// A client interface.
#[derive(Debug, Serialize)]
struct InterfaceReport {
    kind: &'static str,
    circuit: Summary,
    keys: Vec<KeyStats>,
    key_bytes: u64,
    inputs: Vec<PortStats>,
    outputs: Vec<PortStats>,
}

/// Shows a file.
pub fn run(args: &Inspect) -> Result<(), Error> {
    files::open(&args.file, Wanted::Compiled)?;
    let found = Content::at(&args.file).map_err(Error::reading(&args.file))?;
    if found == Content::Own(FileKind::Interface) {
        interface(args)
    } else {
        circuit(args)
    }
}

fn format(args: &Inspect) -> Format {
    if args.json.json {
        Format::Json
    } else {
        args.format
    }
}

fn circuit(args: &Inspect) -> Result<(), Error> {
    let circuit = files::circuit(&args.file)?;
    let chosen = args
        .node
        .as_deref()
        .map(|name| find(args, &circuit, name))
        .transpose()?;
    let model = files::cost_model(args.profile.as_deref())?;
    let mut stats = Stats::of(&circuit);
    let mut predicted = Predicted::new(&model, &circuit);
    let nodes = chosen
        .as_ref()
        .map(|chosen| NodeView::all(&circuit, chosen, &stats, &predicted.prediction));
    if format(args) == Format::Text {
        let text = match args.weights {
            true => text::print(&circuit),
            false => text::print_without_weights(&circuit),
        };
        return report::print_text(&match (chosen, nodes) {
            (Some(chosen), Some(nodes)) => comments(&nodes) + &lines_of(&text, &chosen),
            _ => text,
        });
    }
    if let Some(name) = &args.node {
        let is_chosen = |node: &Option<SourceNode>| node.as_ref().is_some_and(|n| &n.name == name);
        stats.nodes.retain(|n| is_chosen(&n.node));
        predicted.prediction.nodes.retain(|n| is_chosen(&n.node));
    }
    let report = CircuitReport {
        kind: "circuit",
        circuit: Summary::of(&Interface::of(&circuit)),
        stats,
        predicted,
        remarks: circuit.remarks.clone(),
        nodes,
    };
    report::print(format(args) == Format::Json, &report, table)
}

/// A circuit, or the chosen nodes of it, for people.
fn table(report: &CircuitReport) -> String {
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
        let views: Vec<String> = nodes.iter().map(NodeView::text).collect();
        return format!("{}\n{tables}", views.join("\n"));
    }
    let mut rows = circuit.rows();
    rows.push(["keys".to_owned(), costs::keys(&stats.keys)]);
    rows.push(["work".to_owned(), costs::work(&stats.total, &stats.bounds)]);
    rows.push(["predicted run".to_owned(), predicted.line()]);
    rows.extend(costs::remarks(remarks));
    let ports = costs::ports(&stats.inputs, &stats.outputs);
    format!("{}\n{ports}\n{tables}", report::list(&rows))
}

/// Views as comments of the text form.
fn comments(nodes: &[NodeView]) -> String {
    let text: String = nodes.iter().map(NodeView::text).collect();
    text.lines().map(|line| format!("; {line}\n")).collect()
}

/// The nodes of this name that instructions serve.
fn find(args: &Inspect, circuit: &Circuit, name: &str) -> Result<BTreeSet<Node>, Error> {
    let served: BTreeSet<Node> = circuit.values.values().filter_map(|v| v.node).collect();
    let name_of = |node: &Node| circuit.nodes.get(*node).map_or("", |n| n.name.as_str());
    let found: BTreeSet<Node> = served
        .iter()
        .copied()
        .filter(|n| name_of(n) == name)
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let mut known: Vec<String> = served.iter().map(|n| format!("`{}`", name_of(n))).collect();
    if known.len() > MOST_NAMES {
        known.truncate(MOST_NAMES);
        known.push("...".to_owned());
    }
    Err(Error::NoNode {
        path: args.file.clone(),
        node: name.to_owned(),
        known,
    })
}

/// The instructions of some nodes, which begin with `@` and the node.
fn lines_of(text: &str, nodes: &BTreeSet<Node>) -> String {
    let words: BTreeSet<String> = nodes.iter().map(|node| format!("@{node}")).collect();
    let serves = |line: &&str| {
        line.split_whitespace()
            .next()
            .is_some_and(|word| words.contains(word))
    };
    text.lines()
        .filter(serves)
        .map(|line| format!("{line}\n"))
        .collect()
}

fn interface(args: &Inspect) -> Result<(), Error> {
    let only_circuits = |what| Error::OnlyCircuits {
        path: args.file.clone(),
        what,
    };
    if args.node.is_some() {
        return Err(only_circuits("instructions"));
    }
    if args.weights {
        return Err(only_circuits("weights"));
    }
    if args.profile.is_some() {
        return Err(only_circuits("time to run"));
    }
    let interface = files::interface(&args.file)?;
    let ring = interface.ring();
    let keys = KeyStats::all(ring, interface.keys());
    let port = |port| PortStats::of_interface(ring, port);
    let report = InterfaceReport {
        kind: "client interface",
        circuit: Summary::of(&interface),
        key_bytes: keys.iter().map(|key| key.bytes).sum(),
        keys,
        inputs: interface.inputs().iter().map(port).collect(),
        outputs: interface.outputs().iter().map(port).collect(),
    };
    report::print(format(args) == Format::Json, &report, |report| {
        let mut rows = report.circuit.rows();
        rows.push(["keys".to_owned(), costs::keys(&report.keys)]);
        format!(
            "{}\n{}",
            report::list(&rows),
            costs::ports(&report.inputs, &report.outputs)
        )
    })
}
