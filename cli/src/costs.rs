//! The costs of a circuit as tables.

use crate::report::{bytes, count, show, table, time};
use peregrine_compiler::cost::{CostModel, Machine, Prediction};
use peregrine_ir::stats::{Counts, KeyStats, NodeStats, PortStats};
use peregrine_ir::{Circuit, KeyKind, Level};
use serde::Serialize;
use std::time::Duration;

/// The time a circuit is predicted to take, and on what.
#[derive(Debug, Serialize)]
pub struct Predicted {
    machine: Machine,
    #[serde(flatten)]
    pub prediction: Prediction,
}

impl Predicted {
    pub fn new(model: &CostModel, circuit: &Circuit) -> Self {
        Self {
            machine: model.machine().clone(),
            prediction: model.predict(circuit),
        }
    }

    /// One line about it.
    pub fn line(&self) -> String {
        format!(
            "{} on one thread ({} kernels), and {} to read the keys",
            seconds(self.prediction.seconds),
            self.machine.kernels,
            seconds(self.prediction.key_seconds)
        )
    }
}

fn seconds(seconds: f64) -> String {
    time(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// One line about evaluation keys.
pub fn keys(keys: &[KeyStats]) -> String {
    let is_rotation = |key: &&KeyStats| matches!(key.kind, KeyKind::Rotation(_));
    let rotations = keys.iter().filter(is_rotation).count();
    let total = keys.iter().map(|key| key.bytes).sum();
    let others = keys.len() - rotations;
    format!(
        "{} ({}, {others} other), {}",
        keys.len(),
        count(rotations, "rotation"),
        bytes(total)
    )
}

/// Inputs and outputs as a table, with the steps that follow decryption.
pub fn ports(inputs: &[PortStats], outputs: &[PortStats]) -> String {
    let mut table = table(
        &[
            "",
            "name",
            "shape",
            "ciphertexts",
            "level",
            "scale bits",
            "then",
        ],
        &[3, 4, 5],
    );
    for (direction, ports) in [("input", inputs), ("output", outputs)] {
        for port in ports {
            table.add_row([
                direction.to_owned(),
                port.name.clone(),
                port.shape.to_string(),
                port.ciphertexts.to_string(),
                level(port.level),
                port.scale_bits
                    .map_or(String::new(), |bits| format!("{bits:.1}")),
                port.finish.to_string(),
            ]);
        }
    }
    show(&table)
}

/// Costs of nodes as a table; the prediction is of the same nodes.
pub fn nodes(nodes: &[NodeStats], total: Option<&Counts>, predicted: &Prediction) -> String {
    let header = [
        "node", "operator", "levels", "instr.", "products", "ct prod.", "key sw.", "hoisted",
        "rotate", "decomp.", "mod down", "rescale", "encode", "time",
    ];
    let mut table = table(&header, &[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    for (node, time) in nodes.iter().zip(&predicted.nodes) {
        let (name, op) = node
            .node
            .as_ref()
            .map_or(("(none)", ""), |n| (&n.name, &n.op));
        let levels = match (node.level_in, node.level_out) {
            (Some(from), Some(to)) => format!("{from} -> {to}"),
            (from, to) => level(from.or(to)),
        };
        table.add_row(
            [name.to_owned(), op.to_owned(), levels]
                .into_iter()
                .chain(counts(&node.counts))
                .chain([seconds(time.seconds)]),
        );
    }
    if let Some(total) = total {
        let title = ["total", "", ""].map(str::to_owned);
        let time = [seconds(predicted.seconds)];
        table.add_row(title.into_iter().chain(counts(total)).chain(time));
    }
    show(&table)
}

fn counts(counts: &Counts) -> impl Iterator<Item = String> {
    let Counts {
        instructions,
        plaintext_products,
        ciphertext_products,
        decompositions,
        hoisted_rotations,
        full_rotations,
        key_switches,
        mod_downs,
        rescales,
        encodes,
    } = *counts;
    let counts = [
        instructions,
        plaintext_products,
        ciphertext_products,
        key_switches,
        hoisted_rotations,
        full_rotations,
        decompositions,
        mod_downs,
        rescales,
        encodes,
    ];
    counts.into_iter().map(|count| count.to_string())
}

fn level(level: Option<Level>) -> String {
    level.map_or(String::new(), |level| level.to_string())
}
