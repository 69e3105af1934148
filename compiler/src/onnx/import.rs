//! The walk over the nodes of a model.
#![deny(clippy::indexing_slicing)]

mod encrypt;

use super::begin::Opening;
use super::budget::{MAX_NODES, MAX_PORTS};
use super::builder::Builder;
use super::call::{self, Call, Value};
use super::constant::Constant;
use super::error::{Diagnostic, ImportErrors, Site};
use super::external::ExternalData;
use super::finish::{self, Base, Ending, Finished};
use super::model::{self, Options};
use super::operators::{self, Lowering};
use super::problem::Problem;
use super::schema::{self, SchemaError, Types};
use super::sniff::FileType;
use super::unsupported::{self, Reason};
use super::{fold, order, pool, ranges, read};
use crate::tensor::{Graph, Output, Source, SourceId};
use onnx_protobuf::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use peregrine_ir::Finish;
use std::collections::{BTreeMap, BTreeSet};

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
    if let Some(file) = FileType::of(bytes) {
        return Err(whole(Problem::NotAModel(file)));
    }
    let mut model = model::parse(bytes).map_err(whole)?;
    let opset = model::opset(&model).map_err(whole)?;
    let places = match model.graph.as_mut() {
        Some(graph) => order::sort(graph).map_err(whole)?,
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

struct Importer<'m> {
    proto: &'m GraphProto,
    /// The place of each node in the file.
    places: Vec<usize>,
    opset: i64,
    external: &'m dyn ExternalData,
    initializers: BTreeMap<&'m str, &'m TensorProto>,
    /// Values that an output depends on.
    needed: BTreeSet<&'m str>,
    /// Values that the server needs; what follows the others is the client's.
    server_side: BTreeSet<&'m str>,
    /// What the client computes before it encrypts.
    opening: Opening<'m>,
    /// The inputs that the opening begins with.
    given: Vec<encrypt::Given<'m>>,
    values: BTreeMap<&'m str, Value>,
    types: Types<'m>,
    builder: Builder,
    diagnostics: Vec<Diagnostic>,
}

/// Values that some output depends on; nodes are in topological order, so one pass from the end finds them.
fn needed(graph: &GraphProto) -> BTreeSet<&str> {
    let mut needed: BTreeSet<&str> = graph.output.iter().map(|o| o.name.as_str()).collect();
    for node in graph.node.iter().rev() {
        if node.output.iter().any(|o| needed.contains(o.as_str())) {
            needed.extend(node.input.iter().map(String::as_str));
        }
    }
    needed.remove("");
    needed
}

/// What messages call the node at this place of the file.
pub(super) fn name(place: usize, node: &NodeProto) -> String {
    if node.name.is_empty() {
        format!("{}_{}", node.op_type, place + 1)
    } else {
        node.name.clone()
    }
}

/// What provenance calls a node.
fn source(place: usize, node: &NodeProto) -> Source {
    Source {
        name: name(place, node),
        op: node.op_type.clone(),
    }
}

