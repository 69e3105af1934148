//! The builder: appends instructions, checks their types, and records which ONNX node they serve.

use crate::circuit::{Circuit, Definition, Port};
use crate::entity::{Const, FunctionId, LayoutId, Node, Value};
use crate::finish::Finish;
use crate::function::Function;
use crate::inst::Inst;
use crate::ring::{Level, Rotation};
use crate::scale::Scale;
use crate::shape::Shape;
use crate::types::{Basis, Type};
use crate::typing::{TypeError, result_type};

/// Appends instructions to a circuit. Methods that append return the value that the instruction defines, or a [`TypeError`].
#[derive(Debug)]
pub struct Builder {
    circuit: Circuit,
    node: Option<Node>,
    in_function: bool,
}

impl Builder {
    /// A builder that appends to `circuit`, usually an empty one whose tables are filled.
    pub fn new(circuit: Circuit) -> Self {
        Self {
            circuit,
            node: None,
            in_function: false,
        }
    }

    /// The circuit that is being built. Its tables may be filled at any time.
    pub fn circuit(&mut self) -> &mut Circuit {
        &mut self.circuit
    }

    /// Sets the ONNX node that the following instructions serve: `None` for the instructions of a function, which serve the nodes
    /// of its calls.
    pub fn serve(&mut self, node: impl Into<Option<Node>>) {
        self.node = node.into();
    }

    /// Appends an instruction and returns the value that it defines.
    ///
    /// # Errors
    /// When the operands break a typing rule of the instruction.
    pub fn push(&mut self, inst: Inst) -> Result<Value, TypeError> {
        let circuit = &self.circuit;
        let ty = result_type(&inst, circuit, |value| circuit.type_of(value))?;
        let node = self.node.filter(|_| self.serves(&inst));
        Ok(self.circuit.values.push(Definition { inst, ty, node }))
    }

    /// Whether an instruction serves the current node: inputs serve none, nor do instructions of a function.
    fn serves(&self, inst: &Inst) -> bool {
        !inst.is_input() && !self.in_function
    }

    /// Appends an instruction of another circuit with the same rings, where its result has the type `ty`. An instruction without
    /// operands states its type, so `ty` is taken over.
    ///
    /// # Errors
    /// When the operands break a typing rule of the instruction.
    pub fn push_known(&mut self, inst: Inst, ty: &Type) -> Result<Value, TypeError> {
        match inst {
            Inst::Encode { .. } => {
                let node = self.node.filter(|_| self.serves(&inst));
                let ty = ty.clone();
                Ok(self.circuit.values.push(Definition { inst, ty, node }))
            }
            inst => self.push(inst),
        }
    }

    /// The type of a value that the builder has defined; `None` for any other.
    pub fn type_of(&self, value: Value) -> Option<&Type> {
        self.circuit.type_of(value)
    }

