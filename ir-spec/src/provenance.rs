//! Provenance: what the instructions that serve a node tell about it, that is the operators whose constants it uses, and
//! the packings of the tensors that it takes and gives.
//!
//! The packing of a value is not part of the circuit but follows from it: inputs have that of their port, a product with
//! a diagonal has that of its operator's result, everything else keeps what its operands have. A rotation displaces;
//! the giant step that undoes the `pre` of a diagonal puts back.

use crate::circuit::{Circuit, Constant, Definition, Operator};
use crate::entity::{Const, Entity, LayoutId, Node, OperatorId, Value};
use crate::inst::Inst;
use crate::ring::Rotation;
use crate::types::{Form, Type};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

/// The operators and the packings that a node works with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeUse {
    /// The operators whose constants it uses.
    pub operators: BTreeSet<OperatorId>,
    /// Packings of the ciphertexts that the node takes from other nodes.
    pub inputs: BTreeSet<LayoutId>,
    /// Packings of the ciphertexts that the node hands on to other nodes or to the client.
    pub outputs: BTreeSet<LayoutId>,
}

/// What every node works with; the entry `None` is for instructions that serve no node.
pub fn node_uses(circuit: &Circuit) -> BTreeMap<Option<Node>, NodeUse> {
    let packed = packed(circuit);
    let layout_of = |value: Value| Some(packed.get(value.index()).copied()??.layout);
    let mut uses: BTreeMap<Option<Node>, NodeUse> = BTreeMap::new();
    let operators = operators(circuit);
    for (value, definition) in circuit.definitions(circuit.main()) {
        let entry = uses.entry(definition.node).or_default();
        let used = operators.get(value.index()).map(|used| &used.0);
        entry.operators.extend(used.into_iter().flatten());
        definition.inst.for_each_operand(|operand| {
            let from = circuit.values.get(operand);
            if from.is_some_and(|from| from.node != definition.node && is_cipher(from)) {
                entry.inputs.extend(layout_of(operand));
            }
        });
    }
    for value in handed_on(circuit) {
        let place = packed.get(value.index()).copied().flatten();
        let definition = circuit.values.get(value).filter(|d| is_result(d));
        if let (Some(place), Some(definition)) = (place.filter(|p| p.shift == 0), definition) {
            let entry = uses.entry(definition.node).or_default();
            entry.outputs.insert(place.layout);
        }
    }
    for entry in uses.values_mut() {
        entry.drop_passed_on(circuit);
    }
    uses
}

/// Operators whose constants are used.
#[derive(Clone, Default)]
struct Used(BTreeSet<OperatorId>);

