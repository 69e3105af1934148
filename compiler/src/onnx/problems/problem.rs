//! Every kind of problem a model can have.

use super::advice::{Help, Note};
use super::unsupported::Reason;
use crate::onnx::format::{Element, FileType, RANGES_KEY, ScanError, StatedError, TensorReadError};
use crate::onnx::schema::{AttributeKind, SchemaError};
use crate::tensor::PolynomialError;
use peregrine_ir::linear::LinearError;
use peregrine_ir::{FinishError, ShapeError, TensorError};

/// A problem of a model or of one of its nodes.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// Bytes that are not protobuf that is taken.
    #[error("not an ONNX model: {0}")]
    Scan(ScanError),
    /// A message that the parser refuses.
    #[error("not an ONNX model: {reason}")]
    Parse {
        /// What the parser said.
        reason: String,
    },
    /// A file of another type.
    #[error("this is not an ONNX model but {0}")]
    NotAModel(FileType),
    /// Nodes that wait for each other.
    #[error("{}", cycle(nodes, *more))]
    Cycle {
        /// The nodes of a cycle, in the order of their data flow.
        nodes: Vec<String>,
        /// Number of nodes of the cycle that are not named.
        more: usize,
    },
    /// A node that does not follow the definition of its operator.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// No graph, or a graph without results.
    #[error("the model has no {what}")]
    Missing {
        /// The part that is missing.
        what: &'static str,
    },
    /// A version that is not understood.
    #[error("{what} {found} is not supported, only {} to {}", range.0, range.1)]
    Version {
        /// The version that is meant: of the format or of an operator set.
        what: &'static str,
        /// The value of the version.
        found: i64,
        /// The first and the last version that is understood.
        range: (i64, i64),
    },
    /// An input with an unknown dimension.
    #[error("axis {axis} of input `{input}` is {}", symbol.as_ref().map_or("of unknown size".to_owned(), |s| format!("the symbol `{s}`")))]
    Symbolic {
        /// Name of the input.
        input: String,
        /// The axis with the unknown dimension.
        axis: usize,
        /// Name of the dimension, if it has one.
        symbol: Option<String>,
    },
    /// An input that is not a tensor of known shape.
    #[error("input `{input}` is {found}, expected a tensor with elements, of known shape")]
    InputType {
        /// Name of the input.
        input: String,
        /// What the input is instead.
        found: &'static str,
    },
    /// A result that no encrypted value goes into.
    #[error("output `{name}` does not depend on an encrypted input")]
    ConstantOutput {
        /// Name of the output.
        name: String,
    },
    /// A value that no node, input or initializer provides.
    #[error(
        "value `{name}` is not computed by any node, and is neither an input nor an initializer"
    )]
    Undefined {
        /// Name of the value.
        name: String,
    },
    /// A value that two nodes compute.
    #[error("value `{name}` is computed twice")]
    Duplicate {
        /// Name of the value.
        name: String,
    },
    /// A weight stored by its nonzero elements.
    #[error("initializer `{name}` is sparse, only dense ones are supported")]
    Sparse {
        /// Name of the initializer.
        name: String,
    },
    /// An operator that is not supported.
    #[error("{0}")]
    Operator(Reason),
    /// An operand that is missing.
    #[error("{role} is missing")]
    MissingOperand {
        /// The role of the operand.
        role: &'static str,
    },
    /// An encrypted operand where a constant is needed.
    #[error("{role} is encrypted, it must be a constant")]
    Encrypted {
        /// The role of the operand.
        role: &'static str,
    },
    /// Two encrypted operands where one is supported.
    #[error("both operands are encrypted, one must be a constant")]
    TwoEncrypted,
    /// A node without encrypted operands.
    #[error("all operands are constants, and this operator is not evaluated at compile time")]
    Constants,
    /// A constant where only an encrypted value can be.
    #[error(
        "{role} is a constant while another operand is encrypted, only the other way round is supported"
    )]
    Known {
        /// The role of the operand.
        role: &'static str,
    },
    /// An operation that the client does not do.
    #[error(
        "the operand is computed by the client, which does only functions of one element, movements, and arithmetic with constants"
    )]
    OfClient,
    /// An encrypted value where only constants can be computed with.
    #[error("{role} is encrypted, this operator is evaluated on constants only")]
    ConstantOnly {
        /// The role of the operand.
        role: &'static str,
    },
    /// A conversion of what the client computes.
    #[error(
        "the operand is computed after decryption and is not converted to {to}: positions stay integers, all else stays real"
    )]
    AfterDecryption {
        /// The type that was asked for.
        to: String,
    },
    /// Integers where reals are computed with.
    #[error("operand `{name}` is of type {element}, only floating-point tensors are computed on")]
    Integers {
        /// Name of the operand.
        name: String,
        /// Element type of the operand.
        element: Element,
    },
    /// An operand with an impossible value.
    #[error("{role} is {found}, expected {expected}")]
    Operand {
        /// The role of the operand.
        role: &'static str,
        /// The value of the operand.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// An attribute with an unsupported value.
    #[error("attribute `{name}` is {found}, supported is {supported}")]
    Attribute {
        /// Name of the attribute.
        name: &'static str,
        /// Value of the attribute.
        found: String,
        /// The values that are supported.
        supported: &'static str,
    },
    /// A dimension that does not fit the others.
    #[error("{what} is {found}, expected {expected}")]
    Mismatch {
        /// The dimension, in words.
        what: &'static str,
        /// The value of the dimension.
        found: String,
        /// What the others imply.
        expected: String,
    },
    /// A tensor too large to compile, or to evaluate at compile time.
    #[error("{what} would have {found} elements, the limit is {limit}")]
    TooLarge {
        /// The tensor or dimension, in words.
        what: &'static str,
        /// Number of elements.
        found: u64,
        /// The largest number of elements.
        limit: u64,
    },
    /// An element of a constant with an impossible value.
    #[error("tensor `{name}` holds {found} at flat index {index}, expected {expected}")]
    Element {
        /// Name of the initializer that the constant is, or came from.
        name: String,
        /// Index of the element in row-major order.
        index: usize,
        /// Value of the element.
        found: f64,
        /// What would be right.
        expected: &'static str,
    },
    /// Results by which BatchNormalization of old opsets is told to train.
    #[error(
        "the node has {results} results, which before opset 14 says that it normalises by the statistics of the batch, as in training"
    )]
    TrainingResults {
        /// Number of results.
        results: usize,
    },
    /// A result that only training needs.
    #[error("output {index} is used, only the first is computed")]
    ExtraOutput {
        /// Number of the result, counted from 0.
        index: usize,
    },
    /// A weight that could not be read.
    #[error("tensor `{name}`: {error}")]
    Read {
        /// Name of the initializer.
        name: String,
        /// Why it could not be read.
        error: TensorReadError,
    },
    /// A weight of the wrong size, or with a value that is not finite.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// A result with an empty dimension, or that is too large.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A linear map that is not well formed.
    #[error(transparent)]
    Linear(#[from] LinearError),
    /// A polynomial that is not well formed.
    #[error(transparent)]
    Polynomial(#[from] PolynomialError),
    /// Ranges in the model's metadata that are of no use.
    #[error("metadata `{RANGES_KEY}`: {0}")]
    Stated(#[from] StatedError),
    /// Steps after decryption that the client cannot take.
    #[error(transparent)]
    Finish(#[from] FinishError),
}

fn cycle(nodes: &[String], more: usize) -> String {
    match (nodes, more) {
        ([only], _) => format!("the node `{only}` reads its own result"),
        (nodes, 0) => format!(
            "the nodes `{}` read each other's results in a cycle",
            nodes.join("`, `")
        ),
        (nodes, more) => format!(
            "the nodes `{}` and {more} more read each other's results in a cycle",
            nodes.join("`, `")
        ),
    }
}

impl Problem {
    pub(in crate::onnx) fn note(&self) -> Option<Note> {
        match self {
            Problem::Operator(reason) => reason.note(),
            Problem::Encrypted { .. } | Problem::ConstantOnly { .. } => {
                Some(Note::OnlyRingOperations)
            }
            Problem::Integers { .. } => Some(Note::RealNumbers),
            Problem::Symbolic { .. } => Some(Note::StaticShapes),
            _ => None,
        }
    }

    pub(in crate::onnx) fn help(&self) -> Option<Help> {
        Some(match self {
            Problem::Operator(reason) => reason.help(),
            Problem::Encrypted { .. } | Problem::TwoEncrypted => Help::MakeConstant,
            Problem::ConstantOnly { .. } => Help::OutsideModel,
            Problem::Constants => Help::FoldConstants,
            Problem::Integers { .. } => Help::ExportFloat,
            Problem::Symbolic { .. } | Problem::InputType { .. } | Problem::Shape(_) => {
                Help::FixShape
            }
            Problem::ConstantOutput { .. }
            | Problem::TooLarge { .. }
            | Problem::OfClient
            | Problem::AfterDecryption { .. }
            | Problem::Finish(_) => Help::OutsideModel,
            Problem::ExtraOutput { .. } | Problem::TrainingResults { .. } => Help::ExportInference,
            Problem::Version { .. } => Help::ConvertOpset,
            Problem::Attribute {
                name: "training_mode" | "is_test",
                ..
            } => Help::ExportInference,
            Problem::Attribute { name: "mode", .. } => Help::NearestNeighbour,
            Problem::Operand {
                role: "the exponent",
                ..
            } => Help::IntegerExponent,
            Problem::Mismatch {
                what: "number of spatial axes",
                ..
            } => Help::TwoDimensional,
            Problem::Read {
                error: TensorReadError::External(_),
                ..
            } => Help::KeepTogether,
            Problem::Tensor(_) | Problem::Element { .. } => Help::CheckWeights,
            Problem::Stated(_) => Help::ExportRanges,
            Problem::NotAModel(file) => Help::OtherFile(*file),
            Problem::Schema(error) => return schema_help(error),
            Problem::Cycle { .. } => Help::CheckCycle,
            Problem::Scan(_) | Problem::Parse { .. } => Help::FetchAgain,
            Problem::Missing { .. }
            | Problem::Undefined { .. }
            | Problem::Duplicate { .. }
            | Problem::Sparse { .. }
            | Problem::MissingOperand { .. }
            | Problem::Known { .. }
            | Problem::Operand { .. }
            | Problem::Attribute { .. }
            | Problem::Mismatch { .. }
            | Problem::Read { .. }
            | Problem::Linear(_)
            | Problem::Polynomial(_) => return None,
        })
    }
}

fn schema_help(error: &SchemaError) -> Option<Help> {
    use SchemaError as E;
    Some(match error {
        E::Newer { .. } | E::NewerAttribute { .. } => Help::NewerOpset,
        E::Removed { .. } | E::OlderAttribute { .. } => Help::ConvertOpset,
        E::OperandType { .. } | E::OutputType { .. } => Help::CastOperand,
        E::AttributeType {
            found: AttributeKind::Reference,
            ..
        } => Help::Inline,
        E::UnknownAttribute { .. }
        | E::AttributeType { .. }
        | E::MissingAttribute { .. }
        | E::Repeated { .. }
        | E::Unread { .. }
        | E::Operands { .. }
        | E::Results { .. }
        | E::EmptyOperand { .. } => return None,
    })
}
