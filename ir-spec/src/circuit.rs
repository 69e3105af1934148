//! The circuit: a straight-line program of typed values together with everything it refers to.

use crate::entity::{
    Arena, Const, FunctionId, LayoutId, Node, OperatorId, RingId, TensorId, Value,
};
use crate::expectation::{Expectation, InputRange};
use crate::finish::{Finish, Prepare};
use crate::fragment::{Fragment, Link};
use crate::function::Function;
use crate::inst::{Inst, Key, KeyKind};
use crate::layout::Layout;
use crate::linear::LinearMap;
use crate::ring::{Level, RingTable, Rotation, Security};
use crate::shape::Shape;
use crate::tensor::Tensors;
use crate::types::Type;
use std::collections::BTreeMap;

/// A program on ciphertexts. Building one checks types; [`crate::verify()`] checks everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Circuit {
    /// What it is called; an identifier.
    pub name: String,
    /// What its parameters promise.
    pub security: Security,
    /// The rings, their primes and the levels.
    pub rings: RingTable,
    /// The evaluation keys it needs.
    pub keys: Keys,
    /// The ONNX nodes its instructions come from.
    pub nodes: Arena<Node, SourceNode>,
    /// Why the compiler chose what it chose, in the order of its decisions; nothing depends on them.
    pub remarks: Vec<Remark>,
    /// Packings.
    pub layouts: Arena<LayoutId, Layout>,
    /// Weights.
    pub tensors: Tensors,
    /// Operators between layouts.
    pub operators: Arena<OperatorId, Operator>,
    /// Recipes of plaintexts.
    pub constants: Arena<Const, Constant>,
    /// Input tensors.
    pub inputs: Vec<Port>,
    /// Output tensors.
    pub outputs: Vec<Port>,
    /// What a fragment of another circuit takes and gives instead of tensors; none for a whole circuit.
    pub fragment: Option<Fragment>,
    /// Functions that instructions call.
    pub functions: Arena<FunctionId, Function>,
    /// The instructions in the order of definition: the bodies of the functions one after the other, then the main program.
    pub values: Arena<Value, Definition>,
}

/// A node of the ONNX model.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct SourceNode {
    /// Its name.
    pub name: String,
    /// Its operator, as ONNX spells it.
    pub op: String,
}

/// A reason for a choice of the compiler.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Remark {
    /// The node it is about; none for the circuit as a whole.
    pub node: Option<Node>,
    /// One short line, at most [`crate::verify::MAX_REMARK`] characters, none of them a control character.
    pub text: String,
}

/// One instruction and the value it defines.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// The operation.
    pub inst: Inst,
    /// Type of the result, as [`crate::typing::result_type`] gives it.
    pub ty: Type,
    /// The ONNX node it serves; inputs have none.
    pub node: Option<Node>,
}

/// A tensor that enters or leaves, packed into ciphertexts.
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
    /// What the client does after decryption; nothing for inputs.
    pub finish: Finish,
    /// What the client is given and does before encryption; `None` where that is the packed tensor, and for outputs.
    pub prepare: Option<Prepare>,
    /// Where the values of an input lie, if that is known; nothing for outputs.
    pub range: Option<InputRange>,
    /// What the values of an output are like, if that is known; nothing for inputs.
    pub expectation: Option<Expectation>,
}

/// The evaluation keys a circuit declares, each with the highest level at which it is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// By ring and kind.
    pub levels: BTreeMap<Key, Level>,
}

