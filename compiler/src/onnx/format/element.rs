//! Element types of ONNX tensors.

use std::fmt;

/// The type of the elements of an ONNX tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Element {
    /// IEEE binary16, binary32, binary64 or bfloat16, by ONNX number (10, 1, 11, 16).
    Float(FloatType),
    /// An integer with this many bits.
    Integer {
        /// Whether the integer has a sign.
        signed: bool,
        /// Bits of the integer.
        bits: u8,
    },
    /// A truth value.
    Bool,
    /// Strings, complex numbers, floats of 8 and 4 bits, or an unknown number.
    Other(i32),
}

/// The floating-point types that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FloatType {
    /// IEEE binary16.
    Half,
    /// The upper half of binary32.
    BFloat16,
    /// IEEE binary32.
    Single,
    /// IEEE binary64.
    Double,
}

impl Element {
    /// The type of 64-bit integers, which shapes are made of.
    pub const INT64: Element = Element::Integer {
        signed: true,
        bits: 64,
    };

    /// The type of 32-bit floats.
    pub const FLOAT32: Element = Element::Float(FloatType::Single);

    /// The type with a number in ONNX's `TensorProto.DataType`.
    pub fn from_onnx(number: i32) -> Self {
        let integer = |signed, bits| Element::Integer { signed, bits };
        match number {
            1 => Element::FLOAT32,
            2 => integer(false, 8),
            3 => integer(true, 8),
            4 => integer(false, 16),
            5 => integer(true, 16),
            6 => integer(true, 32),
            7 => Element::INT64,
            9 => Element::Bool,
            10 => Element::Float(FloatType::Half),
            11 => Element::Float(FloatType::Double),
            12 => integer(false, 32),
            13 => integer(false, 64),
            16 => Element::Float(FloatType::BFloat16),
            21 => integer(false, 4),
            22 => integer(true, 4),
            25 => integer(false, 2),
            26 => integer(true, 2),
            other => Element::Other(other),
        }
    }

    /// Whether it is a floating-point type.
    pub fn is_float(self) -> bool {
        matches!(self, Element::Float(_))
    }

    /// Bits of one element in `raw_data`, where several share a byte.
    pub(in crate::onnx) fn shared_bits(self) -> Option<u8> {
        match self {
            Element::Integer { bits, .. } if bits < 8 => Some(bits),
            _ => None,
        }
    }

    /// Bytes of one element in `raw_data`, 1 where several share a byte; `None` for types that are not read.
    pub fn bytes(self) -> Option<usize> {
        Some(match self {
            Element::Float(FloatType::Half | FloatType::BFloat16) => 2,
            Element::Float(FloatType::Single) => 4,
            Element::Float(FloatType::Double) => 8,
            Element::Integer { bits, .. } => usize::from(bits.div_ceil(8)),
            Element::Bool => 1,
            Element::Other(_) => return None,
        })
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Element::Float(FloatType::Half) => f.write_str("float16"),
            Element::Float(FloatType::BFloat16) => f.write_str("bfloat16"),
            Element::Float(FloatType::Single) => f.write_str("float32"),
            Element::Float(FloatType::Double) => f.write_str("float64"),
            Element::Integer { signed, bits } => {
                write!(f, "{}int{bits}", if *signed { "" } else { "u" })
            }
            Element::Bool => f.write_str("bool"),
            Element::Other(8) => f.write_str("string"),
            Element::Other(number) => write!(f, "ONNX element type {number}"),
        }
    }
}