impl AddAssign for Used {
    fn add_assign(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// The operators whose constants each instruction uses; for a call, those that its body uses.
fn operators(circuit: &Circuit) -> Vec<Used> {
    let of = |constant| circuit.constants.get(constant).map(Constant::operator);
    let used = circuit
        .values
        .values()
        .map(|d| Used(d.inst.constants().filter_map(of).collect()));
    circuit.with_calls(used.collect())
}

/// The ciphertexts that nodes hand on, to each other or to the client: values of output ports, and operands of
/// instructions that serve another node.
pub fn handed_on(circuit: &Circuit) -> BTreeSet<Value> {
    let mut values: BTreeSet<Value> = circuit.leaving().collect();
    for (_, definition) in circuit.definitions(circuit.main()) {
        definition.inst.for_each_operand(|operand| {
            let from = circuit.values.get(operand);
            if from.is_some_and(|from| from.node != definition.node && is_cipher(from)) {
                values.insert(operand);
            }
        });
    }
    values
}

impl NodeUse {
    /// Drops from a linear node's results its input at another level, which it hands on to a node that shares it.
    fn drop_passed_on(&mut self, circuit: &Circuit) {
        let made = self
            .operators
            .iter()
            .filter_map(|&op| match circuit.operators.get(op)? {
                Operator::Linear { output, .. } => Some(*output),
                Operator::Broadcast { .. } => None,
            });
        let made: BTreeSet<LayoutId> = made.filter(|l| self.outputs.contains(l)).collect();
        if !made.is_empty() {
            self.outputs = made;
        }
    }
}

fn is_cipher(definition: &Definition) -> bool {
    matches!(definition.ty, Type::Cipher { .. })
}

/// Whether a value is a node's result. A sum that is still extended is not: passes share it between nodes.
fn is_result(definition: &Definition) -> bool {
    match definition.ty {
        Type::Cipher { form, .. } => form != Form::Extended,
        Type::Plain { .. } | Type::Digits { .. } => false,
    }
}

/// How a ciphertext is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packed {
    layout: LayoutId,
    /// Slots to the left by which it is displaced.
    shift: u32,
}

/// The packing of every value, where one follows.
fn packed(circuit: &Circuit) -> Vec<Option<Packed>> {
    let ports = circuit.inputs.iter();
    let entered: BTreeMap<Value, LayoutId> = ports
        .flat_map(|port| port.values.iter().map(|&v| (v, port.layout)))
        .collect();
    let mut all: Vec<Option<Packed>> = Vec::with_capacity(circuit.values.len());
    for (value, definition) in circuit.values.iter() {
        let known = |value: Value| all.get(value.index()).copied().flatten();
        let packed = match entered.get(&value) {
            Some(&layout) => Some(Packed { layout, shift: 0 }),
            None => result(circuit, definition, known),
        };
        all.push(packed);
    }
    all
}

/// The packing of a result, from those of the operands.
fn result(
    circuit: &Circuit,
    Definition { inst, ty, .. }: &Definition,
    known: impl Fn(Value) -> Option<Packed>,
) -> Option<Packed> {
    match inst {
        Inst::Dot { plains, .. } => {
            let diagonal = plains.first().and_then(|&p| product(circuit, p));
            diagonal.or_else(|| nearest(inst, known))
        }
        Inst::DotScalar { constants, .. } => {
            let number = constants.first().and_then(|&c| written(circuit, c));
            number.or_else(|| nearest(inst, known))
        }
        Inst::MulPlain(_, plain) => product(circuit, *plain).or_else(|| nearest(inst, known)),
        Inst::Rotate { a, rotation } | Inst::RotateExt { a, rotation, .. } => {
            let slots = circuit.rings.at(ty.level()).slots();
            known(*a).map(|packed| packed.rotated(*rotation, slots))
        }
        // A layout of the other ring, which the next product names; what a function makes of its arguments, nothing says.
        Inst::SwitchRing { .. } | Inst::Call { .. } | Inst::Result { .. } => None,
        _ => nearest(inst, known),
    }
}

impl Packed {
    fn rotated(self, Rotation(by): Rotation, slots: u32) -> Self {
        let shift = (u64::from(self.shift) + u64::from(by)) % u64::from(slots.max(1));
        Self {
            shift: shift as u32,
            ..self
        }
    }
}

/// The packing of a product with an encoded constant, where the constant determines it.
fn product(circuit: &Circuit, plain: Value) -> Option<Packed> {
    match circuit.values.get(plain)?.inst {
        Inst::Encode { constant, .. } => written(circuit, constant),
        _ => None,
    }
}

/// The packing of a product with a constant: that of the result of its linear operator.
fn written(circuit: &Circuit, constant: Const) -> Option<Packed> {
    let (operator, shift) = match *circuit.constants.get(constant)? {
        Constant::Diagonal { operator, pre, .. } => (operator, pre),
        Constant::Uniform { operator, .. } => (operator, 0),
        Constant::Fill { .. } => return None,
    };
    match circuit.operators.get(operator)? {
        Operator::Linear { output, .. } => Some(Packed {
            layout: *output,
            shift,
        }),
        Operator::Broadcast { .. } => None,
    }
}

/// The packing of the least displaced operand: where the terms of a sum differ in it, the others are folded into that
/// one.
fn nearest(inst: &Inst, known: impl Fn(Value) -> Option<Packed>) -> Option<Packed> {
    let mut nearest: Option<Packed> = None;
    inst.for_each_operand(|operand| {
        if let Some(packed) = known(operand)
            && nearest.is_none_or(|found| packed.shift < found.shift)
        {
            nearest = Some(packed);
        }
    });
    nearest
}
