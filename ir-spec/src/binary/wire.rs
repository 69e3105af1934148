//! The protobuf messages, field by field. Nothing here is checked; see the modules that read and write them.

use prost::Message;
use prost::bytes::{Buf, BufMut};
use prost::encoding::{self, DecodeContext, WireType};

#[derive(Clone, PartialEq, Message)]
pub(super) struct Public {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    /// 1: 128 bits, 2: none.
    #[prost(uint32, tag = "2")]
    pub(super) security: u32,
    #[prost(message, optional, tag = "3")]
    pub(super) rings: Option<Rings>,
    #[prost(message, repeated, tag = "4")]
    pub(super) keys: Vec<Key>,
    #[prost(message, repeated, tag = "5")]
    pub(super) inputs: Vec<Port>,
    #[prost(message, repeated, tag = "6")]
    pub(super) outputs: Vec<Port>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Rings {
    #[prost(uint32, tag = "1")]
    pub(super) unit_bits: u32,
    #[prost(uint64, repeated, tag = "2")]
    pub(super) primes: Vec<u64>,
    #[prost(uint64, repeated, tag = "3")]
    pub(super) special: Vec<u64>,
    #[prost(message, repeated, tag = "4")]
    pub(super) rings: Vec<Ring>,
    #[prost(message, repeated, tag = "5")]
    pub(super) levels: Vec<Level>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Ring {
    #[prost(uint32, tag = "1")]
    pub(super) log_n: u32,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) special: Vec<u32>,
    #[prost(message, repeated, tag = "3")]
    pub(super) digits: Vec<PrimeSet>,
    /// The number of coefficients of a sparse secret that are not 0; 0 for a ternary one.
    #[prost(uint32, tag = "4")]
    pub(super) secret_weight: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Level {
    #[prost(uint32, tag = "1")]
    pub(super) ring: u32,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) primes: Vec<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PrimeSet {
    #[prost(uint32, repeated, tag = "1")]
    pub(super) primes: Vec<u32>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Key {
    /// 1: relinearization, 2: conjugation, 3: rotation, 4: from ring to ring. The level says to which ring it leads.
    #[prost(uint32, tag = "1")]
    pub(super) kind: u32,
    #[prost(uint32, tag = "2")]
    pub(super) rotation: u32,
    #[prost(uint32, tag = "3")]
    pub(super) level: u32,
    /// The ring from which a key of kind 4 leads.
    #[prost(uint32, tag = "4")]
    pub(super) from: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Port {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) shape: Vec<u32>,
    #[prost(message, optional, tag = "3")]
    pub(super) layout: Option<Layout>,
    #[prost(uint32, tag = "4")]
    pub(super) level: u32,
    #[prost(message, optional, tag = "5")]
    pub(super) scale: Option<Scale>,
    #[prost(message, repeated, tag = "6")]
    pub(super) finish: Vec<FinishStep>,
    #[prost(message, optional, tag = "12")]
    pub(super) prepare: Option<Prepare>,
    #[prost(message, optional, tag = "7")]
    pub(super) range: Option<InputRange>,
    #[prost(message, optional, tag = "8")]
    pub(super) expectation: Option<Expectation>,
    #[prost(double, optional, tag = "13")]
    pub(super) imaginary: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Prepare {
    #[prost(uint32, repeated, tag = "1")]
    pub(super) shape: Vec<u32>,
    /// 0: real, 1: bool, then unsigned and signed integers of 8, 16, 32, 64 bits in turn.
    #[prost(uint32, tag = "2")]
    pub(super) element: u32,
    #[prost(message, repeated, tag = "3")]
    pub(super) steps: Vec<FinishStep>,
}

/// Origins: 1 assumed, 2 asked, 3 stated, 4 calibrated.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct InputRange {
    #[prost(double, tag = "1")]
    pub(super) low: f64,
    #[prost(double, tag = "2")]
    pub(super) high: f64,
    #[prost(uint32, tag = "3")]
    pub(super) origin: u32,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Expectation {
    #[prost(double, tag = "1")]
    pub(super) magnitude: f64,
    #[prost(double, tag = "2")]
    pub(super) noise: f64,
    #[prost(uint32, tag = "3")]
    pub(super) origin: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FinishStep {
    /// 1: softmax, 2: log_softmax, 3: sigmoid, 4: tanh, 5: argmax, 6: argmin, 7: reshape, 8: affine, 9: transpose,
    /// 10: slice, 11: take, from 32 on the functions of one element in the order of `FunctionKind::ALL`.
    #[prost(uint32, tag = "1")]
    pub(super) kind: u32,
    #[prost(uint32, tag = "2")]
    pub(super) axis: u32,
    /// Whether the last of equal elements is taken.
    #[prost(bool, tag = "3")]
    pub(super) last: bool,
    /// Dimensions of a reshape, axes of a transpose, positions of a take; first position and count of a slice.
    #[prost(uint32, repeated, tag = "4")]
    pub(super) shape: Vec<u32>,
    #[prost(sint32, tag = "5")]
    pub(super) step: i32,
    /// Parameters of a function; factors of an affine, then its offsets.
    #[prost(double, repeated, tag = "6")]
    pub(super) numbers: Vec<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Layout {
    #[prost(uint32, tag = "1")]
    pub(super) log_slots: u32,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) shape: Vec<u32>,
    #[prost(uint32, repeated, tag = "3")]
    pub(super) phases: Vec<u32>,
    #[prost(uint32, repeated, tag = "4")]
    pub(super) gaps: Vec<u32>,
    #[prost(uint32, tag = "5")]
    pub(super) pitch: u32,
    #[prost(uint32, tag = "6")]
    pub(super) plane: u32,
    #[prost(uint32, tag = "7")]
    pub(super) replicas: u32,
    #[prost(uint32, tag = "8")]
    pub(super) skew: u32,
    #[prost(uint32, tag = "9")]
    pub(super) jump: u32,
    #[prost(uint32, tag = "10")]
    pub(super) run: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Scale {
    #[prost(sint32, tag = "1")]
    pub(super) log2: i32,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) primes: Vec<u32>,
    /// One per prime.
    #[prost(sint32, repeated, tag = "3")]
    pub(super) exponents: Vec<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Private {
    #[prost(message, repeated, tag = "1")]
    pub(super) nodes: Vec<SourceNode>,
    #[prost(message, repeated, tag = "2")]
    pub(super) layouts: Vec<Layout>,
    #[prost(message, repeated, tag = "3")]
    pub(super) tensors: Vec<Tensor>,
    #[prost(message, repeated, tag = "4")]
    pub(super) operators: Vec<Operator>,
    #[prost(message, optional, tag = "5")]
    pub(super) constants: Option<Constants>,
    #[prost(message, repeated, tag = "6")]
    pub(super) inputs: Vec<PortValues>,
    #[prost(message, repeated, tag = "7")]
    pub(super) outputs: Vec<PortValues>,
    #[prost(message, optional, tag = "8")]
    pub(super) program: Option<Program>,
    #[prost(message, repeated, tag = "9")]
    pub(super) remarks: Vec<Remark>,
    #[prost(message, repeated, tag = "10")]
    pub(super) functions: Vec<Function>,
    /// None for a whole circuit.
    #[prost(message, optional, tag = "11")]
    pub(super) fragment: Option<Fragment>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Function {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    /// The number behind that of its last value.
    #[prost(uint32, tag = "2")]
    pub(super) end: u32,
    /// Differences to the value before, the first to zero.
    #[prost(sint64, repeated, tag = "3")]
    pub(super) results: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Fragment {
    /// The fingerprint of the circuit that was cut.
    #[prost(bytes = "vec", tag = "1")]
    pub(super) whole: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    pub(super) imports: Option<Links>,
    #[prost(message, optional, tag = "3")]
    pub(super) exports: Option<Links>,
}

/// Pairs of values, each column as differences to the one before, the first to zero.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Links {
    #[prost(sint64, repeated, tag = "1")]
    pub(super) values: Vec<i64>,
    #[prost(sint64, repeated, tag = "2")]
    pub(super) wholes: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Remark {
    /// A node plus one, or zero for the whole circuit.
    #[prost(uint32, tag = "1")]
    pub(super) node: u32,
    #[prost(string, tag = "2")]
    pub(super) text: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SourceNode {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) op: String,
}

/// Exactly one of the two arrays is filled; numbers are little endian.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Tensor {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) shape: Vec<u32>,
    #[prost(bytes = "vec", tag = "3")]
    pub(super) floats: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) doubles: Vec<u8>,
}

/// Shapes and layouts are those of `x` and `y`; a broadcast uses those of `y` only.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Operator {
    #[prost(uint32, repeated, tag = "1")]
    pub(super) input_shape: Vec<u32>,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) output_shape: Vec<u32>,
    #[prost(uint32, tag = "3")]
    pub(super) input_layout: u32,
    #[prost(uint32, tag = "4")]
    pub(super) output_layout: u32,
    #[prost(uint32, tag = "5")]
    pub(super) fold: u32,
    /// 0 for none.
    #[prost(uint32, tag = "6")]
    pub(super) period: u32,
    #[prost(oneof = "OperatorKind", tags = "8, 9, 10, 11, 12, 13")]
    pub(super) kind: Option<OperatorKind>,
}

/// What an operator is: a field of the operator, whose number names the kind.
///
/// The families of linear maps have numbers and fields of their own (`linear/family.rs`); a broadcast is the number of its
/// tensor.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum OperatorKind {
    /// A message, encoded.
    Message(u32, Vec<u8>),
    /// A bare number.
    Number(u32, u32),
}

/// The field of a broadcast.
pub(super) const BROADCAST: u32 = 13;

/// What the derived message of an operator asks of its kind.
impl OperatorKind {
    fn merge(
        kind: &mut Option<Self>,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), prost::DecodeError> {
        *kind = Some(if wire_type == WireType::LengthDelimited {
            let mut message = Vec::new();
            encoding::bytes::merge(wire_type, &mut message, buffer, context)?;
            Self::Message(tag, message)
        } else {
            let mut number = 0;
            encoding::uint32::merge(wire_type, &mut number, buffer, context)?;
            Self::Number(tag, number)
        });
        Ok(())
    }

    fn encode(&self, buffer: &mut impl BufMut) {
        match self {
            Self::Message(tag, message) => encoding::bytes::encode(*tag, message, buffer),
            Self::Number(tag, number) => encoding::uint32::encode(*tag, number, buffer),
        }
    }

    fn encoded_len(&self) -> usize {
        match self {
            Self::Message(tag, message) => encoding::bytes::encoded_len(*tag, message),
            Self::Number(tag, number) => encoding::uint32::encoded_len(*tag, number),
        }
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Window {
    #[prost(uint32, repeated, tag = "1")]
    pub(super) kernel: Vec<u32>,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) strides: Vec<u32>,
    #[prost(uint32, repeated, tag = "3")]
    pub(super) pads: Vec<u32>,
    #[prost(uint32, repeated, tag = "4")]
    pub(super) dilations: Vec<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Axis {
    #[prost(uint32, tag = "1")]
    pub(super) output_axis: u32,
    /// Differences of successive entries, each entry being the coordinate plus one, or zero for none.
    #[prost(sint64, repeated, tag = "2")]
    pub(super) table: Vec<i64>,
}

/// One column per field; numbers are differences to the row before.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Constants {
    #[prost(sint64, repeated, tag = "1")]
    pub(super) operators: Vec<i64>,
    /// Bit per constant, lowest first: whether it is a diagonal (else a fill).
    #[prost(bytes = "vec", tag = "2")]
    pub(super) diagonals: Vec<u8>,
    /// Input ciphertexts of diagonals and uniform constants.
    #[prost(sint64, repeated, tag = "3")]
    pub(super) inputs: Vec<i64>,
    /// Output ciphertexts of diagonals and uniform constants, parts of fills.
    #[prost(sint64, repeated, tag = "4")]
    pub(super) outputs: Vec<i64>,
    #[prost(sint64, repeated, tag = "5")]
    pub(super) rotations: Vec<i64>,
    #[prost(sint64, repeated, tag = "6")]
    pub(super) pres: Vec<i64>,
    /// Bit per constant, lowest first: whether it is a uniform one (and no diagonal); empty if there is none.
    #[prost(bytes = "vec", tag = "7")]
    pub(super) uniforms: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PortValues {
    #[prost(uint32, tag = "1")]
    pub(super) layout: u32,
    /// Differences to the value before, the first to zero.
    #[prost(sint64, repeated, tag = "2")]
    pub(super) values: Vec<i64>,
}

/// One byte per instruction, and the arguments in columns by kind, each in the order of the instructions.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Program {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) opcodes: Vec<u8>,
    /// Pairs: a node plus one (zero for none), and how many instructions in a row serve it.
    #[prost(uint32, repeated, tag = "2")]
    pub(super) nodes: Vec<u32>,
    /// Differences to the operand before; the first of an instruction to the instruction's own number.
    #[prost(sint64, repeated, tag = "3")]
    pub(super) operands: Vec<i64>,
    /// Lengths of operand lists.
    #[prost(uint32, repeated, tag = "4")]
    pub(super) counts: Vec<u32>,
    /// Constants, as differences to the one before.
    #[prost(sint64, repeated, tag = "5")]
    pub(super) constants: Vec<i64>,
    #[prost(uint32, repeated, tag = "6")]
    pub(super) levels: Vec<u32>,
    /// Rows of `scale_table`.
    #[prost(uint32, repeated, tag = "7")]
    pub(super) scales: Vec<u32>,
    #[prost(message, repeated, tag = "8")]
    pub(super) scale_table: Vec<Scale>,
    /// Rotations, powers of X and numbers of results.
    #[prost(uint32, repeated, tag = "9")]
    pub(super) powers: Vec<u32>,
    #[prost(double, repeated, tag = "10")]
    pub(super) factors: Vec<f64>,
    /// Functions of calls.
    #[prost(uint32, repeated, tag = "11")]
    pub(super) functions: Vec<u32>,
}
