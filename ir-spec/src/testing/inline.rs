//! Inlining, which defines the meaning of calls.

use crate::build::Builder;
use crate::circuit::Circuit;
use crate::entity::{Entity, Node, Value};
use crate::function::Body;
use crate::inst::Inst;
use crate::typing::TypeError;
use std::mem::take;

/// The circuit without functions: every call is replaced by the body that it runs. It computes the ciphertexts of the
/// circuit.
///
/// # Errors
/// Never for a verified circuit.
pub fn inlined(circuit: &Circuit) -> Result<Circuit, TypeError> {
    let mut empty = circuit.clone();
    take(&mut empty.values);
    take(&mut empty.functions);
    let mut inline = Inline {
        old: circuit,
        builder: Builder::new(empty),
        renamed: vec![None; circuit.values.len()],
    };
    inline.body(circuit.main(), None)?;
    let renamed = take(&mut inline.renamed);
    let name = |value: &mut Value| {
        if let Some(Some(new)) = renamed.get(value.index()) {
            *value = *new;
        }
    };
    let new = inline.builder.circuit();
    let ports = new.inputs.iter_mut().chain(&mut new.outputs);
    ports.for_each(|port| port.values.iter_mut().for_each(name));
    if let Some(fragment) = &mut new.fragment {
        let links = fragment.imports.iter_mut().chain(&mut fragment.exports);
        links.for_each(|link| name(&mut link.value));
    }
    Ok(inline.builder.finish())
}

struct Inline<'c> {
    old: &'c Circuit,
    builder: Builder,
    renamed: Vec<Option<Value>>,
}

impl Inline<'_> {
    /// Appends the instructions of a body, to serve the node of the call that runs it.
    fn body(&mut self, body: Body, node: Option<Node>) -> Result<(), TypeError> {
        let old = self.old;
        for (value, definition) in old.definitions(body) {
            if body.function.is_some() && definition.inst.is_input() {
                continue;
            }
            let node = node.or(definition.node);
            self.builder.serve(node);
            match &definition.inst {
                Inst::Call {
                    function,
                    arguments,
                } => {
                    for (parameter, argument) in old.parameters(*function).zip(arguments) {
                        self.set(parameter, self.name(*argument)?);
                    }
                    if let Some(body) = old.body(*function) {
                        self.body(body, node)?;
                    }
                    let called = old.functions.get(*function);
                    let results = called.map_or(&[][..], |called| called.results.as_slice());
                    let defined = old.further_results(value).chain([(value, 0)]);
                    for (value, index) in defined {
                        if let Some(result) = results.get(index as usize) {
                            self.set(value, self.name(*result)?);
                        }
                    }
                }
                Inst::Result { .. } => {}
                inst => {
                    let inst = inst.try_map_operands(|old| self.name(old))?;
                    let new = self.builder.push_known(inst, &definition.ty)?;
                    self.set(value, new);
                }
            }
        }
        Ok(())
    }

    fn name(&self, old: Value) -> Result<Value, TypeError> {
        let (op, value) = ("inline", old);
        let known = self.renamed.get(old.index()).copied().flatten();
        known.ok_or(TypeError::Undefined { op, value })
    }

    fn set(&mut self, old: Value, new: Value) {
        if let Some(place) = self.renamed.get_mut(old.index()) {
            *place = Some(new);
        }
    }
}
