//! Networks as text: a node a line, its weights made up.
//!
//! ```text
//! x = input 1x2x8x8
//! c = conv x channels=4 kernel=3 pad=1 stride=2
//! p = pool c kernel=2
//! m = move p shift=1
//! s = square m
//! q = polynomial s 0.5 1 0.25
//! a = add q s
//! b = multiply a s
//! d = dense b 10
//! output d
//! ```

#![allow(
    clippy::panic,
    reason = "a network that cannot be read is a mistake of the test that has it"
)]

use super::{Source, number};
use crate::builder::Builder;
use peregrine_compiler::tensor::{Graph, Op, Polynomial};
use peregrine_ir::linear::{AveragePool, Contract, Conv2d, LinearKind, Window};
use petgraph::graph::NodeIndex;
use std::collections::BTreeMap;

/// The network of a file, and its nodes by name.
pub(super) fn network<'s>(source: &Source<'s>) -> (Graph, BTreeMap<&'s str, NodeIndex>) {
    let mut reader = Reader::default();
    for line in &source.lines {
        reader.line(line);
    }
    (reader.builder.graph, reader.nodes)
}

#[derive(Default)]
struct Reader<'s> {
    builder: Builder,
    nodes: BTreeMap<&'s str, NodeIndex>,
}

impl<'s> Reader<'s> {
    fn line(&mut self, line: &'s str) {
        if let Some(name) = line.strip_prefix("output ") {
            return self.builder.output(name, self.nodes[name]);
        }
        let Some((name, text)) = line.split_once(" = ") else {
            panic!("`{line}` is no node");
        };
        let words: Vec<&str> = text.split(' ').collect();
        let (op, words) = (words[0], &words[1..]);
        let node = match op {
            "input" => {
                let dims: Vec<u32> = words[0].split('x').map(number).collect();
                self.builder.input(name, &dims)
            }
            _ => self.operator(op, words),
        };
        let source = self.builder.graph.node(node).source.0 as usize;
        let source = &mut self.builder.graph.sources[source];
        (source.name, source.op) = (name.to_owned(), op.to_owned());
        self.nodes.insert(name, node);
    }

    fn operator(&mut self, op: &str, words: &[&str]) -> NodeIndex {
        let named = words.iter().filter_map(|word| self.nodes.get(word));
        let operands: Vec<NodeIndex> = named.copied().collect();
        let x = operands[0];
        let dims = self.builder.dims(x).to_vec();
        let option = |name: &str, default: u32| {
            let mut options = words.iter().filter_map(|word| word.split_once('='));
            let found = options.find(|(known, _)| *known == name);
            found.map_or(default, |(_, text)| number(text))
        };
        let window = Window {
            kernel: [option("kernel", 1); 2],
            strides: [option("stride", if op == "pool" { option("kernel", 1) } else { 1 }); 2],
            pads: [option("pad", 0); 2],
            dilations: [1; 2],
        };
        match op {
            "square" => self.builder.node(Op::Multiply, &dims, &[x, x]),
            "multiply" => self.builder.node(Op::Multiply, &dims, &operands),
            "add" => self.builder.sum(&operands),
            "move" => {
                let shift = option("shift", 0);
                let extent = dims[dims.len() - 1];
                let table = (0..extent).map(|at| (at + shift < extent).then_some(at + shift));
                self.builder
                    .along(x, vec![(dims.len() - 1, table.collect())])
            }
            "polynomial" => {
                let coefficients = words[1..].iter().map(|word| number::<f64>(word));
                let ids = coefficients.map(|c| self.builder.tensor(&[], |_| c));
                let ids = ids.collect();
                let graph = &self.builder.graph;
                let shape = &graph.node(x).shape;
                match Polynomial::new(ids, shape, &graph.tensors) {
                    Ok(polynomial) => self.builder.node(Op::Polynomial(polynomial), &dims, &[x]),
                    Err(error) => panic!("{error}"),
                }
            }
            "dense" => {
                let (m, k) = (number(words[1]), dims.iter().product());
                let weight = self.builder.weights(&[1, m, k], 0.5);
                let kind = LinearKind::Contract(Contract::matrix(weight, m, k));
                self.builder.linear(kind, x, &[1, m], None)
            }
            "conv" | "pool" => self.windows(op, x, window, option("channels", dims[1])),
            _ => panic!("`{op}` is no operator"),
        }
    }

    fn windows(&mut self, op: &str, x: NodeIndex, window: Window, channels: u32) -> NodeIndex {
        let dims = self.builder.dims(x).to_vec();
        let seen = |axis: usize| dims[axis + 2] + 2 * window.pads[axis] - window.kernel[axis];
        let extent = |axis: usize| seen(axis) / window.strides[axis] + 1;
        let output = [1, channels, extent(0), extent(1)];
        let kind = match op {
            "pool" => LinearKind::AveragePool(AveragePool {
                window,
                padding_counts: None,
            }),
            _ => {
                let dims = [channels, dims[1], window.kernel[0], window.kernel[1]];
                LinearKind::Conv2d(Conv2d {
                    weight: self.builder.weights(&dims, 0.5),
                    window,
                    groups: 1,
                })
            }
        };
        self.builder.linear(kind, x, &output, None)
    }
}
