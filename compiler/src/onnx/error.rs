//! What can be wrong with a model, and how it is said.

use super::element::Element;
use super::read::TensorReadError;
use super::scan::ScanError;
use super::unsupported::Reason;
use peregrine_ir::linear::LinearError;
use peregrine_ir::{ShapeError, TensorError};
use std::fmt;

use crate::tensor::PolynomialError;

/// Everything wrong with a model, in node order.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportErrors {
    /// What the model is called in messages.
    pub model: String,
    /// At least one; those of the model as a whole first.
    pub diagnostics: Vec<Diagnostic>,
}

/// One problem and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// The node, or `None` for the model as a whole.
    pub site: Option<Site>,
    /// What is wrong.
    pub problem: Problem,
    /// Why that is a limit.
    pub note: Option<Note>,
    /// A way out.
    pub help: Option<Help>,
}

/// A node of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its name; `<op>_<position>` when the model gives none.
    pub node: String,
    /// Its operator.
    pub op: String,
    /// Its place in the model, from 1.
    pub position: usize,
    /// How many nodes the model has.
    pub of: usize,
    /// Its first output.
    pub output: String,
}

impl Diagnostic {
    pub(super) fn new(site: Option<Site>, problem: Problem) -> Self {
        Self {
            site,
            note: problem.note(),
            help: problem.help(),
            problem,
        }
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// The bytes are not protobuf that is taken.
    #[error("not an ONNX model: {0}")]
    Scan(ScanError),
    /// The parser refused.
    #[error("not an ONNX model: {reason}")]
    Parse {
        /// What it said.
        reason: String,
    },
    /// No graph, or a graph without results.
    #[error("the model has no {what}")]
    Missing {
        /// What is missing.
        what: &'static str,
    },
    /// A version that is not understood.
    #[error("{what} {found} is not supported, only {} to {}", range.0, range.1)]
    Version {
        /// Which version.
        what: &'static str,
        /// Its value.
        found: i64,
        /// First and last that are.
        range: (i64, i64),
    },
    /// An input with an unknown dimension.
    #[error("axis {axis} of input `{input}` is {}", symbol.as_ref().map_or("of unknown size".to_owned(), |s| format!("the symbol `{s}`")))]
    Symbolic {
        /// The input.
        input: String,
        /// The axis.
        axis: usize,
        /// Its name, if any.
        symbol: Option<String>,
    },
    /// An input that is not a tensor of known shape.
    #[error("input `{input}` is {found}, expected a tensor of known shape")]
    InputType {
        /// The input.
        input: String,
        /// What it is.
        found: &'static str,
    },
    /// A result that no encrypted value goes into.
    #[error("output `{name}` does not depend on an encrypted input")]
    ConstantOutput {
        /// The output.
        name: String,
    },
    /// A value used before it is computed, or never.
    #[error("value `{name}` is not computed by an earlier node")]
    Undefined {
        /// The value.
        name: String,
    },
    /// Two nodes compute the same value.
    #[error("value `{name}` is computed twice")]
    Duplicate {
        /// The value.
        name: String,
    },
    /// A weight stored by its nonzero elements.
    #[error("initializer `{name}` is sparse, only dense ones are supported")]
    Sparse {
        /// The initializer.
        name: String,
    },
    /// An operator that is not supported.
    #[error("{0}")]
    Operator(Reason),
    /// An operand is missing.
    #[error("{role} is missing")]
    MissingOperand {
        /// Which.
        role: &'static str,
    },
    /// An operand that must be known is encrypted.
    #[error("{role} is encrypted, it must be a constant")]
    Encrypted {
        /// Which.
        role: &'static str,
    },
    /// Two encrypted values in a place for one.
    #[error("both operands are encrypted, one must be a constant")]
    TwoEncrypted,
    /// No operand is encrypted.
    #[error("all operands are constants, and this operator is not evaluated at compile time")]
    Constants,
    /// An encrypted value where only constants can be computed with.
    #[error("{role} is encrypted, this operator is evaluated on constants only")]
    ConstantOnly {
        /// Which.
        role: &'static str,
    },
    /// Integers where reals are computed with.
    #[error("operand `{name}` is of type {element}, only floating-point tensors are computed on")]
    Integers {
        /// The operand.
        name: String,
        /// Its type.
        element: Element,
    },
    /// An operand has an impossible value.
    #[error("{role} is {found}, expected {expected}")]
    Operand {
        /// Which.
        role: &'static str,
        /// Its value.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// An attribute has an unsupported value.
    #[error("attribute `{name}` is {found}, supported is {supported}")]
    Attribute {
        /// Which.
        name: &'static str,
        /// Its value.
        found: String,
        /// What is supported.
        supported: &'static str,
    },
    /// A dimension does not fit the others.
    #[error("{what} is {found}, expected {expected}")]
    Mismatch {
        /// Which.
        what: &'static str,
        /// What it is.
        found: String,
        /// What the others imply.
        expected: String,
    },
    /// A tensor too large to compile, or to evaluate at compile time.
    #[error("{what} would have {found} elements, the limit is {limit}")]
    TooLarge {
        /// Which.
        what: &'static str,
        /// Its size.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// A result that only training needs.
    #[error("output {index} is used, only the first is computed")]
    ExtraOutput {
        /// Which, from 0.
        index: usize,
    },
    /// A weight could not be read.
    #[error("tensor `{name}`: {error}")]
    Read {
        /// The initializer.
        name: String,
        /// Why.
        error: TensorReadError,
    },
    /// A weight has the wrong size or is not finite.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// A result has an empty dimension or is too large.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A linear map is not well formed.
    #[error(transparent)]
    Linear(#[from] LinearError),
    /// A polynomial is not well formed.
    #[error(transparent)]
    Polynomial(#[from] PolynomialError),
}

/// Why a limit is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Only ring operations exist.
    OnlyRingOperations,
    /// Integers have no place.
    RealNumbers,
    /// Shapes are fixed.
    StaticShapes,
}

/// A way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Help {
    /// Train with polynomials.
    PolynomialActivation,
    /// Pool by averaging.
    AveragePool,
    /// Leave the last step to the client.
    ClientSide,
    /// Make the operand an initializer.
    MakeConstant,
    /// Convert to floats.
    ExportFloat,
    /// Name the size.
    FixShape,
    /// Export for inference.
    ExportInference,
    /// Convert the model to another opset.
    ConvertOpset,
    /// Inline functions and subgraphs.
    Inline,
    /// Use two-dimensional layers.
    TwoDimensional,
    /// Remove the operator.
    OutsideModel,
    /// Keep the files together.
    KeepTogether,
    /// Check the weights.
    CheckWeights,
    /// Give up the integer exponent.
    IntegerExponent,
    /// Nearest neighbour.
    NearestNeighbour,
}

impl Problem {
    fn note(&self) -> Option<Note> {
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

    fn help(&self) -> Option<Help> {
        Some(match self {
            Problem::Operator(reason) => reason.help(),
            Problem::Encrypted { .. } | Problem::TwoEncrypted => Help::MakeConstant,
            Problem::ConstantOnly { .. } => Help::OutsideModel,
            Problem::Integers { .. } => Help::ExportFloat,
            Problem::Symbolic { .. } | Problem::InputType { .. } | Problem::Shape(_) => {
                Help::FixShape
            }
            Problem::ConstantOutput { .. } | Problem::TooLarge { .. } | Problem::Constants => {
                Help::OutsideModel
            }
            Problem::ExtraOutput { .. } => Help::ExportInference,
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
            Problem::Tensor(_) => Help::CheckWeights,
            Problem::Scan(_)
            | Problem::Parse { .. }
            | Problem::Missing { .. }
            | Problem::Undefined { .. }
            | Problem::Duplicate { .. }
            | Problem::Sparse { .. }
            | Problem::MissingOperand { .. }
            | Problem::Operand { .. }
            | Problem::Attribute { .. }
            | Problem::Mismatch { .. }
            | Problem::Read { .. }
            | Problem::Linear(_)
            | Problem::Polynomial(_) => return None,
        })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Note::OnlyRingOperations => {
                "encrypted values can only be added and multiplied; what is not a polynomial cannot be computed on them"
            }
            Note::RealNumbers => "CKKS computes on approximate real numbers",
            Note::StaticShapes => "a circuit is compiled for one shape; an unknown batch size is taken as 1",
        })
    }
}

impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Help::PolynomialActivation => {
                "fine-tune the model with a polynomial activation of low degree (x*x, or a quadratic per channel) in its place"
            }
            Help::AveragePool => "use AveragePool or a strided convolution in its place and fine-tune",
            Help::ClientSide => {
                "end the model before it and let the client apply it after decryption, or fine-tune with a polynomial in its place"
            }
            Help::MakeConstant => "export the operand as an initializer",
            Help::ExportFloat => "export the model with float32 tensors",
            Help::FixShape => "export the model with fixed dimensions",
            Help::ExportInference => "export the model for inference (in PyTorch: `model.eval()`)",
            Help::ConvertOpset => "convert the model with `onnx.version_converter`",
            Help::Inline => "inline functions and unroll control flow (`onnx.inliner`, onnx-simplifier) before compiling",
            Help::TwoDimensional => "use layers with one or two spatial axes",
            Help::OutsideModel => "remove it from the model and do it before encryption or after decryption",
            Help::KeepTogether => "keep the external data files in the model's folder, under the names the model gives",
            Help::CheckWeights => "check the training run, or clean the constant that gives this value",
            Help::IntegerExponent => "use an integer exponent between 0 and 64",
            Help::NearestNeighbour => "use the default mode (constant padding, nearest-neighbour resizing)",
        })
    }
}

impl ImportErrors {
    fn write(&self, f: &mut fmt::Formatter<'_>, diagnostic: &Diagnostic) -> fmt::Result {
        match &diagnostic.site {
            Some(site) => write!(
                f,
                "error: {} `{}`: {}\n  --> {}, node {} of {}, output `{}`",
                site.op,
                site.node,
                diagnostic.problem,
                self.model,
                site.position,
                site.of,
                site.output
            )?,
            None => write!(f, "error: {}\n  --> {}", diagnostic.problem, self.model)?,
        }
        if let Some(note) = diagnostic.note {
            write!(f, "\n   = note: {note}")?;
        }
        if let Some(help) = diagnostic.help {
            write!(f, "\n   = help: {help}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ImportErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.diagnostics.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            self.write(f, diagnostic)?;
        }
        Ok(())
    }
}

impl std::error::Error for ImportErrors {}
