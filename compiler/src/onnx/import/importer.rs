//! The state of an import: the values that are known, the graph under construction, what was refused.
#![deny(clippy::indexing_slicing)]

use super::given::Given;
use super::types::Types;
use crate::onnx::build::{Builder, Value};
use crate::onnx::client::{Ending, Opening, server_side};
use crate::onnx::format::{Constant, ExternalData, tensor};
use crate::onnx::model::{name, needed, rank};
use crate::onnx::problems::{Diagnostic, Problem, Site};
use crate::tensor::Source;
use onnx_protobuf::{GraphProto, NodeProto, TensorProto};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a model on the way through its nodes.
pub(super) struct Importer<'m> {
    pub(super) proto: &'m GraphProto,
    /// The place of each node in the file.
    pub(super) places: Vec<usize>,
    pub(super) opset: i64,
    pub(super) external: &'m dyn ExternalData,
    pub(super) initializers: BTreeMap<&'m str, &'m TensorProto>,
    /// Values that an output depends on.
    pub(super) needed: BTreeSet<&'m str>,
    /// Values that the server needs; what follows the others is the client's.
    pub(super) server_side: BTreeSet<&'m str>,
    /// What the client computes before it encrypts.
    pub(super) opening: Opening<'m>,
    /// The inputs that the opening begins with.
    pub(super) given: Vec<Given<'m>>,
    pub(super) values: BTreeMap<&'m str, Value>,
    pub(super) types: Types<'m>,
    pub(super) builder: Builder,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// What provenance calls a node.
fn source(place: usize, node: &NodeProto) -> Source {
    Source {
        name: name(place, node),
        op: node.op_type.clone(),
    }
}

impl<'m> Importer<'m> {
    pub(super) fn new(
        proto: &'m GraphProto,
        (places, opset): (Vec<usize>, i64),
        external: &'m dyn ExternalData,
        ending: Ending,
    ) -> Self {
        let mut builder = Builder::default();
        let nodes = places.iter().zip(&proto.node);
        builder.graph.sources = nodes.map(|(&place, node)| source(place, node)).collect();
        let needed = needed(proto);
        Self {
            proto,
            places,
            opset,
            external,
            initializers: (proto.initializer.iter())
                .map(|t| (t.name.as_str(), t))
                .collect(),
            server_side: server_side(proto, &needed, ending),
            needed,
            opening: Opening::default(),
            given: Vec::new(),
            values: BTreeMap::new(),
            types: Types::default(),
            builder,
            diagnostics: Vec::new(),
        }
    }

    pub(super) fn report(&mut self, site: Option<Site>, problem: Problem) {
        self.builder.failing = true;
        self.diagnostics.push(Diagnostic::new(site, problem));
    }

    pub(super) fn site(&self, index: usize, node: &NodeProto) -> Site {
        let place = self.places.get(index).copied().unwrap_or(index);
        let Source { name, op } = source(place, node);
        Site {
            node: name,
            op,
            position: place + 1,
            of: self.proto.node.len(),
            output: node.output.first().cloned().unwrap_or_default(),
        }
    }

    /// The value called `name`; an initializer is read when it is first asked for.
    pub(super) fn value(&mut self, name: &'m str) -> Result<Value, Problem> {
        if let Some(value) = self.values.get(name) {
            return Ok(value.clone());
        }
        let value = match self.initializers.get(name) {
            None => Err(Problem::Undefined {
                name: name.to_owned(),
            }),
            Some(&proto) => self.read(proto).map(Value::Known),
        };
        // Whatever is wrong with it is said once.
        let kept = value.as_ref().map_or(Value::Unavailable, Value::clone);
        self.values.insert(name, kept);
        value
    }

    fn read(&mut self, proto: &TensorProto) -> Result<Constant, Problem> {
        let constant = tensor::constant(proto, self.external).map_err(|error| Problem::Read {
            name: proto.name.clone(),
            error,
        })?;
        constant.check_numbers()?;
        rank::check(constant.dims.len())?;
        self.builder.received(constant.len());
        Ok(constant)
    }
}
