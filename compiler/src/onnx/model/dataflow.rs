//! Which values of a model follow from which.
#![deny(clippy::indexing_slicing)]

use onnx_protobuf::GraphProto;
use std::collections::BTreeSet;

/// Values that some output depends on; nodes are in topological order, so one pass from the end finds them.
pub(in crate::onnx) fn needed(graph: &GraphProto) -> BTreeSet<&str> {
    let mut needed: BTreeSet<&str> = graph.output.iter().map(|o| o.name.as_str()).collect();
    for node in graph.node.iter().rev() {
        if node.output.iter().any(|o| needed.contains(o.as_str())) {
            needed.extend(node.input.iter().map(String::as_str));
        }
    }
    needed.remove("");
    needed
}

/// Values that follow from weights alone, and shapes.
pub(in crate::onnx) fn constants(graph: &GraphProto) -> BTreeSet<&str> {
    let mut known: BTreeSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    known.insert("");
    for node in &graph.node {
        let of_shapes = matches!(node.op_type.as_str(), "Shape" | "Size");
        if of_shapes
            || node
                .input
                .iter()
                .all(|input| known.contains(input.as_str()))
        {
            known.extend(node.output.iter().map(String::as_str));
        }
    }
    known
}
