//! `inspect`: what a circuit or a client interface holds.

use crate::args::{Format, Inspect};
use crate::costs::{self, Predicted};
use crate::error::Error;
use crate::files;
use crate::report::{self, Summary};
use peregrine_ir::stats::{KeyStats, PortStats, Stats};
use peregrine_ir::{Circuit, Container, FileKind, Interface, Node, SourceNode, text};
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
    let bytes = files::read(&args.file)?;
    let kind = Container::parse(&bytes)
        .ok()
        .map(|container| container.kind());
    drop(bytes);
    if kind == Some(FileKind::Interface) {
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
    if format(args) == Format::Text {
        let text = match args.weights {
            true => text::print(&circuit),
            false => text::print_without_weights(&circuit),
        };
        return report::print_text(&match chosen {
            Some(nodes) => lines_of(&text, &nodes),
            None => text,
        });
    }
    let model = files::cost_model(args.profile.as_deref())?;
    let mut stats = Stats::of(&circuit);
    let mut predicted = Predicted::new(&model, &circuit);
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
    };
    let total = args.node.is_none();
    report::print(format(args) == Format::Json, &report, |report| {
        let CircuitReport {
            kind: _,
            circuit,
            stats,
            predicted,
        } = report;
        let mut rows = circuit.rows();
        rows.push(["keys".to_owned(), costs::keys(&stats.keys)]);
        rows.push(["predicted run".to_owned(), predicted.line()]);
        let total = total.then_some(&stats.total);
        let nodes = costs::nodes(&stats.nodes, total, &predicted.prediction);
        let ports = costs::ports(&stats.inputs, &stats.outputs);
        format!("{}\n{ports}\n{nodes}", report::list(&rows))
    })
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
