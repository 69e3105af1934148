//! In what a node differs from its operator.

use crate::onnx::format::Element;
use std::fmt;

/// A node that does not follow the definition of its operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// An operator that came after the model's opset.
    #[error("this operator needs opset {since}, the model says {opset}")]
    Newer {
        /// The first opset with the operator.
        since: i64,
        /// The opset of the model.
        opset: i64,
    },
    /// An operator that is gone in the model's opset.
    #[error("this operator was removed in opset {since}, the model says {opset}")]
    Removed {
        /// The first opset without the operator.
        since: i64,
        /// The opset of the model.
        opset: i64,
    },
    /// An attribute that no version of the operator has.
    #[error("this operator has no attribute `{name}`{}", similar.map_or(String::new(), |s| format!("; did you mean `{s}`?")))]
    UnknownAttribute {
        /// Name of the attribute.
        name: String,
        /// An attribute that is spelt almost like it.
        similar: Option<&'static str>,
    },
    /// An attribute that only later versions of the operator have.
    #[error("attribute `{name}` needs opset {since}, the model says {opset}")]
    NewerAttribute {
        /// Name of the attribute.
        name: String,
        /// The first opset with the attribute.
        since: i64,
        /// The opset of the model.
        opset: i64,
    },
    /// An attribute that only earlier versions of the operator have.
    #[error("this operator has no attribute `{name}` at opset {opset}, it was one of older opsets")]
    OlderAttribute {
        /// Name of the attribute.
        name: String,
        /// The opset of the model.
        opset: i64,
    },
    /// An attribute of a type that the operator does not define.
    #[error("attribute `{name}` is of type {found}, expected {expected}")]
    AttributeType {
        /// Name of the attribute.
        name: &'static str,
        /// The type of the attribute's value.
        found: AttributeKind,
        /// The type that the operator defines.
        expected: &'static str,
    },
    /// A required attribute that is not given.
    #[error("attribute `{name}` is missing")]
    MissingAttribute {
        /// Name of the attribute.
        name: &'static str,
    },
    /// An attribute that is given twice.
    #[error("attribute `{name}` is given twice")]
    Repeated {
        /// Name of the attribute.
        name: String,
    },
    /// An attribute that the compiler does not take into account.
    #[error("attribute `{name}` is not supported")]
    Unread {
        /// Name of the attribute.
        name: String,
    },
    /// Too many operands or too few.
    #[error("the node has {found} operands, expected {}", range(*least, *most))]
    Operands {
        /// Number of operands.
        found: usize,
        /// The least number of operands.
        least: usize,
        /// The largest number of operands, if there is a limit.
        most: Option<usize>,
    },
    /// Too many results or too few.
    #[error("the node has {found} results, expected {}", range(*least, *most))]
    Results {
        /// Number of results.
        found: usize,
        /// The least number of results.
        least: usize,
        /// The largest number of results, if there is a limit.
        most: Option<usize>,
    },
    /// An operand that may not be left out.
    #[error("operand {} is left out", index + 1)]
    EmptyOperand {
        /// Number of the operand, counted from 0.
        index: usize,
    },
    /// An operand of another type than the operator or another operand asks for.
    #[error("operand `{name}` is of type {found}, expected {expected}{}", like.as_ref().map_or(String::new(), |l| format!(" as `{l}`")))]
    OperandType {
        /// Name of the operand.
        name: String,
        /// Element type of the operand.
        found: Element,
        /// The element type that it must have.
        expected: Element,
        /// Name of the operand that has that type.
        like: Option<String>,
    },
    /// An output of the model that is declared with another type than it has.
    #[error("output `{name}` is declared as {declared}, the nodes give {found}")]
    OutputType {
        /// Name of the output.
        name: String,
        /// The declared type.
        declared: Element,
        /// The type that the output has.
        found: Element,
    },
}

fn range(least: usize, most: Option<usize>) -> String {
    match most {
        None => format!("at least {least}"),
        Some(most) if most == least => least.to_string(),
        Some(most) => format!("{least} to {most}"),
    }
}

/// The type of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeKind {
    /// An integer.
    Int,
    /// Integers.
    Ints,
    /// A number.
    Float,
    /// Numbers.
    Floats,
    /// Text.
    String,
    /// Texts.
    Strings,
    /// A tensor.
    Tensor,
    /// A tensor stored by its nonzero elements.
    SparseTensor,
    /// A reference to an attribute of a function, outside of one.
    Reference,
    /// A graph, a type, or an unknown value.
    Other,
}

impl AttributeKind {
    /// As ONNX spells it.
    pub(in crate::onnx) fn word(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Ints => "ints",
            Self::Float => "float",
            Self::Floats => "floats",
            Self::String => "string",
            Self::Strings => "strings",
            Self::Tensor => "tensor",
            Self::SparseTensor => "sparse_tensor",
            Self::Reference => "reference to a function's parameter",
            Self::Other => "none that is known",
        }
    }
}

impl fmt::Display for AttributeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The candidate that differs from `name` in fewest characters, when those are few.
pub(in crate::onnx) fn similar(
    name: &str,
    candidates: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let limit = name.len().div_ceil(3).min(3);
    candidates
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many characters are inserted, left out or replaced to make `b` of `a` (Levenshtein), capitals apart.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    // A name of a hostile file may be of any length; only the first bytes are compared.
    let a: Vec<u8> = a.bytes().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (above, y) in row.iter().skip(1).zip(b.bytes()) {
            left = (diagonal + usize::from(*x != y))
                .min(above + 1)
                .min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