impl<'m> Importer<'m> {
    fn new(
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
            server_side: finish::server_side(proto, &needed, ending),
            needed,
            opening: Opening::default(),
            given: Vec::new(),
            values: BTreeMap::new(),
            types: Types::default(),
            builder,
            diagnostics: Vec::new(),
        }
    }

    fn report(&mut self, site: Option<Site>, problem: Problem) {
        self.builder.failing = true;
        self.diagnostics.push(Diagnostic::new(site, problem));
    }

    fn inputs(&mut self, options: &Options) {
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

    fn site(&self, index: usize, node: &NodeProto) -> Site {
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

    fn node(&mut self, index: usize, node: &'m NodeProto) {
        let used: Vec<bool> = (node.output.iter())
            .map(|o| self.needed.contains(o.as_str()))
            .collect();
        if !used.contains(&true) {
            return;
        }
        self.builder.source = SourceId(index as u32);
        let opens = self.opening.nodes.contains(&index);
        let (inputs, mut problems) = self.operands(node, opens);
        // What comes before may have been encrypted after all.
        let encrypted = |value: &Value| matches!(value, Value::Encrypted(_));
        let opens = opens && !inputs.iter().flatten().any(encrypted);
        problems.extend(self.differences(node, &inputs));
        let call = Call::new(node, self.opset, inputs, used);
        let constant = fold::is_constant(&call);
        let lowering = if constant {
            fold::lowering(&call)
        } else if opens && finish::is_step(node) || self.is_left_to_client(&call) {
            Some(Lowering::Many(finish::lower))
        } else {
            operators::lowering(&node.domain, &node.op_type)
        };
        let results = match lowering {
            None if constant && problems.is_empty() => Err(Problem::Constants),
            None if problems.is_empty() => Err(Problem::Operator(refusal(node))),
            _ if !problems.is_empty() => {
                for problem in problems {
                    self.report(Some(self.site(index, node)), problem);
                }
                Ok(Vec::new())
            }
            None => Ok(Vec::new()),
            Some(lowering) => match self.lower(lowering, &call) {
                // What the client cannot do after all is done on ciphertexts.
                Err(_) if opens => self.lower_encrypted(&call),
                results => results,
            },
        };
        let results = results.unwrap_or_else(|problem| {
            let stand_in = matches!(&problem, Problem::Operator(_));
            self.report(Some(self.site(index, node)), problem);
            if stand_in {
                vec![self.stand_in(&call)]
            } else {
                Vec::new()
            }
        });
        self.define(index, node, results);
    }

    /// Lowers a node whose first operand the client was to work on.
    fn lower_encrypted(&mut self, call: &Call<'m>) -> Result<Vec<Value>, Problem> {
        let node = call.node;
        let (inputs, mut problems) = self.operands(node, false);
        if !problems.is_empty() {
            return Err(problems.remove(0));
        }
        let call = Call::new(node, call.opset, inputs, call.outputs_used.clone());
        match operators::lowering(&node.domain, &node.op_type) {
            None => Err(Problem::Operator(refusal(node))),
            Some(lowering) => self.lower(lowering, &call),
        }
    }

    /// In what a node differs from the definition of its operator.
    fn differences(&mut self, node: &'m NodeProto, operands: &[Option<Value>]) -> Vec<Problem> {
        let mut errors = schema::check(node, self.opset);
        if errors.is_empty()
            && let Ok(Some(signature)) = schema::signature(node, self.opset)
            && let Err(error) = self.types.follow(node, signature, operands)
        {
            errors.push(error);
        }
        errors.into_iter().map(Problem::Schema).collect()
    }

    /// Whether the client applies this node: only outputs of the model depend on it.
    fn is_left_to_client(&self, call: &Call) -> bool {
        let node = call.node;
        let known = matches!(call.inputs.first(), Some(Some(Value::Known(_))));
        let inner = |name: &String| self.server_side.contains(name.as_str());
        finish::is_step(node) && !known && !node.output.iter().any(inner)
    }

    fn lower(&mut self, lowering: Lowering, call: &Call) -> Result<Vec<Value>, Problem> {
        let unavailable = |value: &Option<Value>| matches!(value, Some(Value::Unavailable));
        if call.inputs.iter().any(unavailable) {
            return Ok(Vec::new());
        }
        let results = match lowering {
            Lowering::One(lower) => {
                let result = lower(&mut self.builder, call)?;
                call.only_first_output()?;
                vec![result]
            }
            Lowering::Many(lower) => lower(&mut self.builder, call)?,
        };
        call.all_read()?;
        Ok(results)
    }

    /// The values that `node` reads, and what is wrong with those that are not there.
    fn operands(
        &mut self,
        node: &'m NodeProto,
        at_client: bool,
    ) -> (Vec<Option<Value>>, Vec<Problem>) {
        let mut problems = Vec::new();
        let at_client = at_client || matches!(node.op_type.as_str(), "Shape" | "Size");
        let inputs = (node.input.iter())
            .map(|name| {
                if name.is_empty() {
                    return None;
                }
                let value = match at_client {
                    true => self.value(name),
                    false => self.server_value(name),
                };
                Some(value.unwrap_or_else(|problem| {
                    problems.push(problem);
                    Value::Unavailable
                }))
            })
            .collect();
        (inputs, problems)
    }

    /// The value called `name`; an initializer is read when it is first asked for.
    fn value(&mut self, name: &'m str) -> Result<Value, Problem> {
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
        let constant = read::constant(proto, self.external).map_err(|error| Problem::Read {
            name: proto.name.clone(),
            error,
        })?;
        constant.check_numbers()?;
        call::check_rank(constant.dims.len())?;
        self.builder.received(constant.len());
        Ok(constant)
    }

    /// A value of the right shape for the result of a refused operator, so that what follows can be looked at.
    fn stand_in(&mut self, call: &Call) -> Value {
        let first = call.inputs.first().cloned().flatten();
        let pooled = match (call.node.op_type.as_str(), &first) {
            (_, None | Some(Value::Unavailable | Value::Finished(_) | Value::Integers { .. })) => {
                return Value::Unavailable;
            }
            ("MaxPool" | "LpPool", _) => pool::average_pool(&mut self.builder, call),
            ("GlobalMaxPool" | "GlobalLpPool", _) => {
                pool::global_average_pool(&mut self.builder, call)
            }
            (op, Some(value)) => match unsupported::reason(op) {
                Reason::Activation
                | Reason::Closing
                | Reason::Softmax
                | Reason::Normalisation
                | Reason::Rounding => Ok(value.clone()),
                _ if op == "Sqrt" || op == "Exp" || op == "Log" => Ok(value.clone()),
                _ => Ok(Value::Unavailable),
            },
        };
        pooled.unwrap_or(Value::Unavailable)
    }

    /// Gives the results of `node` their names.
    fn define(&mut self, index: usize, node: &'m NodeProto, results: Vec<Value>) {
        let mut results = results.into_iter();
        for name in &node.output {
            let value = results.next().unwrap_or(Value::Unavailable);
            if name.is_empty() {
                continue;
            }
            // A lowering computes in double precision, whatever the type.
            let value = match (value, self.types.get(name)) {
                (Value::Known(c), Some(element)) if c.element.is_float() && element.is_float() => {
                    Value::Known(c.with_element(element))
                }
                (value, _) => value,
            };
            let known = self.initializers.contains_key(name.as_str());
            if known || self.values.insert(name, value).is_some() {
                let name = name.clone();
                self.report(Some(self.site(index, node)), Problem::Duplicate { name });
            }
        }
    }

    /// What the metadata state of values; not looked at when values are missing.
    fn stated(&mut self, model: &ModelProto) {
        if !self.diagnostics.is_empty() {
            return;
        }
        match ranges::stated(model, |name| self.values.get(name)) {
            Ok(stated) => self.builder.graph.stated = stated,
            Err(error) => self.report(None, Problem::Stated(error)),
        }
    }

    fn outputs(&mut self) {
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

fn refusal(node: &NodeProto) -> Reason {
    match node.domain.as_str() {
        "" | "ai.onnx" => unsupported::reason(&node.op_type),
        "ai.onnx.ml" if unsupported::makes_labels(&node.op_type) => Reason::Labels,
        domain => Reason::Domain {
            domain: domain.to_owned(),
        },
    }
}
