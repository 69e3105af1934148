//! Weights too large for the parameters: the verifier's errors about plaintexts, traced back to tensors of the model.
//!
//! A plaintext is its numbers times a scale, and must stay below the modulus of its level. The scale and level that a
//! weight meets are known only once the circuit is made, so the verifier decides; its errors are translated here.

use crate::tensor::{Graph, Op};
use peregrine_ir::verify::{Cause, ValueError};
use peregrine_ir::{SourceNode, TensorId, VerifyErrors};
use std::collections::BTreeSet;

/// A weight of the model that is too large for every plaintext it could be in.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "{op} `{node}`: tensor `{tensor}` holds {magnitude:e}{}, the parameters hold constants up to about {limit:.1e} there; check the training run, scale the tensor down and a neighbour up, or ask for fewer --precision-bits",
    made(*magnitude, *number)
)]
pub struct MagnitudeError {
    /// The operator of the node.
    pub op: String,
    /// The node of the model.
    pub node: String,
    /// The tensor of the model.
    pub tensor: String,
    /// Its largest magnitude.
    pub magnitude: f64,
    /// The number that the compiler derives from it and other constants.
    pub number: f64,
    /// About the largest constant that the parameters hold.
    pub limit: f64,
}

fn made(magnitude: f64, number: f64) -> String {
    if (magnitude / number - 1.0).abs() < 1e-6 {
        String::new()
    } else {
        format!(", of which the compiler makes {number:e}")
    }
}

/// The largest magnitude of a weight: beside a larger one, values of usual size drown in the noise of any parameters.
const LARGEST: f64 = (1u64 << 32) as f64;

/// Refuses a model that holds a weight too large for any parameters.
///
/// # Errors
/// Names the tensor with the largest such weight.
pub(crate) fn check(graph: &Graph) -> Result<(), MagnitudeError> {
    match blamed(graph, largest(graph, None), |magnitude| {
        (magnitude, LARGEST)
    }) {
        Some(error) if error.magnitude > LARGEST => Err(error),
        _ => Ok(()),
    }
}

/// The tensor of the model that is to blame; `None` unless all errors of the verifier are about numbers that are too
/// large.
pub(crate) fn explain(graph: &Graph, errors: &VerifyErrors) -> Option<MagnitudeError> {
    let mut worst: Option<(f64, f64, Option<&SourceNode>)> = None;
    for error in &errors.errors {
        let Cause::Value(ValueError::TooLarge {
            number,
            bits,
            limit,
            ..
        }) = &error.cause
        else {
            return None;
        };
        if worst.is_none_or(|(other, ..)| *number > other) {
            let fits = number * (limit - bits).exp2();
            worst = Some((*number, fits, error.node.as_ref()));
        }
    }
    let (number, limit, node) = worst?;
    let found = largest(graph, node).or_else(|| largest(graph, None));
    blamed(graph, found, |_| (number, limit))
}

/// The error about a tensor, with the number that is derived from it and the largest that would fit.
fn blamed(
    graph: &Graph,
    found: Option<(u32, f64, String)>,
    made: impl FnOnce(f64) -> (f64, f64),
) -> Option<MagnitudeError> {
    let (source, magnitude, tensor) = found?;
    let (number, limit) = made(magnitude);
    let source = graph.sources.get(source as usize)?;
    Some(MagnitudeError {
        op: source.op.clone(),
        node: source.name.clone(),
        tensor,
        magnitude,
        number,
        limit,
    })
}

/// The number of the node, the magnitude and the tensor's name of the largest weight, in one node of the model or in all.
fn largest(graph: &Graph, of: Option<&SourceNode>) -> Option<(u32, f64, String)> {
    let mut found: Option<(u32, f64, TensorId)> = None;
    for index in graph.nodes() {
        let node = graph.node(index);
        let source = graph.sources.get(node.source.0 as usize);
        let wanted = of.is_none_or(|of| source.is_some_and(|s| s.name == of.name && s.op == of.op));
        if !wanted {
            continue;
        }
        for id in tensors(&node.op) {
            let tensor = &graph.tensors[id];
            let magnitude = tensor.data().iter().fold(0.0, |m: f64, x| m.max(x.abs()));
            if found.is_none_or(|(_, other, _)| magnitude > other) {
                found = Some((node.source.0, magnitude, id));
            }
        }
    }
    let (source, magnitude, id) = found?;
    Some((source, magnitude, graph.tensors[id].name.clone()))
}

/// The tensors of an operator.
fn tensors(op: &Op) -> BTreeSet<TensorId> {
    match op {
        Op::Linear { map, bias } => map.weight().into_iter().chain(*bias).collect(),
        Op::Polynomial(polynomial) => polynomial.coefficients().iter().copied().collect(),
        Op::Input { .. } | Op::Add | Op::Multiply | Op::Reshape => BTreeSet::new(),
    }
}
