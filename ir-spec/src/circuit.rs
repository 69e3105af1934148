//! The circuit: a straight-line program of typed values together with everything it refers to.

use crate::entity::{
    Arena, Const, FunctionId, LayoutId, Node, OperatorId, RingId, TensorId, Value,
};
use crate::expectation::{Expectation, InputRange};
use crate::finish::{Finish, Prepare};
use crate::fragment::{Fragment, Link};
use crate::function::Function;
use crate::inst::Inst;
use crate::key::{Key, KeyKind};
use crate::layout::Layout;
use crate::linear::LinearMap;
use crate::ring::{Level, RingTable, Rotation, Security};
use crate::shape::Shape;
use crate::tensor::Tensors;
use crate::types::Type;
use std::collections::BTreeMap;

/// A program on ciphertexts with the tables that it refers to. [`crate::Builder`] checks types while a circuit is built;
/// [`crate::verify()`] checks every rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Circuit {
    /// Its name; an identifier.
    pub name: String,
    /// The security that its parameters promise.
    pub security: Security,
    /// The rings, their primes and the levels.
    pub rings: RingTable,
    /// The evaluation keys it needs.
    pub keys: Keys,
    /// The ONNX nodes its instructions come from.
    pub nodes: Arena<Node, SourceNode>,
    /// The compiler's reasons for its choices, in the order of its decisions. Nothing depends on them.
    pub remarks: Vec<Remark>,
    /// Packings of tensors into slots.
    pub layouts: Arena<LayoutId, Layout>,
    /// Weight tensors.
    pub tensors: Tensors,
    /// Operators between packed tensors, from which constants are cut.
    pub operators: Arena<OperatorId, Operator>,
    /// Constants: recipes of plaintexts and scalars.
    pub constants: Arena<Const, Constant>,
    /// Input tensors.
    pub inputs: Vec<Port>,
    /// Output tensors.
    pub outputs: Vec<Port>,
    /// What a fragment of another circuit imports and exports in place of ports; `None` for a whole circuit.
    pub fragment: Option<Fragment>,
    /// The functions that `call` instructions run.
    pub functions: Arena<FunctionId, Function>,
    /// The instructions in the order of definition: the bodies of the functions one after the other, then the main program.
    pub values: Arena<Value, Definition>,
}

/// A node of the ONNX model, for provenance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct SourceNode {
    /// Its name.
    pub name: String,
    /// Its operator, as ONNX spells it.
    pub op: String,
}

/// A remark: a reason for a choice of the compiler.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Remark {
    /// The node that the remark is about; none where it is about the circuit as a whole.
    pub node: Option<Node>,
    /// One line of at most [`crate::verify::MAX_REMARK`] characters, none of them a control character.
    pub text: String,
}

/// One instruction, the type of the value that it defines, and the ONNX node that it serves.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// The instruction.
    pub inst: Inst,
    /// Type of the value, as [`crate::typing::result_type`] gives it.
    pub ty: Type,
    /// The ONNX node that it serves; none for inputs and within functions.
    pub node: Option<Node>,
}

/// A port: an input or output tensor of a circuit, packed into ciphertexts.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Its name in the model.
    pub name: String,
    /// The shape in which it is packed: the model's, after preparing and before finishing.
    pub shape: Shape,
    /// How it is packed.
    pub layout: LayoutId,
    /// Its ciphertexts, in the layout's order; all of one type.
    pub values: Vec<Value>,
    /// The steps that the client takes after decryption; none for inputs.
    pub finish: Finish,
    /// The tensor that the client is given and the steps it takes before encryption; `None` where the given tensor is the
    /// packed one, and for outputs.
    pub prepare: Option<Prepare>,
    /// The range of an input's values, if it is known; none for outputs.
    pub range: Option<InputRange>,
    /// The magnitude and the noise of an output's values, if they are known; none for inputs.
    pub expectation: Option<Expectation>,
    /// The magnitude below which the imaginary parts of an output's slots stay in a run whose refreshes were all of values within their bounds;
    /// none where imaginary parts mean nothing, and for inputs.
    pub imaginary: Option<f64>,
}

/// The evaluation keys that a circuit declares, each with the highest level at which it is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// The highest level of use of each key.
    pub levels: BTreeMap<Key, Level>,
}

