//! The nodes of a model, one after the other: which lowering each gets, and what is wrong with those that get none.
#![deny(clippy::indexing_slicing)]

use super::importer::Importer;
use crate::onnx::build::{Call, Value};
use crate::onnx::client;
use crate::onnx::operators::{Lowering, lowering, lowering_of_constants, pool};
use crate::onnx::problems::{Problem, Reason, unsupported};
use crate::onnx::schema;
use crate::tensor::SourceId;
use onnx_protobuf::NodeProto;

impl<'m> Importer<'m> {
    pub(super) fn node(&mut self, index: usize, node: &'m NodeProto) {
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
        let constant = call.is_constant();
        let lowering = if constant {
            lowering_of_constants(node)
        } else if opens && client::is_step(node) || self.is_left_to_client(&call) {
            Some(Lowering::Many(client::lower))
        } else {
            lowering(node)
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
        match lowering(node) {
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
        client::is_step(node) && !known && !node.output.iter().any(inner)
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
