//! The slot program: what happens to slots, before levels, scales and keys are decided.
//!
//! A value is the slot vector of one ciphertext. Operations add, multiply, multiply with constants and rotate; depth is
//! the number of multiplications on a path. [`lower`] makes the program of a tensor graph, each linear operator as its
//! [`LinearPlan`] says: as the sparse matrix between two layouts ([`diagonals`]), split into baby steps and giant steps
//! ([`bsgs`]); as sums of ciphertexts times scalars where one plane fills a ciphertext ([`scalars`]); or as ciphertexts
//! under other names ([`wiring`]).

pub mod bsgs;
pub mod diagonals;
pub mod displacements;
mod identity;
pub mod linear;
mod lower;
pub mod periodic;
mod polynomial;
pub mod scalars;
pub mod sets;
mod taps;
pub mod wiring;

pub use displacements::Displaced;
pub use identity::identity;
pub use linear::{LinearOptions, LinearPlan};
pub use lower::{LowerError, lower, lower_refreshed};
pub(crate) use polynomial::Evaluation;

use peregrine_ir::{
    Arena, Const, Constant, Layout, LayoutId, Node, Operator, OperatorId, Remark, Rotation,
    SecondaryMap, Shape, SourceNode, Tensors,
};
use std::collections::BTreeMap;

peregrine_ir::entities! {
    /// A slot vector: the value of one ciphertext.
    pub SlotValue = "s";
}

/// An operation on slot vectors. It deepens a value by one where it says so.
#[derive(Clone, Debug, PartialEq)]
pub enum SlotOp {
    /// One ciphertext of an input tensor.
    Input,
    /// The slots rotated to the left.
    Rotate(SlotValue, Rotation),
    /// Sum of products with plaintexts; deepens by one.
    Dot(Vec<(SlotValue, Const)>),
    /// Sum of products with scalars, times a mask of ones if there is one; deepens by one.
    Scalars(Vec<(SlotValue, Const)>, Option<Const>),
    /// Sum of products with masks of ones and zeros, applied to products before their rescale: as deep as these.
    Mask(Vec<(SlotValue, Const)>),
    /// Sum of a value and a constant.
    AddConst(SlotValue, Const),
    /// Product with a scalar; deepens by one.
    MulScalar(SlotValue, f64),
    /// Sum of two or more.
    Add(Vec<SlotValue>),
    /// `-a`.
    Negate(SlotValue),
    /// Slot-wise product; deepens by one.
    Mul(SlotValue, SlotValue),
    /// Half of the slots, which the other half repeats, in a ring of half the degree.
    SwitchRing(SlotValue),
    /// The value at an index of some values that are refreshed together, each with a bound of its magnitude: a depth of 1, however
    /// deep they are.
    Refresh(Vec<(SlotValue, f64)>, usize),
}

impl SlotOp {
    /// The operands in order.
    pub fn operands(&self) -> Vec<SlotValue> {
        match self {
            Self::Input => Vec::new(),
            Self::Rotate(a, _)
            | Self::AddConst(a, _)
            | Self::MulScalar(a, _)
            | Self::Negate(a)
            | Self::SwitchRing(a) => vec![*a],
            Self::Dot(terms) | Self::Mask(terms) | Self::Scalars(terms, _) => {
                terms.iter().map(|(a, _)| *a).collect()
            }
            Self::Add(values) => values.clone(),
            Self::Refresh(values, _) => values.iter().map(|(a, _)| *a).collect(),
            Self::Mul(a, b) => vec![*a, *b],
        }
    }

    /// The operation with every operand replaced by `map` of it.
    #[must_use]
    pub fn map_operands(&self, map: impl Fn(SlotValue) -> SlotValue) -> Self {
        match self {
            Self::Input => Self::Input,
            Self::Rotate(a, k) => Self::Rotate(map(*a), *k),
            Self::Dot(terms) => Self::Dot(terms.iter().map(|&(a, c)| (map(a), c)).collect()),
            Self::Mask(terms) => Self::Mask(terms.iter().map(|&(a, c)| (map(a), c)).collect()),
            Self::Scalars(terms, mask) => {
                Self::Scalars(terms.iter().map(|&(a, c)| (map(a), c)).collect(), *mask)
            }
            Self::AddConst(a, c) => Self::AddConst(map(*a), *c),
            Self::MulScalar(a, r) => Self::MulScalar(map(*a), *r),
            Self::Add(values) => Self::Add(values.iter().map(|&v| map(v)).collect()),
            Self::Negate(a) => Self::Negate(map(*a)),
            Self::Mul(a, b) => Self::Mul(map(*a), map(*b)),
            Self::SwitchRing(a) => Self::SwitchRing(map(*a)),
            Self::Refresh(values, of) => Self::Refresh(
                values.iter().map(|&(a, bound)| (map(a), bound)).collect(),
                *of,
            ),
        }
    }

    /// Whether the scale of the result is a product of scales; a [`Self::Mask`] shares the product it is applied to.
    pub fn multiplies(&self) -> bool {
        match self {
            Self::Dot(_) | Self::Scalars(..) | Self::MulScalar(..) | Self::Mul(..) => true,
            Self::Input
            | Self::Rotate(..)
            | Self::Mask(_)
            | Self::AddConst(..)
            | Self::Add(_)
            | Self::Negate(_)
            | Self::SwitchRing(_)
            | Self::Refresh(..) => false,
        }
    }
}