impl Keys {
    /// The rotations of a ring that have a key, each with the highest level of use, ascending.
    pub fn rotations(&self, ring: RingId) -> impl Iterator<Item = (Rotation, Level)> {
        let of_ring = self.levels.iter().filter(move |(key, _)| key.to == ring);
        of_ring.filter_map(|(key, level)| match key.kind {
            KeyKind::Rotation(rotation) => Some((rotation, *level)),
            KeyKind::Relinearization
            | KeyKind::Conjugation
            | KeyKind::RingSwitch
            | KeyKind::Raise(_) => None,
        })
    }
}

/// A source of constants: weights seen through layouts.
#[derive(Clone, Debug, PartialEq)]
pub enum Operator {
    /// A linear map between two packed tensors; its constants are generalized diagonals.
    Linear {
        /// The matrix.
        map: LinearMap,
        /// How `x` is packed.
        input: LayoutId,
        /// How `y` is packed.
        output: LayoutId,
        /// How many equal parts of a ciphertext hold partial sums of `y`, which rotations by `S / fold` and its multiples
        /// then add up: a power of two, 1 where every slot holds the whole sum.
        fold: u32,
        /// Slots after which the diagonals repeat, a power of two; none where each slot has a coefficient of its own. Whoever makes
        /// the operator promises that coefficients in slots that are equal modulo the period are equal wherever both sides hold an
        /// element; the first such slot decides. What lands in slots without an element of `y` is no zero, and must be cleared.
        period: Option<u32>,
    },
    /// A tensor broadcast to a shape and packed; slots outside the layout are zero.
    Broadcast {
        /// The tensor that is broadcast.
        tensor: TensorId,
        /// The shape that it is broadcast to.
        shape: Shape,
        /// The packing of the broadcast tensor.
        layout: LayoutId,
    },
}

impl Operator {
    /// The layout in which the operator's result is packed.
    pub fn result(&self) -> LayoutId {
        match self {
            Self::Linear { output, .. } => *output,
            Self::Broadcast { layout, .. } => *layout,
        }
    }
}

/// The recipe of the slots of a plaintext, or of one scalar for all slots; [`crate::constants`] evaluates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Constant {
    /// A generalized diagonal of a linear operator: slot `t` holds the coefficient with which slot `t + rotation` of
    /// input ciphertext `input` enters slot `t` of output ciphertext `output`; then the whole is rotated left by `pre`.
    Diagonal {
        /// A [`Operator::Linear`].
        operator: OperatorId,
        /// Input ciphertext.
        input: u32,
        /// Output ciphertext.
        output: u32,
        /// Which diagonal, `0 .. slots`.
        rotation: u32,
        /// Left rotation of the result, `0 .. slots`; a giant step undoes it.
        pre: u32,
    },
    /// One ciphertext of an [`Operator::Broadcast`].
    Fill {
        /// The operator.
        operator: OperatorId,
        /// Which ciphertext.
        part: u32,
    },
    /// A scalar: the one coefficient with which every slot `t + rotation` of input ciphertext `input` enters slot `t` of
    /// output ciphertext `output` of a linear operator. Whoever makes the constant promises that the coefficients are
    /// equal; the first slot where both ciphertexts hold an element decides, and the scalar is 0 where there is none.
    Uniform {
        /// A [`Operator::Linear`].
        operator: OperatorId,
        /// Input ciphertext.
        input: u32,
        /// Output ciphertext.
        output: u32,
        /// Which diagonal, `0 .. slots`.
        rotation: u32,
    },
}

impl Constant {
    /// The operator that the constant is cut from.
    pub fn operator(&self) -> OperatorId {
        match self {
            Self::Diagonal { operator, .. }
            | Self::Fill { operator, .. }
            | Self::Uniform { operator, .. } => *operator,
        }
    }

    /// The operator that the constant is cut from, for renaming.
    pub fn operator_mut(&mut self) -> &mut OperatorId {
        match self {
            Self::Diagonal { operator, .. }
            | Self::Fill { operator, .. }
            | Self::Uniform { operator, .. } => operator,
        }
    }

