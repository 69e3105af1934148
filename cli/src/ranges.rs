//! The ranges of a model's values, for reading and as JSON.

use crate::report::{plain, shorten, show, table};
use peregrine_compiler::onnx::RANGES_KEY;
use peregrine_compiler::ranges::{Interval, NodeRange, Ranges, Reach};
use peregrine_compiler::tensor::{Graph, Stated};
use serde::Serialize;
use std::collections::BTreeMap;

/// The longest name of a node that the table shows in full.
const LONGEST_NAME: usize = 44;

/// The ranges that come with a model, in short.
#[derive(Clone, Debug, Serialize)]
pub struct Metadata {
    key: &'static str,
    /// How many images were measured.
    images: u64,
    /// How many of them left the range that an activation was trained for.
    images_outside: u64,
    /// How many values it states.
    stated: usize,
    /// Largest magnitude of any value that it states or that follows.
    overall: f64,
}

/// What samples reach, in short.
#[derive(Clone, Debug, Serialize)]
pub struct Samples {
    samples: usize,
    /// Largest magnitude of each output.
    outputs: BTreeMap<String, f64>,
    /// Largest magnitude of any value.
    overall: f64,
}

impl Samples {
    pub fn of(graph: &Graph, ranges: &Ranges, samples: usize) -> Self {
        let reached = |at: usize| ranges.nodes.get(at).and_then(|node| node.calibrated);
        let largest = |at: usize| reached(at).map_or(0.0, |reach| reach.values.largest());
        let outputs = graph.outputs.iter();
        Self {
            samples,
            outputs: outputs
                .map(|output| (output.name.clone(), largest(output.node.index())))
                .collect(),
            overall: (0..ranges.nodes.len()).map(largest).fold(0.0, f64::max),
        }
    }

    /// One line about them.
    pub fn line(&self) -> String {
        let outputs = self.outputs.iter();
        let outputs: Vec<String> = outputs
            .map(|(name, x)| format!("`{name}` {x:.4}"))
            .collect();
        format!(
            "largest value in {} samples: {:.4}; outputs: {}",
            self.samples,
            self.overall,
            outputs.join(", ")
        )
    }
}

impl Metadata {
    pub fn of(stated: &Stated, ranges: &Ranges) -> Self {
        let nodes = ranges.nodes.iter().filter_map(|node| node.stated.as_ref());
        Self {
            key: RANGES_KEY,
            images: stated.images,
            images_outside: stated.images_outside,
            stated: stated.values.len(),
            overall: nodes.map(Reach::largest).fold(0.0, f64::max),
        }
    }

    /// One line about them.
    pub fn line(&self) -> String {
        let Self {
            key,
            images,
            images_outside,
            stated,
            ..
        } = self;
        format!(
            "`{key}` of the model: {stated} values over {images} images, {images_outside} of them outside the trained range; \
             largest value {}, where it follows from them",
            number(self.overall)
        )
    }
}

/// What is known of all nodes.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether no input within its interval makes a value leave the headroom.
    proven: Option<bool>,
    nodes: Vec<Row>,
}

/// What is known of a node.
#[derive(Debug, Serialize)]
struct Row {
    node: String,
    op: String,
    operator: String,
    calibrated: Option<Range>,
    /// The sample in which its values are largest.
    sample: Option<usize>,
    proven: Option<Range>,
    /// What the model's metadata state, or what follows from them.
    stated: Option<Range>,
    /// Whether they state it of this node itself.
    is_stated: bool,
}

/// The values of a node; what is not finite is null in JSON.
#[derive(Debug, Serialize)]
struct Range {
    min: f64,
    max: f64,
    /// The largest magnitude on the way to the values of a polynomial.
    inside: Option<f64>,
    bits_left: f64,
}

