//! Circuits and client interfaces as data.

use super::node::NodeReport;
use crate::predicted::PredictedRun;
use crate::summary::CircuitSummary;
use peregrine_ir::cost::CostModel;
use peregrine_ir::stats::{KeyStats, PortStats, Stats};
use peregrine_ir::{Circuit, Interface, Node, Remark, SourceNode, Verified};
use serde::Serialize;
use std::collections::BTreeSet;

/// Names to list in a message.
const MOST_NAMES: usize = 12;

/// What [`inspect()`] looks at.
#[derive(Clone, Debug, Default)]
pub struct InspectOptions {
    /// The name of a node of the model: all about it, and statistics of it alone.
    pub node: Option<String>,
    /// The machine that times are predicted for; a built-in one by default.
    pub cost: CostModel,
}

/// The report of a circuit: what it holds, what it does and how often. `peregrine inspect --json` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct CircuitReport {
    /// The constant `circuit`.
    pub kind: &'static str,
    /// Name, ring, levels and security.
    pub circuit: CircuitSummary,
    /// What the circuit does and how often, by node of the model.
    pub stats: Stats,
    /// How long a run is predicted to take.
    pub predicted: PredictedRun,
    /// Remarks of the compiler on its choices, for the circuit as a whole and for all nodes.
    pub remarks: Vec<Remark>,
    /// Reports of the nodes that were asked for; none unless one was.
    pub nodes: Option<Vec<NodeReport>>,
}

/// The report of a client interface. `peregrine inspect --json` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct InterfaceReport {
    /// The constant `client interface`.
    pub kind: &'static str,
    /// Name, ring, levels and security of the circuit.
    pub circuit: CircuitSummary,
    /// Evaluation keys.
    pub keys: Vec<KeyStats>,
    /// Bytes of all evaluation keys in a file.
    pub key_bytes: u64,
    /// Tensors to encrypt.
    pub inputs: Vec<PortStats>,
    /// Tensors to decrypt.
    pub outputs: Vec<PortStats>,
}

/// Counts what a circuit does and predicts how long it takes.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use peregrine::{CompileOptions, InspectOptions, Model, compile, inspect};
///
/// let model = Model::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/digits/digits.onnx"))?;
/// let circuit = compile(&model, &CompileOptions::default())?.circuit;
/// let options = InspectOptions {
///     node: Some("/linear/Gemm".to_owned()),
///     ..InspectOptions::default()
/// };
/// let report = inspect(&circuit, &options)?;
/// let gemm = &report.nodes.unwrap()[0];
/// assert_eq!(gemm.outputs[0].shape, [10, 1, 1]);
/// assert_eq!(gemm.outputs[0].ciphertexts, 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When no instruction serves the node that is asked for.
pub fn inspect(circuit: &Verified, options: &InspectOptions) -> Result<CircuitReport, UnknownNode> {
    let chosen = options.node.as_deref().map(|name| find(circuit, name));
    let chosen = chosen.transpose()?;
    let mut stats = Stats::of(circuit);
    let mut predicted = PredictedRun::new(&options.cost, circuit);
    let nodes =
        chosen.map(|chosen| NodeReport::all(circuit, &chosen, &stats, &predicted.prediction));
    if let Some(name) = &options.node {
        let is_chosen = |node: &Option<SourceNode>| node.as_ref().is_some_and(|n| &n.name == name);
        stats.nodes.retain(|n| is_chosen(&n.node));
        predicted.prediction.nodes.retain(|n| is_chosen(&n.node));
    }
    Ok(CircuitReport {
        kind: "circuit",
        circuit: CircuitSummary::new(&Interface::of(circuit)),
        stats,
        predicted,
        remarks: circuit.remarks.clone(),
        nodes,
    })
}

/// Describes what a client knows of a circuit.
pub fn inspect_interface(interface: &Interface) -> InterfaceReport {
    let ring = interface.rings();
    let keys = KeyStats::all(ring, interface.keys());
    let port = |port| PortStats::of_interface(ring, port);
    InterfaceReport {
        kind: "client interface",
        circuit: CircuitSummary::new(interface),
        key_bytes: keys.iter().map(|key| key.bytes).sum(),
        keys,
        inputs: interface.inputs().iter().map(port).collect(),
        outputs: interface.outputs().iter().map(port).collect(),
    }
}

/// The nodes of this name that instructions serve.
fn find(circuit: &Circuit, name: &str) -> Result<BTreeSet<Node>, UnknownNode> {
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
    Err(UnknownNode {
        node: name.to_owned(),
        known,
    })
}

/// A node that no instruction of a circuit belongs to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no instruction serves a node `{node}`; those served are {}", known.join(", "))]
pub struct UnknownNode {
    /// The node that was asked for.
    pub node: String,
    /// Names of some nodes of the circuit.
    pub known: Vec<String>,
}
