//! One node of the model: why, how its tensors are packed, its operators, its instructions.

use super::diagonals::UsedOperator;
use super::packing::Packing;
use crate::costs;
use crate::report::plain;
use peregrine_ir::cost::Prediction;
use peregrine_ir::provenance::{NodeUse, node_uses};
use peregrine_ir::stats::{NodeStats, Stats};
use peregrine_ir::{Circuit, LayoutId, Level, Node, Operator, SourceNode};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Characters of a line.
const WIDTH: usize = 98;

/// Everything about a node.
#[derive(Debug, Serialize)]
pub struct NodeView {
    /// As the text form of the circuit calls it.
    pub id: String,
    pub node: SourceNode,
    /// Why the compiler chose what it chose.
    pub remarks: Vec<String>,
    /// How what it takes is packed.
    pub inputs: Vec<Packing>,
    /// How what it makes on the way is packed.
    pub between: Vec<Packing>,
    /// How its result is packed.
    pub outputs: Vec<Packing>,
    pub operators: Vec<UsedOperator>,
    pub plan: Plan,
}

/// What a node computes.
#[derive(Debug, Serialize)]
pub struct Plan {
    pub level_in: Option<Level>,
    pub level_out: Option<Level>,
    /// Predicted, on one thread.
    pub seconds: f64,
    /// How many instructions of each kind.
    pub instructions: BTreeMap<&'static str, usize>,
}

impl NodeView {
    /// These nodes of a circuit; statistics and prediction are of all of its nodes.
    pub fn all(
        circuit: &Circuit,
        nodes: &BTreeSet<Node>,
        stats: &Stats,
        predicted: &Prediction,
    ) -> Vec<Self> {
        let uses = node_uses(circuit);
        // Statistics are in the order of the nodes that are served, as uses are.
        let costs = stats.nodes.iter().zip(&predicted.nodes);
        let of_node = uses
            .iter()
            .zip(costs)
            .filter_map(|((node, used), (stats, time))| {
                let id = node.filter(|node| nodes.contains(node))?;
                let node = circuit.nodes.get(id)?.clone();
                let plan = Plan::of(circuit, id, stats, time.seconds);
                Some(Self::of(circuit, (id, node), used, plan))
            });
        of_node.collect()
    }

    fn of(circuit: &Circuit, (id, node): (Node, SourceNode), used: &NodeUse, plan: Plan) -> Self {
        let ends: BTreeSet<LayoutId> = used.inputs.union(&used.outputs).copied().collect();
        let operators = used.operators.iter();
        let between: BTreeSet<LayoutId> = operators
            .filter_map(|&op| circuit.operators.get(op))
            .flat_map(|operator| match operator {
                Operator::Linear { input, output, .. } => vec![*input, *output],
                Operator::Broadcast { layout, .. } => vec![*layout],
            })
            .filter(|layout| !ends.contains(layout))
            .collect();
        let about = circuit
            .remarks
            .iter()
            .filter(|remark| remark.node == Some(id));
        Self {
            id: id.to_string(),
            node,
            remarks: about.map(|remark| remark.text.clone()).collect(),
            inputs: Packing::all(circuit, used.inputs.iter().copied()),
            between: Packing::all(circuit, between),
            outputs: Packing::all(circuit, used.outputs.iter().copied()),
            operators: UsedOperator::all(circuit, id, &used.operators),
            plan,
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let SourceNode { name, op } = &self.node;
        let mut text = format!("{}: {} ({})\n", self.id, plain(name), plain(op));
        section(
            &mut text,
            "why",
            self.remarks.iter().map(|r| vec![r.clone()]),
        );
        let kept = self.same_packing();
        let input = if kept { "in and out" } else { "in" };
        section(&mut text, input, self.inputs.iter().map(Packing::lines));
        section(
            &mut text,
            "between",
            self.between.iter().map(Packing::lines),
        );
        if !kept {
            section(&mut text, "out", self.outputs.iter().map(Packing::lines));
        }
        let operators = self.operators.iter().map(UsedOperator::lines);
        section(&mut text, "operators", operators);
        section(
            &mut text,
            "plan",
            self.plan.lines().into_iter().map(|line| vec![line]),
        );
        text
    }

    fn same_packing(&self) -> bool {
        let names = |packings: &[Packing]| -> Vec<String> {
            packings.iter().map(|p| p.layout.clone()).collect()
        };
        names(&self.inputs) == names(&self.outputs)
    }
}

/// Adds a title and, further in, the lines of some items, those after the first of each still further; nothing if there are
/// none.
fn section(text: &mut String, title: &str, items: impl IntoIterator<Item = Vec<String>>) {
    let mut titled = false;
    for (i, line) in items
        .into_iter()
        .flat_map(|lines| lines.into_iter().enumerate())
    {
        if !titled {
            *text += &format!("  {title}\n");
            titled = true;
        }
        let indent = if i == 0 { 4 } else { 6 };
        for (part, line) in wrapped(&plain(&line), WIDTH - indent).iter().enumerate() {
            let further = indent + if part == 0 { 0 } else { 2 };
            *text += &format!("{:further$}{line}\n", "");
        }
    }
}

/// Lines of at most so many characters, unless a word is longer; all but the first have room for two more.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    let length = |text: &str| text.chars().count();
    if length(line) <= width {
        return vec![line.to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let room = if lines.len() > 1 { width - 2 } else { width };
        match lines.last_mut() {
            Some(last) if length(last) + 1 + length(word) <= room => *last += &format!(" {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

impl Plan {
    fn of(circuit: &Circuit, node: Node, stats: &NodeStats, seconds: f64) -> Self {
        let mut instructions = BTreeMap::new();
        for definition in circuit.values.values() {
            if definition.node == Some(node) {
                *instructions.entry(definition.inst.keyword()).or_default() += 1;
            }
        }
        Self {
            level_in: stats.level_in,
            level_out: stats.level_out,
            seconds,
            instructions,
        }
    }

    fn lines(&self) -> [String; 2] {
        let levels = costs::levels(self.level_in, self.level_out);
        let instructions = self.instructions.iter();
        let instructions: Vec<String> = instructions.map(|(op, n)| format!("{n} {op}")).collect();
        [
            format!(
                "levels {levels}, {} predicted",
                costs::seconds(self.seconds)
            ),
            instructions.join(", "),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_wrapped_at_words() {
        let line = "a line  that fits";
        assert_eq!(wrapped(line, 17), [line]);
        assert_eq!(wrapped(line, 9), ["a line", "that", "fits"]);
        assert_eq!(wrapped(line, 11), ["a line that", "fits"]);
        assert_eq!(wrapped("", 9), [""]);
        assert_eq!(wrapped("unbreakable", 5), ["unbreakable"]);
    }
}