impl Row {
    fn of(node: &NodeRange, headroom_bits: u32) -> Self {
        let range = |reach: Option<Reach>| {
            reach.map(|reach| Range {
                min: reach.values.min(),
                max: reach.values.max(),
                inside: reach.inside.map(Interval::largest),
                bits_left: reach.bits_left(headroom_bits),
            })
        };
        Self {
            node: node.source.name.clone(),
            op: node.source.op.clone(),
            operator: node.operator.clone(),
            calibrated: range(node.calibrated),
            sample: node.sample,
            proven: range(node.proven),
            stated: range(node.stated),
            is_stated: node.is_stated,
        }
    }
}

impl Report {
    /// What is known, for this much headroom.
    pub fn of(ranges: &Ranges, headroom_bits: u32) -> Self {
        let rows = ranges.nodes.iter();
        Self {
            proven: ranges.is_proven(headroom_bits),
            nodes: rows.map(|node| Row::of(node, headroom_bits)).collect(),
        }
    }

    /// One line about what is certain.
    pub fn line(&self, headroom_bits: u32) -> Option<String> {
        let limit = format!("2^{}", headroom_bits.saturating_sub(1));
        Some(match self.proven? {
            true => format!("proven: no input within its range makes a value reach {limit}"),
            false => {
                let stays = |row: &&Row| row.proven.as_ref().is_some_and(|r| r.bits_left > 0.0);
                let held = self.nodes.iter().take_while(stays).count();
                let first = self.nodes.get(held).map_or("", |row| &row.node);
                format!(
                    "not proven: values stay below {limit} before `{}`; bounds are not tight and grow with depth",
                    plain(first)
                )
            }
        })
    }

    /// The nodes as a table.
    pub fn table(&self) -> String {
        let any = |of: fn(&Row) -> &Option<Range>| self.nodes.iter().any(|row| of(row).is_some());
        let (calibrated, proven) = (any(|row| &row.calibrated), any(|row| &row.proven));
        let stated = any(|row| &row.stated);
        let mut header = vec!["node", "operator"];
        if calibrated {
            header.extend(["min", "max", "inside", "bits left"]);
        }
        if proven {
            header.extend(["proven min", "max", "inside", "bits left"]);
        }
        if stated {
            header.extend(["stated min", "max", "inside", "bits left"]);
        }
        let numbers: Vec<usize> = (2..header.len()).collect();
        if stated {
            header.push("from");
        }
        let mut table = table(&header, &numbers);
        for row in &self.nodes {
            let mut cells = vec![
                shorten(&plain(&row.node), LONGEST_NAME),
                row.operator.clone(),
            ];
            for range in [&row.calibrated, &row.proven, &row.stated]
                .into_iter()
                .flatten()
            {
                cells.extend(range.cells());
            }
            if stated {
                let from = if row.is_stated { "metadata" } else { "follows" };
                cells.push(from.to_owned());
            }
            table.add_row(cells);
        }
        show(&table)
    }
}

impl Range {
    fn cells(&self) -> [String; 4] {
        let inside = self.inside.map_or(String::new(), number);
        let left = match self.bits_left {
            bits if bits.is_finite() => format!("{bits:.1}"),
            bits if bits > 0.0 => String::new(),
            _ => "none".to_owned(),
        };
        [number(self.min), number(self.max), inside, left]
    }
}

/// A value for reading: a large one as a power of two, an infinite one as nothing known.
fn number(x: f64) -> String {
    let sign = if x < 0.0 { "-" } else { "" };
    match x.abs() {
        magnitude if magnitude.is_infinite() => "unbounded".to_owned(),
        magnitude if magnitude >= 1e6 => format!("{sign}2^{:.0}", magnitude.log2().ceil()),
        _ => format!("{x:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_values_are_powers_of_two() {
        assert_eq!(
            [0.0, -1.25, 1e7, -1e300, f64::INFINITY].map(number),
            ["0.000", "-1.250", "2^24", "-2^997", "unbounded"]
        );
    }
}
