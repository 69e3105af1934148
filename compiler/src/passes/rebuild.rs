//! Rebuilding a circuit instruction by instruction while changing some: what all passes share.

use peregrine_ir::{
    Arena, Builder, Circuit, Definition, Entity, Fragment, Function, FunctionId, Inst, Port,
    SecondaryMap, TypeError, Value,
};
use std::collections::VecDeque;
use std::mem::take;

/// A circuit that is being rebuilt: the old instructions are visited in order, and new ones emitted. A function is gone when
/// nothing is emitted for it.
pub struct Rebuild {
    builder: Builder,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    fragment: Option<Fragment>,
    renamed: SecondaryMap<Value, Option<Value>>,
    /// Functions whose bodies have not ended, with their old names.
    functions: VecDeque<Function>,
    /// The new name of each function, in the order of definition; none for a function that is gone.
    renamed_functions: Vec<Option<FunctionId>>,
}

impl Rebuild {
    /// Takes a circuit apart: a rebuild with its tables and no instructions, and its instructions.
    pub fn new(mut old: Circuit) -> (Self, Arena<Value, Definition>) {
        let values = take(&mut old.values);
        let rebuild = Self {
            inputs: take(&mut old.inputs),
            outputs: take(&mut old.outputs),
            fragment: old.fragment.take(),
            functions: take(&mut old.functions).values().cloned().collect(),
            renamed_functions: Vec::new(),
            builder: Builder::new(old),
            renamed: SecondaryMap::filled(&values, None),
        };
        (rebuild, values)
    }

    /// The builder of the new circuit.
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

    /// Begins with the instructions that replace an old one: what is emitted next belongs to its body and serves its node.
    ///
    /// # Errors
    /// When a function that ends before it has a result without a new name.
    pub fn begin(&mut self, value: Value, definition: &Definition) -> Result<(), TypeError> {
        self.end_functions(|function| function.end <= value)?;
        self.builder.serve(definition.node);
        Ok(())
    }

    /// Completes the functions whose bodies end here.
    fn end_functions(&mut self, ends: impl Fn(&Function) -> bool) -> Result<(), TypeError> {
        while self.functions.front().is_some_and(&ends) {
            let Some(mut function) = self.functions.pop_front() else {
                break;
            };
            let circuit = self.builder.circuit();
            if circuit.main().values().len() == 0 {
                self.renamed_functions.push(None);
                continue;
            }
            function.end = circuit.values.next_key();
            for result in &mut function.results {
                *result = self.new_name(*result)?;
            }
            let name = self.builder.circuit().functions.push(function);
            self.renamed_functions.push(Some(name));
        }
        Ok(())
    }

    /// Emits an instruction unchanged, on renamed operands.
    pub fn copy(&mut self, definition: &Definition) -> Result<Value, TypeError> {
        let inst = self.rename(&definition.inst)?;
        self.builder.push_known(inst, &definition.ty)
    }

    /// The instruction with renamed operands.
    pub fn rename(&self, inst: &Inst) -> Result<Inst, TypeError> {
        let mut renamed = inst.try_map_operands(|old| self.new_name(old))?;
        if let Inst::Call { function, .. } = &mut renamed {
            let (op, old) = ("rebuild", *function);
            let known = self.renamed_functions.get(old.index()).copied().flatten();
            *function = known.ok_or(TypeError::NoFunction { op, function: old })?;
        }
        Ok(renamed)
    }

    /// Records the new name of an old value.
    pub fn set(&mut self, old: Value, new: Value) {
        self.renamed[old] = Some(new);
    }

    /// Renames the values of ports, declares the keys, and returns the new circuit.
    pub fn finish(mut self) -> Result<Circuit, TypeError> {
        self.end_functions(|_| true)?;
        let (mut inputs, mut outputs) = (take(&mut self.inputs), take(&mut self.outputs));
        let mut fragment = self.fragment.take();
        if let Some(Fragment {
            imports, exports, ..
        }) = &mut fragment
        {
            for link in imports.iter_mut().chain(exports) {
                link.value = self.new_name(link.value)?;
            }
        }
        for port in inputs.iter_mut().chain(&mut outputs) {
            for value in &mut port.values {
                *value = self.new_name(*value)?;
            }
        }
        let circuit = self.builder.circuit();
        (circuit.inputs, circuit.outputs) = (inputs, outputs);
        circuit.fragment = fragment;
        Ok(self.builder.finish())
    }
}

/// The number of uses of each value: as an operand, as a result of a function, and by output ports and exports.
pub fn uses(circuit: &Circuit) -> SecondaryMap<Value, u32> {
    let mut uses = SecondaryMap::filled(&circuit.values, 0);
    let mut count = |value: Value| uses[value] += 1;
    circuit
        .values
        .values()
        .for_each(|d| d.inst.for_each_operand(&mut count));
    for body in circuit.bodies() {
        circuit.results_of(body).into_iter().for_each(&mut count);
    }
    uses
}