    /// Whether the constant is a scalar, which `dot_scalar` multiplies by; otherwise it has slots, which `encode` takes.
    pub fn is_uniform(&self) -> bool {
        matches!(self, Self::Uniform { .. })
    }
}

impl Circuit {
    /// A circuit with a name, a promise of security and rings, and nothing else.
    pub fn new(name: impl Into<String>, security: Security, ring: RingTable) -> Self {
        Self {
            name: name.into(),
            security,
            rings: ring,
            keys: Keys::default(),
            nodes: Arena::new(),
            remarks: Vec::new(),
            layouts: Arena::new(),
            tensors: Tensors::new(),
            operators: Arena::new(),
            constants: Arena::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            fragment: None,
            functions: Arena::new(),
            values: Arena::new(),
        }
    }

    /// The values that a fragment imports; empty for a whole circuit.
    pub fn imports(&self) -> &[Link] {
        let fragment = self.fragment.as_ref();
        fragment.map_or(&[], |fragment| &fragment.imports)
    }

    /// The values that a fragment exports; empty for a whole circuit.
    pub fn exports(&self) -> &[Link] {
        let fragment = self.fragment.as_ref();
        fragment.map_or(&[], |fragment| &fragment.exports)
    }

    /// The type of a value; `None` for a value that the circuit does not define.
    pub fn type_of(&self, value: Value) -> Option<&Type> {
        self.values.get(value).map(|definition| &definition.ty)
    }

    /// The ciphertext that `value` is the decomposition of; `None` where `value` holds no digits.
    pub fn digits_of(&self, value: Value) -> Option<Value> {
        self.values.get(value)?.inst.digits_of()
    }

    /// The number of slots of a constant (for a scalar, of the ciphertexts that it multiplies): those of its operator's
    /// result.
    pub fn slots_of(&self, constant: &Constant) -> Option<u32> {
        let operator = self.operators.get(constant.operator())?;
        self.layouts.get(operator.result()).map(Layout::slots)
    }

    /// The keys that the instructions need, each at the highest level of use: what [`Circuit::keys`] must declare.
    ///
    /// Levels are compared by their number; the verifier checks that the key's primes cover every use.
    pub fn required_keys(&self) -> Keys {
        let mut keys = Keys::default();
        for definition in self.values.values() {
            let Some((key, level)) = self.key(definition) else {
                continue;
            };
            let entry = keys.levels.entry(key).or_insert(level);
            *entry = level.max(*entry);
        }
        keys
    }

    /// The ring whose degree an instruction computes in: the ring of its result, and for `switch_ring` and `raise_ext` the one of larger
    /// degree, of its operand and of its result.
    pub fn ring_of_work(&self, definition: &Definition) -> RingId {
        let (from, to) = (
            self.ring_from(definition),
            self.rings.ring_of(definition.ty.level()),
        );
        match self.rings.view(to).log_n() > self.rings.view(from).log_n() {
            true => to,
            false => from,
        }
    }

    /// The ring whose secret the key of an instruction leads from: the ring of its result, and for `switch_ring` and `raise_ext` the ring of
    /// its operand.
    fn ring_from(&self, definition: &Definition) -> RingId {
        let level = match definition.inst {
            Inst::SwitchRing { a, .. } | Inst::RaiseExt { a, .. } => {
                self.type_of(a).map(Type::level)
            }
            _ => None,
        };
        let level = level.unwrap_or(definition.ty.level());
        self.rings.ring_of(level)
    }

    /// The evaluation key that an instruction needs, with the level at which the instruction uses it: that of its result, or of its operand
    /// where it goes on to a lower one. `None` for instructions without a key.
    pub fn key(&self, definition: &Definition) -> Option<(Key, Level)> {
        let kind = definition.inst.key()?;
        let level = match definition.inst {
            Inst::RelinearizeRescale { a, .. } => self.type_of(a)?.level(),
            _ => definition.ty.level(),
        };
        let to = self.rings.ring_of(level);
        let from = self.ring_from(definition);
        Some((Key { to, kind, from }, level))
    }

    /// The evaluation key that the instruction which defines `value` needs; `None` without one.
    pub fn key_of(&self, value: Value) -> Option<Key> {
        Some(self.key(self.values.get(value)?)?.0)
    }
}
