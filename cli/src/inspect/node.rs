//! One node of the model: why, how its tensors are packed, its operators, its instructions.

use super::diagonals::OperatorReport;
use super::packing::PackingReport;
use peregrine_ir::cost::Prediction;
use peregrine_ir::provenance::{NodeUse, node_uses};
use peregrine_ir::stats::{NodeStats, Stats};
use peregrine_ir::{Circuit, LayoutId, Level, Node, Operator, SourceNode};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How a node of the model is computed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeReport {
    /// Identifier of the node in the text form.
    pub id: String,
    /// Name and operator of the node in the model.
    pub node: SourceNode,
    /// Remarks of the compiler on the choices for this node.
    pub remarks: Vec<String>,
    /// Packings of the tensors that it takes.
    pub inputs: Vec<PackingReport>,
    /// Packings of tensors between its instructions.
    pub between: Vec<PackingReport>,
    /// Packings of its results.
    pub outputs: Vec<PackingReport>,
    /// The operators and tensors that it multiplies by and adds.
    pub operators: Vec<OperatorReport>,
    /// The instructions of the node and their cost.
    pub plan: NodePlan,
}

/// The instructions of a node and their cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodePlan {
    /// The highest level of its operands.
    pub level_in: Option<Level>,
    /// The lowest level of its results.
    pub level_out: Option<Level>,
    /// Predicted seconds, on one thread.
    pub seconds: f64,
    /// Number of instructions by keyword.
    pub instructions: BTreeMap<&'static str, usize>,
}

impl NodeReport {
    /// Reports some nodes of a circuit; statistics and prediction are of all nodes.
    pub(super) fn all(
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
                let plan = NodePlan::of(circuit, id, stats, time.seconds);
                Some(Self::of(circuit, (id, node), used, plan))
            });
        of_node.collect()
    }

    fn of(
        circuit: &Circuit,
        (id, node): (Node, SourceNode),
        used: &NodeUse,
        plan: NodePlan,
    ) -> Self {
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
            inputs: PackingReport::all(circuit, used.inputs.iter().copied()),
            between: PackingReport::all(circuit, between),
            outputs: PackingReport::all(circuit, used.outputs.iter().copied()),
            operators: OperatorReport::all(circuit, id, &used.operators),
            plan,
        }
    }
}

impl NodePlan {
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
}
