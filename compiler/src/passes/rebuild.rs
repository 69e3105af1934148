//! What passes share: copying a circuit instruction by instruction while changing some.

use peregrine_ir::{
    Arena, Builder, Circuit, Definition, Inst, Port, SecondaryMap, TypeError, Value,
};
use std::mem::take;

/// A circuit under reconstruction: instructions are visited in order and emitted anew.
pub struct Rebuild {
    builder: Builder,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    renamed: SecondaryMap<Value, Option<Value>>,
}

impl Rebuild {
    /// A circuit with the tables of `old` and no instructions, and the instructions of `old`.
    pub fn new(mut old: Circuit) -> (Self, Arena<Value, Definition>) {
        let values = take(&mut old.values);
        let rebuild = Self {
            inputs: take(&mut old.inputs),
            outputs: take(&mut old.outputs),
            builder: Builder::new(old),
            renamed: SecondaryMap::filled(&values, None),
        };
        (rebuild, values)
    }

    /// The new circuit's builder.
    pub fn builder(&mut self) -> &mut Builder {
        &mut self.builder
    }

    /// The new name of an old value.
    pub fn new_name(&self, old: Value) -> Result<Value, TypeError> {
        let missing = TypeError::Undefined {
            op: "rebuild",
            value: old,
        };
        self.renamed[old].ok_or(missing)
    }

    /// Sets the provenance of what is emitted next to that of `definition`.
    pub fn serve(&mut self, definition: &Definition) {
        if let Some(node) = definition.node {
            self.builder.serve(node);
        }
    }

    /// Emits the instruction as it is, on renamed operands.
    pub fn copy(&mut self, definition: &Definition) -> Result<Value, TypeError> {
        let inst = self.rename(&definition.inst)?;
        self.builder.push_known(inst, &definition.ty)
    }

    /// The instruction on renamed operands.
    pub fn rename(&self, inst: &Inst) -> Result<Inst, TypeError> {
        let mut missing = None;
        let renamed = inst.map_operands(|old| match self.new_name(old) {
            Ok(new) => new,
            Err(error) => {
                missing = Some(error);
                old
            }
        });
        missing.map_or(Ok(renamed), Err)
    }

    /// Records what an old value is called now.
    pub fn set(&mut self, old: Value, new: Value) {
        self.renamed[old] = Some(new);
    }

    /// Renames the ports, declares the keys and hands the circuit over.
    pub fn finish(mut self) -> Result<Circuit, TypeError> {
        let (mut inputs, mut outputs) = (take(&mut self.inputs), take(&mut self.outputs));
        for port in inputs.iter_mut().chain(&mut outputs) {
            for value in &mut port.values {
                *value = self.new_name(*value)?;
            }
        }
        let circuit = self.builder.circuit();
        (circuit.inputs, circuit.outputs) = (inputs, outputs);
        Ok(self.builder.finish())
    }
}

/// How often each value is used, as an operand or in an output.
pub fn uses(circuit: &Circuit) -> SecondaryMap<Value, u32> {
    let mut uses = SecondaryMap::filled(&circuit.values, 0);
    let mut count = |value: Value| uses[value] += 1;
    circuit
        .values
        .values()
        .for_each(|d| d.inst.for_each_operand(&mut count));
    circuit
        .outputs
        .iter()
        .flat_map(|port| &port.values)
        .for_each(|&v| count(v));
    uses
}