/// An operation with the ONNX node that it serves.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotInst {
    /// The operation.
    pub op: SlotOp,
    /// The ONNX node.
    pub node: Node,
}

/// A packed tensor: its layout, and its ciphertexts where they are not known to be zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed {
    /// How it is packed.
    pub layout: LayoutId,
    /// One value for each ciphertext of the layout; none where it is known to be zero.
    pub values: Vec<Option<SlotValue>>,
}

/// A packed tensor of which every ciphertext exists.
#[derive(Clone, Debug, PartialEq)]
pub struct Full {
    /// How it is packed.
    pub layout: LayoutId,
    /// One value for each ciphertext of the layout.
    pub values: Vec<SlotValue>,
}

/// A named packed tensor: an input or output of a slot program.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotPort {
    /// Its name in the model.
    pub name: String,
    /// Its shape in the model.
    pub shape: Shape,
    /// Its ciphertexts.
    pub packed: Full,
}

/// A slot program: straight-line operations on slot vectors, with the tables from which their constants are cut.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The ONNX nodes.
    pub nodes: Arena<Node, SourceNode>,
    /// The reasons for the plans of operators.
    pub remarks: Vec<Remark>,
    /// Packings in use.
    pub layouts: Arena<LayoutId, Layout>,
    /// Weight tensors.
    pub tensors: Tensors,
    /// The operators in use.
    pub operators: Arena<OperatorId, Operator>,
    /// The constants in use.
    pub constants: Arena<Const, Constant>,
    /// The inputs.
    pub inputs: Vec<SlotPort>,
    /// The outputs.
    pub outputs: Vec<SlotPort>,
    /// The operations, each after its operands.
    pub values: Arena<SlotValue, SlotInst>,
    rotations: BTreeMap<(SlotValue, Rotation), SlotValue>,
    layout_ids: BTreeMap<Layout, LayoutId>,
    constant_ids: BTreeMap<Constant, Const>,
}

impl Program {
    /// Appends an operation and returns its value.
    pub fn push(&mut self, op: SlotOp, node: Node) -> SlotValue {
        self.values.push(SlotInst { op, node })
    }

    /// Rotates a value, and reuses an earlier rotation of it by as many slots; rotation 0 is the value itself.
    pub fn rotate(&mut self, value: SlotValue, rotation: Rotation, node: Node) -> SlotValue {
        if rotation.0 == 0 {
            return value;
        }
        if let Some(&done) = self.rotations.get(&(value, rotation)) {
            return done;
        }
        let rotated = self.push(SlotOp::Rotate(value, rotation), node);
        self.rotations.insert((value, rotation), rotated);
        rotated
    }

    /// A value that is zero in every slot, made from the value `any`; deepens by one.
    pub fn zero(&mut self, any: SlotValue, node: Node) -> SlotValue {
        self.push(SlotOp::MulScalar(any, 0.0), node)
    }

    /// The sum of some values; one value is its own sum, and no value has none.
    pub fn sum(&mut self, mut values: Vec<SlotValue>, node: Node) -> Option<SlotValue> {
        match values.len() {
            0 => None,
            1 => values.pop(),
            _ => Some(self.push(SlotOp::Add(values), node)),
        }
    }

    /// The name of a layout, which is entered into the table once.
    pub fn layout(&mut self, layout: Layout) -> LayoutId {
        *self
            .layout_ids
            .entry(layout)
            .or_insert_with(|| self.layouts.push(layout))
    }

    /// The name of a constant, which is entered into the table once.
    pub fn constant(&mut self, constant: Constant) -> Const {
        *self
            .constant_ids
            .entry(constant)
            .or_insert_with(|| self.constants.push(constant))
    }

    /// Removes operations that no output depends on, which might be deeper than those that are needed; inputs stay.
    pub fn remove_dead(&mut self) {
        let ports = || self.inputs.iter().chain(&self.outputs);
        let mut alive = SecondaryMap::filled(&self.values, false);
        for &value in ports().flat_map(|port| &port.packed.values) {
            alive[value] = true;
        }
        for (value, inst) in self.values.iter().rev() {
            if alive[value] {
                inst.op.operands().into_iter().for_each(|v| alive[v] = true);
            }
        }
        let old = std::mem::take(&mut self.values);
        let mut renamed: SecondaryMap<SlotValue, Option<SlotValue>> =
            SecondaryMap::filled(&old, None);
        for (value, inst) in old.iter().filter(|(value, _)| alive[*value]) {
            let op = inst.op.map_operands(|v| *renamed.known(v));
            renamed[value] = Some(self.push(op, inst.node));
        }
        self.rotations.clear();
        for port in self.inputs.iter_mut().chain(&mut self.outputs) {
            for value in &mut port.packed.values {
                *value = *renamed.known(*value);
            }
        }
    }

    /// The number of slots of an operator's result.
    pub fn slots_of(&self, operator: OperatorId) -> u32 {
        self.layouts[self.operators[operator].result()].slots()
    }

    /// The number of multiplications on the longest path.
    pub fn depth(&self) -> u32 {
        type Depths = SecondaryMap<SlotValue, u32>;
        let depths = SecondaryMap::in_order(&self.values, |depths: &Depths, _, inst| {
            let operands = inst.op.operands().into_iter();
            let before = operands.map(|v| depths[v]).max();
            before.unwrap_or(0) + u32::from(inst.op.multiplies())
        });
        depths.values().copied().max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