    /// Declares an input tensor and returns its values, one ciphertext for each ciphertext of its layout.
    ///
    /// # Errors
    /// When the level does not exist or the scale does not fit it.
    pub fn input(
        &mut self,
        name: &str,
        shape: Shape,
        layout: LayoutId,
        (level, scale): (Level, Scale),
    ) -> Result<Vec<Value>, TypeError> {
        let count = self
            .circuit
            .layouts
            .get(layout)
            .map_or(0, |l| l.ciphertexts());
        let values = (0..count)
            .map(|_| {
                self.push(Inst::Input {
                    ty: Type::cipher(level, scale.clone()),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        self.circuit.inputs.push(Port {
            name: name.into(),
            shape,
            layout,
            values: values.clone(),
            finish: Finish::default(),
            prepare: None,
            range: None,
            expectation: None,
            imaginary: None,
        });
        Ok(values)
    }

    /// Declares an output tensor.
    pub fn output(&mut self, name: &str, shape: Shape, layout: LayoutId, values: Vec<Value>) {
        self.circuit.outputs.push(Port {
            name: name.into(),
            shape,
            layout,
            values,
            finish: Finish::default(),
            prepare: None,
            range: None,
            expectation: None,
            imaginary: None,
        });
    }

    /// Defines a function and returns its name. `body` appends the parameters and the instructions of the function, and returns
    /// its results. Functions stand before the main program: the verifier refuses a function that is defined after an instruction
    /// of the main program.
    ///
    /// ```
    /// use peregrine_ir::{Builder, Circuit, Inst, Level, RingTable, Scale, Security, Type, TypeError};
    ///
    /// # fn build(rings: RingTable) -> Result<(), TypeError> {
    /// let mut builder = Builder::new(Circuit::new("squares", Security::None, rings));
    /// let ty = Type::cipher(Level(1), Scale::power_of_two(30));
    /// let square = builder.function("square", |builder| {
    ///     let x = builder.push(Inst::Input { ty: ty.clone() })?;
    ///     let squared = builder.push(Inst::Square(x))?;
    ///     Ok::<_, TypeError>(vec![builder.push(Inst::Relinearize(squared))?])
    /// })?;
    /// let x = builder.push(Inst::Input { ty: ty.clone() })?;
    /// let squares = builder.call(square, vec![x])?;
    /// assert_eq!(squares.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Errors of `body`.
    pub fn function<E>(
        &mut self,
        name: &str,
        body: impl FnOnce(&mut Self) -> Result<Vec<Value>, E>,
    ) -> Result<FunctionId, E> {
        self.begin_function();
        let results = body(self);
        self.in_function = false;
        Ok(self.end_function(name, results?))
    }

    /// Begins the body of a function: every instruction is appended to it, until [`Self::end_function`]. See [`Self::function`].
    pub fn begin_function(&mut self) {
        self.in_function = true;
    }

    /// Whether instructions are appended to the body of a function.
    pub fn is_in_function(&self) -> bool {
        self.in_function
    }

    /// Ends the body of a function, gives it a name and results, and adds it to the table of functions.
    pub fn end_function(&mut self, name: &str, results: Vec<Value>) -> FunctionId {
        self.in_function = false;
        self.circuit.functions.push(Function {
            name: name.into(),
            end: self.circuit.values.next_key(),
            results,
        })
    }

    /// Appends a call of a function and returns all of its results.
    ///
    /// # Errors
    /// When the arguments do not have the types of the parameters.
    pub fn call(
        &mut self,
        function: FunctionId,
        arguments: Vec<Value>,
    ) -> Result<Vec<Value>, TypeError> {
        let results = self.circuit.functions.get(function);
        let count = results.map_or(1, |function| function.results.len() as u32);
        let call = self.push(Inst::Call {
            function,
            arguments,
        })?;
        let further = (1..count).map(|index| self.push(Inst::Result { call, index }));
        let further = further.collect::<Result<Vec<_>, _>>()?;
        Ok([vec![call], further].concat())
    }

    /// Appends an `encode` of a constant.
    ///
    /// # Errors
    /// When the level does not exist or the scale does not fit it.
    pub fn encode(
        &mut self,
        constant: Const,
        level: Level,
        scale: Scale,
        basis: Basis,
    ) -> Result<Value, TypeError> {
        self.push(Inst::Encode {
            constant,
            imaginary: None,
            level,
            scale,
            basis,
        })
    }

    /// Appends a rotation of `a` by its decomposition `digits`, as `rotate_ext` and `mod_down`. Rotations of one ciphertext share
    /// its digits.
    ///
    /// # Errors
    /// When the operands break a typing rule.
    pub fn rotate_hoisted(
        &mut self,
        a: Value,
        digits: Value,
        rotation: Rotation,
    ) -> Result<Value, TypeError> {
        let raised = self.push(Inst::RotateExt {
            a,
            digits,
            rotation,
        })?;
        self.push(Inst::ModDown(raised))
    }

    /// Ends building: declares exactly the keys that the instructions need, and returns the circuit.
    pub fn finish(mut self) -> Circuit {
        self.circuit.keys = self.circuit.required_keys();
        self.circuit
    }
}
