//! What a model ends with that the client computes after decryption.
//!
//! An operator at the end is the client's when it is a function that no polynomial computes, or a movement, and nothing but
//! outputs of the model depends on its result, other operators that the client can follow allowed in between. Anywhere else
//! a function is refused and a movement done on ciphertexts.
#![deny(clippy::indexing_slicing)]

use crate::onnx::build::{Builder, Call, Finished, Value};
use crate::onnx::model::constants;
use crate::onnx::operators::{Client, Lowering, client, lowering};
use crate::onnx::problems::{Problem, unsupported};
use onnx_protobuf::{GraphProto, NodeProto};
use std::collections::BTreeSet;

/// Whether the client applies this operator where it ends a model: a function that is no polynomial, or a movement.
pub(in crate::onnx) fn is_step(node: &NodeProto) -> bool {
    matches!(client(node), Client::Applies(_) | Client::Moves)
}

/// What of a model's end is left to the client beside functions that are no polynomials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::onnx) enum Ending {
    /// Nothing.
    Functions,
    /// Movements of elements.
    Movements,
    /// Movements, and arithmetic with constants.
    Arithmetic,
}

/// The values that the server needs: those that some needed node reads that the client cannot follow.
pub(in crate::onnx) fn server_side<'m>(
    graph: &'m GraphProto,
    needed: &BTreeSet<&str>,
    ending: Ending,
) -> BTreeSet<&'m str> {
    let known = constants(graph);
    let mut inner = BTreeSet::new();
    for node in graph.node.iter().rev() {
        let mut outputs = node.output.iter().map(String::as_str);
        if !outputs.clone().any(|o| needed.contains(o)) {
            continue;
        }
        let op = node.op_type.as_str();
        let unknown = node
            .input
            .iter()
            .filter(|input| !known.contains(input.as_str()));
        let follows = match client(node) {
            Client::Nothing => false,
            Client::Moves => ending >= Ending::Movements,
            Client::Calculates => ending >= Ending::Arithmetic,
            Client::Applies(_) | Client::Keeps => true,
        };
        let shape_only = matches!(op, "Shape" | "Size");
        // Refused by its own name, not for what leads to it.
        let labels = node.domain == "ai.onnx.ml" && unsupported::makes_labels(op);
        if labels
            || shape_only
            || follows && unknown.count() <= 1 && !outputs.any(|o| inner.contains(o))
        {
            continue;
        }
        inner.extend(node.input.iter().map(String::as_str));
    }
    inner
}

/// A function or a movement where the client applies it.
pub(in crate::onnx) fn lower(b: &mut Builder, call: &Call) -> Result<Vec<Value>, Problem> {
    match client(call.node) {
        Client::Moves => lower_movement(b, call),
        Client::Applies(lower) => {
            let result = lower(b, call);
            call.only_first_output()?;
            Ok(vec![result?])
        }
        Client::Nothing | Client::Keeps | Client::Calculates => {
            let reason = unsupported::reason(&call.node.op_type);
            Err(Problem::Operator(reason))
        }
    }
}

/// A movement: by the client if it can, else on ciphertexts.
fn lower_movement(b: &mut Builder, call: &Call) -> Result<Vec<Value>, Problem> {
    let lowered = |b: &mut Builder, call: &Call| match lowering(call.node) {
        Some(Lowering::One(lower)) => lower(b, call).map(|value| vec![value]),
        Some(Lowering::Many(lower)) => lower(b, call),
        None => Err(Problem::Constants),
    };
    let Some(Some(Value::Encrypted(x))) = call.inputs.first() else {
        return lowered(b, call);
    };
    let at_client = call.with_first(Value::Finished(Finished::decrypted(&b.graph, *x)));
    let made = lowered(b, &at_client).or_else(|_| lowered(b, call));
    call.asked_too(&at_client);
    made
}
