//! Errors of the verifier: the entity, the ONNX node that it serves, and a typed cause.

use super::{FunctionError, KeyError, LinkError, PortError, RingError, TableError, ValueError};
use crate::circuit::{Circuit, SourceNode};
use crate::entity::{
    Const, FunctionId, LayoutId, Node, OperatorId, Prime, RingId, SpecialPrime, TensorId, Value,
};
use crate::key::Key;
use crate::ring::Level;
use std::fmt;

/// The subject of an error: an entity of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The circuit as a whole.
    Circuit,
    /// The tables of rings, primes and levels, or the unit of scales.
    Rings,
    /// A ring.
    Ring(RingId),
    /// A prime of the pool.
    Prime(Prime),
    /// A special prime.
    SpecialPrime(SpecialPrime),
    /// A row of the table of levels.
    Level(Level),
    /// A gadget digit of a ring, by index.
    Digit(RingId, u32),
    /// A declared evaluation key.
    Key(Key),
    /// An ONNX node.
    Node(Node),
    /// A remark, by position.
    Remark(u32),
    /// A packing.
    Layout(LayoutId),
    /// A weight tensor.
    Tensor(TensorId),
    /// An operator.
    Operator(OperatorId),
    /// A constant.
    Constant(Const),
    /// An input port, by position.
    Input(u32),
    /// An output port, by position.
    Output(u32),
    /// An import of a fragment, by position.
    Import(u32),
    /// An export of a fragment, by position.
    Export(u32),
    /// A function.
    Function(FunctionId),
    /// A value and the instruction that defines it.
    Value(Value),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Circuit => f.write_str("circuit"),
            Self::Rings => f.write_str("rings"),
            Self::Ring(ring) => write!(f, "ring {ring}"),
            Self::Prime(prime) => prime.fmt(f),
            Self::SpecialPrime(prime) => prime.fmt(f),
            Self::Level(level) => write!(f, "level {level}"),
            Self::Digit(RingId(0), digit) => write!(f, "digit {digit}"),
            Self::Digit(ring, digit) => write!(f, "digit {digit} of {ring}"),
            Self::Key(key) => key.fmt(f),
            Self::Node(node) => node.fmt(f),
            Self::Remark(remark) => write!(f, "remark {remark}"),
            Self::Layout(layout) => layout.fmt(f),
            Self::Tensor(tensor) => tensor.fmt(f),
            Self::Operator(operator) => operator.fmt(f),
            Self::Constant(constant) => constant.fmt(f),
            Self::Input(port) => write!(f, "input {port}"),
            Self::Output(port) => write!(f, "output {port}"),
            Self::Import(link) => write!(f, "import {link}"),
            Self::Export(link) => write!(f, "export {link}"),
            Self::Function(function) => write!(f, "function {function}"),
            Self::Value(value) => value.fmt(f),
        }
    }
}

/// A breach of a rule: the entity that breaks it, and the rule.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifyError {
    /// The entity.
    pub subject: Subject,
    /// Its name, where it is a node, tensor or port.
    pub name: Option<String>,
    /// For a value, the ONNX node it serves.
    pub node: Option<SourceNode>,
    /// The rule.
    pub cause: Cause,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            subject,
            name,
            node,
            cause,
        } = self;
        write!(f, "{subject}")?;
        if let Some(name) = name {
            write!(f, " `{name}`")?;
        }
        if let Some(SourceNode { name, op }) = node {
            write!(f, " ({op} `{name}`)")?;
        }
        write!(f, ": {cause}")
    }
}

impl std::error::Error for VerifyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// The rule that is broken, by group.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(transparent)]
pub enum Cause {
    /// Degree, primes, levels, digits, security.
    Ring(#[from] RingError),
    /// Nodes, remarks, layouts, tensors, operators, constants.
    Table(#[from] TableError),
    /// An instruction.
    Value(#[from] ValueError),
    /// Evaluation keys.
    Key(#[from] KeyError),
    /// Input and output tensors.
    Port(#[from] PortError),
    /// Functions and calls.
    Function(#[from] FunctionError),
    /// Imports and exports.
    Link(#[from] LinkError),
}

/// All breaches of rules in a circuit; never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifyErrors {
    /// The errors, in the order of the circuit's tables.
    pub errors: Vec<VerifyError>,
}

impl fmt::Display for VerifyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.errors.iter().enumerate() {
            let separator = if i == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for VerifyErrors {}

/// Collects errors.
#[derive(Debug, Default)]
pub(crate) struct Report {
    errors: Vec<VerifyError>,
}

impl Report {
    pub(crate) fn push(&mut self, subject: Subject, cause: impl Into<Cause>) {
        self.errors.push(VerifyError {
            subject,
            name: None,
            node: None,
            cause: cause.into(),
        });
    }

    /// The result of the verification, with the names that `circuit` gives the entities.
    pub(crate) fn verdict(self, circuit: &Circuit) -> Result<(), VerifyErrors> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let mut errors = self.errors;
        for error in &mut errors {
            error.name = name(circuit, error.subject);
            error.node = source_node(circuit, error.subject);
        }
        Err(VerifyErrors { errors })
    }

    /// The first error, for when there is no circuit to take names from.
    pub(crate) fn into_first(self) -> Option<VerifyError> {
        self.errors.into_iter().next()
    }
}

fn name(circuit: &Circuit, subject: Subject) -> Option<String> {
    let name = match subject {
        Subject::Node(node) => &circuit.nodes.get(node)?.name,
        Subject::Tensor(tensor) => &circuit.tensors.get(tensor)?.name,
        Subject::Input(port) => &circuit.inputs.get(port as usize)?.name,
        Subject::Output(port) => &circuit.outputs.get(port as usize)?.name,
        Subject::Circuit => &circuit.name,
        Subject::Function(function) => &circuit.functions.get(function)?.name,
        Subject::Import(_)
        | Subject::Export(_)
        | Subject::Rings
        | Subject::Ring(_)
        | Subject::Prime(_)
        | Subject::SpecialPrime(_)
        | Subject::Level(_)
        | Subject::Digit(..)
        | Subject::Key(_)
        | Subject::Remark(_)
        | Subject::Layout(_)
        | Subject::Operator(_)
        | Subject::Constant(_)
        | Subject::Value(_) => return None,
    };
    Some(shorten(name))
}

/// A name, shortened where it is so long that it would flood the message.
fn shorten(name: &str) -> String {
    const SHOWN: usize = 120;
    if name.chars().count() <= SHOWN {
        return name.into();
    }
    name.chars().take(SHOWN).chain("...".chars()).collect()
}

fn source_node(circuit: &Circuit, subject: Subject) -> Option<SourceNode> {
    let Subject::Value(value) = subject else {
        return None;
    };
    let node = circuit.nodes.get(circuit.values.get(value)?.node?)?;
    Some(SourceNode {
        name: shorten(&node.name),
        op: shorten(&node.op),
    })
}
