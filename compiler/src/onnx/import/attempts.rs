//! The import of a model: attempts that leave less and less to the client, until one succeeds.
#![deny(clippy::indexing_slicing)]

use super::importer::Importer;
use crate::onnx::build::{MAX_NODES, MAX_PORTS};
use crate::onnx::client::Ending;
use crate::onnx::format::{ExternalData, FileType};
use crate::onnx::model::{self, Options};
use crate::onnx::problems::{Diagnostic, ImportErrors, Problem};
use crate::tensor::Graph;
use onnx_protobuf::{GraphProto, ModelProto};

/// The tensor graph of a serialized ONNX model.
///
/// Every node of the model is an entry of [`Graph::sources`], in the order of evaluation; the inputs follow as entries of
/// operator `Input`.
/// Nodes that no output depends on are not looked at.
///
/// # Errors
/// All reasons why the model cannot be compiled, in node order.
pub fn import(
    bytes: &[u8],
    external: &dyn ExternalData,
    options: &Options,
) -> Result<Graph, ImportErrors> {
    let failed = |mut diagnostics: Vec<Diagnostic>| {
        diagnostics.sort_by_key(|d| d.site.as_ref().map(|site| site.position));
        ImportErrors {
            model: options.model.clone(),
            diagnostics,
        }
    };
    let whole = |problem| failed(vec![Diagnostic::new(None, problem)]);
    if let Some(file) = FileType::sniff(bytes) {
        return Err(whole(Problem::NotAModel(file)));
    }
    let mut model = model::parse(bytes).map_err(whole)?;
    let opset = model::opset(&model).map_err(whole)?;
    let places = match model.graph.as_mut() {
        Some(graph) => model::sort(graph).map_err(whole)?,
        None => Vec::new(),
    };
    let graph = graph(&model).map_err(whole)?;
    check_counts(graph).map_err(whole)?;
    let attempt = |ending: Ending| {
        let mut importer = Importer::new(graph, (places.clone(), opset), external, ending);
        importer.builder.budget.bytes(bytes.len() as u64);
        importer.inputs(options);
        for (index, node) in graph.node.iter().enumerate() {
            importer.node(index, node);
        }
        importer.outputs();
        importer.stated(&model);
        match importer.diagnostics.is_empty() {
            true => Ok(importer.builder.graph),
            false => Err(importer.diagnostics),
        }
    };
    let of_client = |all: &[Diagnostic]| all.iter().any(|d| d.problem == Problem::OfClient);
    let first = match attempt(Ending::Arithmetic) {
        Err(diagnostics) if of_client(&diagnostics) => diagnostics,
        result => return result.map_err(failed),
    };
    // What the client cannot follow after all may be the server's, with what comes before.
    let rest = [Ending::Movements, Ending::Functions].into_iter();
    let found = rest.map(attempt).find_map(Result::ok);
    found.ok_or_else(|| failed(first))
}

fn graph(model: &ModelProto) -> Result<&GraphProto, Problem> {
    let graph = model
        .graph
        .as_ref()
        .ok_or(Problem::Missing { what: "graph" })?;
    if graph.output.is_empty() {
        return Err(Problem::Missing { what: "output" });
    }
    Ok(graph)
}

/// Refuses graphs of more parts than any network has.
fn check_counts(graph: &GraphProto) -> Result<(), Problem> {
    let counts = [
        ("the model's list of nodes", graph.node.len(), MAX_NODES),
        (
            "the model's list of inputs",
            graph.input.len().saturating_sub(graph.initializer.len()),
            MAX_PORTS,
        ),
        ("the model's list of outputs", graph.output.len(), MAX_PORTS),
    ];
    for (what, found, limit) in counts {
        if found > limit {
            let (found, limit) = (found as u64, limit as u64);
            return Err(Problem::TooLarge { what, found, limit });
        }
    }
    Ok(())
}