impl Keys {
    /// Rotations of a ring with their levels, ascending.
    pub fn rotations(&self, ring: RingId) -> impl Iterator<Item = (Rotation, Level)> {
        let of_ring = self.levels.iter().filter(move |(key, _)| key.to == ring);
        of_ring.filter_map(|(key, level)| match key.kind {
            KeyKind::Rotation(rotation) => Some((rotation, *level)),
            KeyKind::Relinearization | KeyKind::Conjugation | KeyKind::RingSwitch => None,
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
    },
    /// A tensor repeated to a shape and packed; zero outside the layout.
    Broadcast {
        /// What is repeated.
        tensor: TensorId,
        /// To which shape.
        shape: Shape,
        /// How it is packed.
        layout: LayoutId,
    },
}

impl Operator {
    /// How what it makes is packed.
    pub fn result(&self) -> LayoutId {
        match self {
            Self::Linear { output, .. } => *output,
            Self::Broadcast { layout, .. } => *layout,
        }
    }
}

/// The recipe of a plaintext's slots, or of one number for all of them; see [`crate::constants`] for how it is followed.
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
    /// One ciphertext's worth of a [`Operator::Broadcast`].
    Fill {
        /// The operator.
        operator: OperatorId,
        /// Which ciphertext.
        part: u32,
    },
    /// The one number with which every slot `t + rotation` of input ciphertext `input` enters slot `t` of output
    /// ciphertext `output` of a linear operator. Whoever makes it promises that there is one number; the first slot where
    /// both ciphertexts hold an element decides, and it is 0 where there is none.
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
    /// The operator it is cut from.
    pub fn operator(&self) -> OperatorId {
        match self {
            Self::Diagonal { operator, .. }
            | Self::Fill { operator, .. }
            | Self::Uniform { operator, .. } => *operator,
        }
    }

    /// The operator it is cut from, to be renamed.
    pub fn operator_mut(&mut self) -> &mut OperatorId {
        match self {
            Self::Diagonal { operator, .. }
            | Self::Fill { operator, .. }
            | Self::Uniform { operator, .. } => operator,
        }
    }

    /// Whether it is one number, which `dot_scalar` multiplies by; otherwise it has slots, which `encode` takes.
    pub fn is_uniform(&self) -> bool {
        matches!(self, Self::Uniform { .. })
    }
}

impl Circuit {
    /// An empty circuit.
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

    /// What a fragment takes from outside; nothing for a whole circuit.
    pub fn imports(&self) -> &[Link] {
        let fragment = self.fragment.as_ref();
        fragment.map_or(&[], |fragment| &fragment.imports)
    }

    /// What a fragment gives; nothing for a whole circuit.
    pub fn exports(&self) -> &[Link] {
        let fragment = self.fragment.as_ref();
        fragment.map_or(&[], |fragment| &fragment.exports)
    }

    /// The type of a value.
    pub fn type_of(&self, value: Value) -> Option<&Type> {
        self.values.get(value).map(|definition| &definition.ty)
    }

    /// The ciphertext whose digits a value holds, if it holds digits.
    pub fn digits_of(&self, value: Value) -> Option<Value> {
        self.values.get(value)?.inst.digits_of()
    }

    /// How many slots a constant fills, or is one number for: those of the result of its operator.
    pub fn slots_of(&self, constant: &Constant) -> Option<u32> {
        let operator = self.operators.get(constant.operator())?;
        self.layouts.get(operator.result()).map(Layout::slots)
    }

    /// The keys its instructions need, each at the highest level of use: what [`Circuit::keys`] must say.
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

    /// The ring in whose degree an instruction computes: that which it leads from, where it leads to another.
    pub fn ring_from(&self, definition: &Definition) -> RingId {
        let level = match definition.inst {
            Inst::SwitchRing { a, .. } => self.type_of(a).map(Type::level),
            _ => None,
        };
        let level = level.unwrap_or(definition.ty.level());
        self.rings.ring_of(level)
    }

    /// The evaluation key that an instruction needs, and the level at which it uses it: that of its result.
    pub fn key(&self, definition: &Definition) -> Option<(Key, Level)> {
        let (kind, level) = (definition.inst.key()?, definition.ty.level());
        let to = self.rings.ring_of(level);
        let from = self.ring_from(definition);
        Some((Key { to, kind, from }, level))
    }

    /// The evaluation key that the instruction of a value needs.
    pub fn key_of(&self, value: Value) -> Option<Key> {
        Some(self.key(self.values.get(value)?)?.0)
    }
}
