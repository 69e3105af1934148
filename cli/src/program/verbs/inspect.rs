//! `inspect`: what a circuit or a client interface holds, and how the nodes of a model are computed.

use crate::program::args::{Format, Inspect};
use crate::program::content::{Content, Wanted};
use crate::program::error::Error;
use crate::program::files;
use crate::program::print::{print, print_text};
use crate::program::tables;
use crate::program::warn::Promises;
use peregrine::inspect::NodeReport;
use peregrine::{CostModel, InspectOptions, inspect, inspect_interface};
use peregrine_ir::{FileKind, text};
use std::collections::BTreeSet;

/// Runs `peregrine inspect`.
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
    let mut promises = Promises::default();
    let circuit = files::circuit(&args.file, &mut promises)?;
    let profile = args.profile.as_deref();
    let profile = profile.map(files::profile).transpose()?;
    let cost = profile.map(CostModel::new).transpose();
    let options = InspectOptions {
        node: args.node.clone(),
        cost: cost.map_err(Error::about(&args.file))?.unwrap_or_default(),
    };
    let report = inspect(&circuit, &options).map_err(Error::about(&args.file))?;
    if format(args) == Format::Text {
        let text = match args.weights {
            true => text::print(&circuit),
            false => text::print_without_weights(&circuit),
        };
        return print_text(&match &report.nodes {
            Some(nodes) => comments(nodes) + &lines_of(&text, nodes),
            None => text,
        });
    }
    let is_json = format(args) == Format::Json;
    print(is_json, promises, &report, tables::inspect::circuit)
}

/// Nodes as comments of the text form.
fn comments(nodes: &[NodeReport]) -> String {
    let text: String = nodes.iter().map(tables::node::text).collect();
    text.lines().map(|line| format!("; {line}\n")).collect()
}

/// The instructions of some nodes, which begin with `@` and the node.
fn lines_of(text: &str, nodes: &[NodeReport]) -> String {
    let words: BTreeSet<String> = nodes.iter().map(|node| format!("@{}", node.id)).collect();
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
    let mut promises = Promises::default();
    let interface = files::interface(&args.file, &mut promises)?;
    let report = inspect_interface(&interface);
    let is_json = format(args) == Format::Json;
    print(is_json, promises, &report, tables::inspect::interface)
}
