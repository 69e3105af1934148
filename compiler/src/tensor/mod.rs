//! The canonical tensor graph: what every front end produces and every rewrite keeps.
//!
//! There are six operators. Everything linear, whatever ONNX calls it, is one [`LinearMap`]; everything element-wise and
//! univariate is one [`Polynomial`]. A node's value is a tensor of fixed [`Shape`], batch axis included; weights live in
//! [`Graph::tensors`]. [`Graph::evaluate`] defines the meaning of a graph, in f64, by which every later stage is tested.
//!
//! Nodes are stored in a petgraph DAG, operands before users, so node order is a topological order.

mod evaluate;
mod name;
mod per_node;
mod polynomial;
mod stated;

pub use evaluate::EvaluateError;
pub use name::NodeName;
pub use per_node::PerNode;
pub use polynomial::{Polynomial, PolynomialError};
pub use stated::{Stated, StatedRange};

use peregrine_ir::linear::LinearMap;
use peregrine_ir::{Finish, Prepare, Shape, TensorId, Tensors};
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use std::collections::BTreeMap;

/// A network as a directed acyclic graph of canonical operators.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The operators; an edge carries the operand position.
    dag: DiGraph<Node, u32>,
    /// Tensors of weights, biases and coefficients.
    pub tensors: Tensors,
    /// The nodes of the source model, for provenance.
    pub sources: Vec<Source>,
    /// The outputs, in the model's order.
    pub outputs: Vec<Output>,
    /// The steps that the client takes on inputs before it encrypts them, by name; inputs without an entry are encrypted
    /// as they are.
    pub prepare: BTreeMap<String, Prepare>,
    /// The ranges that the model states for its own nodes; none in a graph that rewriting has changed.
    pub stated: Option<Stated>,
}

/// A node of the ONNX model.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// Its name; `<op>_<position>` when the model gives none.
    pub name: String,
    /// Its operator, as ONNX spells it.
    pub op: String,
}

/// A node of the ONNX model, as an index into [`Graph::sources`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// An operator with the shape of its result.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The operator.
    pub op: Op,
    /// The shape of the result.
    pub shape: Shape,
    /// The node of the model it stands for.
    pub source: SourceId,
}

/// The canonical operators.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// An encrypted input, after the steps of [`Graph::prepare`]. No operands.
    Input {
        /// Its name in the model.
        name: String,
    },
    /// `A x + b`. One operand, of shape `map.input` up to renaming of dimensions (equal element count).
    Linear {
        /// The matrix.
        map: LinearMap,
        /// A tensor that is added to the result, broadcast to its shape.
        bias: Option<TensorId>,
    },
    /// Element-wise polynomial. One operand of the same shape.
    Polynomial(Polynomial),
    /// Sum of two or more operands of the same shape.
    Add,
    /// Element-wise product of two operands of the same shape (possibly the same node twice: a square).
    Multiply,
    /// The operand's elements under other dimensions. One operand with as many elements.
    Reshape,
}

/// A named output of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its name in the model.
    pub name: String,
    /// The node that computes it.
    pub node: NodeIndex,
    /// The steps that the client takes after decryption.
    pub finish: Finish,
}

impl Graph {
    /// Appends an operator whose operands are already in the graph.
    pub fn add(&mut self, node: Node, operands: &[NodeIndex]) -> NodeIndex {
        let index = self.dag.add_node(node);
        for (position, &operand) in operands.iter().enumerate() {
            debug_assert!(operand < index, "operands come before users");
            self.dag.add_edge(operand, index, position as u32);
        }
        index
    }

    /// The operator at `index`, which came from [`Graph::add`] on this graph.
    pub fn node(&self, index: NodeIndex) -> &Node {
        &self.dag[index]
    }

    /// The operands of a node in order.
    pub fn operands(&self, index: NodeIndex) -> Vec<NodeIndex> {
        let mut operands: Vec<(u32, NodeIndex)> = self
            .dag
            .edges_directed(index, Direction::Incoming)
            .map(|edge| (*edge.weight(), edge.source()))
            .collect();
        operands.sort_unstable();
        operands.into_iter().map(|(_, node)| node).collect()
    }

    /// The users of a node in node order; one that uses the node twice is listed twice.
    pub fn users(&self, index: NodeIndex) -> Vec<NodeIndex> {
        let mut users: Vec<NodeIndex> = self
            .dag
            .neighbors_directed(index, Direction::Outgoing)
            .collect();
        users.sort_unstable();
        users
    }

    /// All nodes, operands before users.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeIndex> + use<> {
        (0..self.dag.node_count()).map(NodeIndex::new)
    }

    /// The shape of the tensor that a user gives for an input.
    pub fn given_shape(&self, index: NodeIndex) -> &Shape {
        let node = self.node(index);
        match &node.op {
            Op::Input { name } => peregrine_ir::given_shape(&node.shape, self.prepare.get(name)),
            _ => &node.shape,
        }
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.dag.node_count()
    }

    /// Whether the graph has no node.
    pub fn is_empty(&self) -> bool {
        self.dag.node_count() == 0
    }

    /// The encrypted inputs: node and name.
    pub fn inputs(&self) -> impl Iterator<Item = (NodeIndex, &str)> {
        self.nodes().filter_map(|index| match &self.node(index).op {
            Op::Input { name } => Some((index, name.as_str())),
            _ => None,
        })
    }
}
