//! The slot program: what happens to slots, before anyone decides on levels, scales or keys.
//!
//! A value is the slot vector of one ciphertext. Operations add, multiply, multiply with constants and rotate; depth is
//! the number of multiplications on a path. [`lower`] makes the program of a tensor graph, each linear operator as its
//! [`LinearPlan`] says: the sparse matrix between two layouts ([`diagonals`]), split into baby and giant steps ([`bsgs`]);
//! sums of numbers times ciphertexts where one plane fills a ciphertext ([`scalars`]); or ciphertexts under other names
//! ([`wiring`]).

pub mod bsgs;
pub mod diagonals;
pub mod displacements;
mod identity;
pub mod linear;
mod lower;
mod polynomial;
pub mod scalars;
pub mod sets;
pub mod wiring;

pub use displacements::Displaced;
pub use identity::identity;
pub use linear::{LinearOptions, LinearPlan};
pub use lower::{LowerError, lower};
pub(crate) use polynomial::Evaluation;

use peregrine_ir::{
    Arena, Const, Constant, Layout, LayoutId, Node, Operator, OperatorId, Remark, Rotation,
    SecondaryMap, Shape, SourceNode, Tensors,
};
use std::collections::BTreeMap;

peregrine_ir::entities! {
    /// A slot vector.
    pub SlotValue = "s";
}

/// An operation on slot vectors.
#[derive(Clone, Debug, PartialEq)]
pub enum SlotOp {
    /// One ciphertext of an input tensor.
    Input,
    /// Slots moved to the left, cyclically.
    Rotate(SlotValue, Rotation),
    /// Sum of products with constants; deepens by one.
    Dot(Vec<(SlotValue, Const)>),
    /// Sum of products with numbers, times a mask of ones if there is one; deepens by one.
    Scalars(Vec<(SlotValue, Const)>, Option<Const>),
    /// Sum of products with constants of ones and zeros, applied to products before their rescale: as deep as these.
    Mask(Vec<(SlotValue, Const)>),
    /// A constant added.
    AddConst(SlotValue, Const),
    /// Product with a number; deepens by one.
    MulScalar(SlotValue, f64),
    /// Sum of two or more.
    Add(Vec<SlotValue>),
    /// `-a`.
    Negate(SlotValue),
    /// Slot-wise product; deepens by one.
    Mul(SlotValue, SlotValue),
    /// The half of the slots that the other half repeats, in a ring of half the degree.
    SwitchRing(SlotValue),
}

impl SlotOp {
    /// Operands in order.
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
            Self::Mul(a, b) => vec![*a, *b],
        }
    }

    /// The same operation on other values.
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
        }
    }

    /// Whether scales multiply; a [`Self::Mask`] shares the product it is applied to.
    pub fn multiplies(&self) -> bool {
        match self {
            Self::Dot(_) | Self::Scalars(..) | Self::MulScalar(..) | Self::Mul(..) => true,
            Self::Input
            | Self::Rotate(..)
            | Self::Mask(_)
            | Self::AddConst(..)
            | Self::Add(_)
            | Self::Negate(_)
            | Self::SwitchRing(_) => false,
        }
    }
}

/// An operation and the ONNX node it serves.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotInst {
    /// The operation.
    pub op: SlotOp,
    /// Provenance.
    pub node: Node,
}

/// A packed tensor: its layout and its ciphertexts.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed {
    /// How it is packed.
    pub layout: LayoutId,
    /// One per ciphertext of the layout; none where it is known to be zero.
    pub values: Vec<Option<SlotValue>>,
}

/// A packed tensor of which every ciphertext exists.
#[derive(Clone, Debug, PartialEq)]
pub struct Full {
    /// How it is packed.
    pub layout: LayoutId,
    /// One per ciphertext of the layout.
    pub values: Vec<SlotValue>,
}

/// A named packed tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotPort {
    /// Its name in the model.
    pub name: String,
    /// Its shape in the model.
    pub shape: Shape,
    /// Its ciphertexts.
    pub packed: Full,
}

/// A straight-line program on slot vectors, with the tables its constants are cut from.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The ONNX nodes.
    pub nodes: Arena<Node, SourceNode>,
    /// Why operators do what they do.
    pub remarks: Vec<Remark>,
    /// Packings in use.
    pub layouts: Arena<LayoutId, Layout>,
    /// Weights.
    pub tensors: Tensors,
    /// Operators in use.
    pub operators: Arena<OperatorId, Operator>,
    /// Constants in use.
    pub constants: Arena<Const, Constant>,
    /// Inputs.
    pub inputs: Vec<SlotPort>,
    /// Outputs.
    pub outputs: Vec<SlotPort>,
    /// Operations, operands first.
    pub values: Arena<SlotValue, SlotInst>,
    rotations: BTreeMap<(SlotValue, Rotation), SlotValue>,
    layout_ids: BTreeMap<Layout, LayoutId>,
    constant_ids: BTreeMap<Constant, Const>,
}

impl Program {
    /// Appends an operation.
    pub fn push(&mut self, op: SlotOp, node: Node) -> SlotValue {
        self.values.push(SlotInst { op, node })
    }

    /// Rotates, reusing an earlier rotation of the same value; rotation 0 is the value itself.
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

    /// A value that is zero in every slot, made of any other; deepens by one.
    pub fn zero(&mut self, any: SlotValue, node: Node) -> SlotValue {
        self.push(SlotOp::MulScalar(any, 0.0), node)
    }

    /// Sums; one value is itself.
    pub fn sum(&mut self, mut values: Vec<SlotValue>, node: Node) -> Option<SlotValue> {
        match values.len() {
            0 => None,
            1 => values.pop(),
            _ => Some(self.push(SlotOp::Add(values), node)),
        }
    }

    /// The name of a layout, entered once.
    pub fn layout(&mut self, layout: Layout) -> LayoutId {
        *self
            .layout_ids
            .entry(layout)
            .or_insert_with(|| self.layouts.push(layout))
    }

    /// The name of a constant, entered once.
    pub fn constant(&mut self, constant: Constant) -> Const {
        *self
            .constant_ids
            .entry(constant)
            .or_insert_with(|| self.constants.push(constant))
    }

    /// Drops what no output depends on; inputs stay. It might be deeper than anything that is wanted.
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

    /// The slots of what an operator makes.
    pub fn slots_of(&self, operator: OperatorId) -> u32 {
        self.layouts[self.operators[operator].result()].slots()
    }

    /// Number of multiplications on the longest path.
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
