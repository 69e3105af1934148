//! The builder: appends instructions that type, and remembers which ONNX node they serve.

use crate::circuit::{Circuit, Definition, Port};
use crate::entity::{Const, LayoutId, Node, Value};
use crate::finish::Finish;
use crate::inst::Inst;
use crate::ring::{Level, Rotation};
use crate::scale::Scale;
use crate::shape::Shape;
use crate::types::{Basis, Type};
use crate::typing::{TypeError, result_type};

/// Appends to a circuit. Every method returns the value it defined, or why the operation does not type.
#[derive(Debug)]
pub struct Builder {
    circuit: Circuit,
    node: Option<Node>,
}

impl Builder {
    /// Builds on `circuit`, usually an empty one with its tables filled.
    pub fn new(circuit: Circuit) -> Self {
        Self {
            circuit,
            node: None,
        }
    }

    /// The circuit so far; its tables may be filled while building.
    pub fn circuit(&mut self) -> &mut Circuit {
        &mut self.circuit
    }

    /// Sets the ONNX node that the following instructions serve.
    pub fn serve(&mut self, node: Node) {
        self.node = Some(node);
    }

    /// Appends an instruction.
    ///
    /// # Errors
    /// When it does not type.
    pub fn push(&mut self, inst: Inst) -> Result<Value, TypeError> {
        let circuit = &self.circuit;
        let ty = result_type(&inst, &circuit.rings, |value| circuit.type_of(value))?;
        let node = if matches!(inst, Inst::Input { .. }) {
            None
        } else {
            self.node
        };
        Ok(self.circuit.values.push(Definition { inst, ty, node }))
    }

    /// Appends an instruction as another circuit of the same ring defines it. One without operands has its type in both: that is
    /// taken over.
    ///
    /// # Errors
    /// When it does not type.
    pub fn push_known(&mut self, inst: Inst, ty: &Type) -> Result<Value, TypeError> {
        match inst {
            Inst::Encode { .. } => {
                let (ty, node) = (ty.clone(), self.node);
                Ok(self.circuit.values.push(Definition { inst, ty, node }))
            }
            inst => self.push(inst),
        }
    }

    /// The type of a value defined here.
    pub fn type_of(&self, value: Value) -> Option<&Type> {
        self.circuit.type_of(value)
    }

    /// Declares an input tensor; one ciphertext per ciphertext of its layout.
    ///
    /// # Errors
    /// When level or scale do not exist.
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
                    level,
                    scale: scale.clone(),
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
        });
    }

    /// Encodes a constant.
    ///
    /// # Errors
    /// When it does not type.
    pub fn encode(
        &mut self,
        constant: Const,
        level: Level,
        scale: Scale,
        basis: Basis,
    ) -> Result<Value, TypeError> {
        self.push(Inst::Encode {
            constant,
            level,
            scale,
            basis,
        })
    }

    /// Rotates in three visible phases, given shared digits.
    ///
    /// # Errors
    /// When it does not type.
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

    /// Declares exactly the keys used and hands the circuit over.
    pub fn finish(mut self) -> Circuit {
        self.circuit.keys = self.circuit.required_keys();
        self.circuit
    }
}
