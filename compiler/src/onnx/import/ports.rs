//! What a model declares around its nodes: its inputs, its outputs, and the ranges in its metadata.
#![deny(clippy::indexing_slicing)]

use super::importer::Importer;
use crate::onnx::build::{Base, Finished, Value};
use crate::onnx::client::Opening;
use crate::onnx::format::{Origin, stated};
use crate::onnx::model::{self, Options};
use crate::onnx::problems::Problem;
use crate::onnx::schema::SchemaError;
use crate::tensor::{Output, Source, SourceId};
use onnx_protobuf::{ModelProto, ValueInfoProto};
use peregrine_ir::Finish;
use std::collections::BTreeSet;

impl<'m> Importer<'m> {
    pub(super) fn inputs(&mut self, options: &Options) {
        for sparse in &self.proto.sparse_initializer {
            if let Some(values) = sparse.values.as_ref()
                && self.needed.contains(values.name.as_str())
            {
                let name = values.name.clone();
                self.values.insert(&values.name, Value::Unavailable);
                self.report(None, Problem::Sparse { name });
            }
        }
        let weights = &self.initializers;
        let (inputs, problems) =
            model::inputs(self.proto, |name| weights.contains_key(name), options);
        for problem in problems {
            self.report(None, problem);
        }
        let integers = inputs.iter().filter(|input| !input.element.is_float());
        let integers: BTreeSet<&str> = integers.map(|input| input.name).collect();
        let of_integers = |name: &str| integers.contains(name);
        self.opening = Opening::new(self.proto, &self.needed, of_integers);
        for input in inputs {
            self.types.set(input.name, input.element);
            if self.opening.inputs.contains(input.name) && self.given(&input).is_ok() {
                continue;
            }
            if !input.element.is_float() {
                let value = Value::Integers {
                    name: input.name.to_owned(),
                    element: input.element,
                    dims: input.dims,
                };
                self.values.insert(input.name, value);
                continue;
            }
            self.builder.source = SourceId(self.builder.graph.sources.len() as u32);
            self.builder.graph.sources.push(Source {
                name: input.name.to_owned(),
                op: "Input".to_owned(),
            });
            match self.builder.input(input.name, &input.dims) {
                Ok(node) => {
                    let value = Value::Encrypted(node);
                    if self.values.insert(input.name, value).is_some() {
                        let name = input.name.to_owned();
                        self.report(None, Problem::Duplicate { name });
                    }
                }
                Err(_) if input.dims.contains(&0) => {
                    let (input, found) = (input.name.to_owned(), "a tensor without elements");
                    self.report(None, Problem::InputType { input, found });
                }
                Err(problem) => self.report(None, problem),
            }
        }
        // An input that was refused is not undefined as well.
        for input in &self.proto.input {
            if !self.initializers.contains_key(input.name.as_str()) {
                self.values.entry(&input.name).or_insert(Value::Unavailable);
            }
        }
    }

    /// What the metadata state of values; not looked at when values are missing.
    pub(super) fn stated(&mut self, model: &ModelProto) {
        if !self.diagnostics.is_empty() {
            return;
        }
        let origin = |name: &str| match self.values.get(name)? {
            Value::Encrypted(node) => Some(Origin::Server(*node)),
            Value::Finished(_) => Some(Origin::Client),
            Value::Known(_) | Value::Integers { .. } | Value::Unavailable => None,
        };
        match stated(model, origin) {
            Ok(stated) => self.builder.graph.stated = stated,
            Err(error) => self.report(None, Problem::Stated(error)),
        }
    }

    pub(super) fn outputs(&mut self) {
        let mut listed = BTreeSet::new();
        for output in &self.proto.output {
            let name = output.name.clone();
            // Two results under one name are one.
            if !listed.insert(&output.name) {
                continue;
            }
            self.declaration(output);
            match self.server_value(&output.name) {
                Ok(Value::Encrypted(node)) => {
                    let finish = Finish::default();
                    let output = Output { name, node, finish };
                    self.builder.graph.outputs.push(output);
                }
                // What the client computes from inputs is encrypted by now.
                Ok(Value::Finished(Finished {
                    base: Base::Input(_),
                    ..
                })) => {}
                Ok(Value::Finished(Finished {
                    base: Base::Decrypted(node),
                    finish,
                    ..
                })) => {
                    let output = Output { name, node, finish };
                    self.builder.graph.outputs.push(output);
                }
                Ok(Value::Known(_)) => self.report(None, Problem::ConstantOutput { name }),
                Ok(Value::Integers { element, .. }) => {
                    self.report(None, Problem::Integers { name, element });
                }
                Ok(Value::Unavailable) if self.diagnostics.is_empty() => {
                    self.report(None, Problem::Undefined { name });
                }
                Ok(Value::Unavailable) => {}
                Err(problem) => self.report(None, problem),
            }
        }
    }
}

impl Importer<'_> {
    /// Refuses an output that is declared with another element type than it has.
    fn declaration(&mut self, output: &ValueInfoProto) {
        let declared = model::element(output);
        let found = self.types.get(&output.name);
        if let (Some(declared), Some(found)) = (declared, found)
            && declared != found
        {
            let name = output.name.clone();
            let error = SchemaError::OutputType {
                name,
                declared,
                found,
            };
            self.report(None, Problem::Schema(error));
        }
    }
}
