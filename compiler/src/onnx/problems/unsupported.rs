//! Operators that are not supported: why, and what to do instead.

use super::advice::{Help, Note};
use std::fmt;

/// Why an operator is not supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// An activation that is not a polynomial.
    Activation,
    /// An activation that is not a polynomial, where the client cannot apply it.
    Closing,
    /// A maximum over a window.
    MaxPool,
    /// A comparison or a choice.
    Comparison,
    /// The position of an extreme, where the client cannot look for it.
    Position,
    /// A root, quotient, exponential or logarithm.
    Transcendental,
    /// A normalisation by statistics of the encrypted values.
    Normalisation,
    /// Exponentials of encrypted values.
    Softmax,
    /// Rounding, integers, quantized values.
    Rounding,
    /// Loops, branches, recurrences.
    ControlFlow,
    /// Sequences, optionals, strings.
    NotATensor,
    /// Labels, dictionaries and text made of results.
    Labels,
    /// A domain whose operators are not known.
    Domain {
        /// Name of the domain.
        domain: String,
    },
    /// An operator that no rule of the compiler is for.
    Unknown,
}

/// Why `op` of the default domain is not supported.
pub(in crate::onnx) fn reason(op: &str) -> Reason {
    match op {
        "Relu" | "LeakyRelu" | "PRelu" | "Elu" | "Selu" | "Celu" | "ThresholdedRelu" | "Clip"
        | "HardSigmoid" | "HardSwish" | "Swish" | "Mish" | "Gelu" | "Softplus" | "Softsign"
        | "Erf" | "Shrink" | "Abs" => Reason::Activation,
        "Sigmoid" | "Tanh" => Reason::Closing,
        "MaxPool" | "GlobalMaxPool" | "MaxRoiPool" | "LpPool" | "GlobalLpPool" | "MaxUnpool" => {
            Reason::MaxPool
        }
        "Max" | "Min" | "Where" | "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual"
        | "Equal" | "Not" | "And" | "Or" | "Xor" | "Sign" | "TopK" | "Hardmax" | "ReduceMax"
        | "ReduceMin" | "NonMaxSuppression" | "NonZero" | "IsNaN" | "IsInf" | "Unique" => {
            Reason::Comparison
        }
        "ArgMax" | "ArgMin" => Reason::Position,
        "Sqrt" | "Reciprocal" | "Exp" | "Log" | "Sin" | "Cos" | "Tan" | "Asin" | "Acos"
        | "Atan" | "Sinh" | "Cosh" | "Asinh" | "Acosh" | "Atanh" | "ReduceL2" | "ReduceL1"
        | "ReduceLogSum" | "ReduceLogSumExp" | "Mod" | "Attention" => Reason::Transcendental,
        "InstanceNormalization"
        | "LayerNormalization"
        | "GroupNormalization"
        | "LRN"
        | "LpNormalization"
        | "MeanVarianceNormalization"
        | "RMSNormalization" => Reason::Normalisation,
        "Softmax" | "LogSoftmax" => Reason::Softmax,
        "Cast"
        | "CastLike"
        | "Floor"
        | "Ceil"
        | "Round"
        | "QuantizeLinear"
        | "DequantizeLinear"
        | "DynamicQuantizeLinear"
        | "QLinearConv"
        | "QLinearMatMul"
        | "ConvInteger"
        | "MatMulInteger"
        | "BitShift" => Reason::Rounding,
        "If" | "Loop" | "Scan" | "LSTM" | "GRU" | "RNN" => Reason::ControlFlow,
        _ if op.contains("Sequence") || op.contains("Optional") || op.contains("String") => {
            Reason::NotATensor
        }
        _ => Reason::Unknown,
    }
}

/// Whether an operator of the domain `ai.onnx.ml` turns results into labels.
pub(in crate::onnx) fn makes_labels(op: &str) -> bool {
    matches!(
        op,
        "ArrayFeatureExtractor"
            | "ZipMap"
            | "LabelEncoder"
            | "CategoryMapper"
            | "DictVectorizer"
            | "CastMap"
            | "Binarizer"
    )
}

/// Whether the operators of a domain are what ONNX Runtime's optimiser makes of the standard ones.
fn is_optimised(domain: &str) -> bool {
    domain == "com.microsoft"
        || domain.starts_with("com.microsoft.")
        || domain == "com.ms.internal.nhwc"
}

impl Reason {
    pub(in crate::onnx) fn note(&self) -> Option<Note> {
        match self {
            Reason::Activation
            | Reason::Closing
            | Reason::MaxPool
            | Reason::Comparison
            | Reason::Position
            | Reason::Transcendental
            | Reason::Normalisation
            | Reason::Softmax
            | Reason::Rounding => Some(Note::OnlyRingOperations),
            Reason::Labels
            | Reason::ControlFlow
            | Reason::NotATensor
            | Reason::Domain { .. }
            | Reason::Unknown => None,
        }
    }

    pub(in crate::onnx) fn help(&self) -> Help {
        match self {
            Reason::Activation | Reason::Comparison | Reason::Transcendental => {
                Help::PolynomialActivation
            }
            Reason::Normalisation => Help::BatchNormalization,
            Reason::MaxPool => Help::AveragePool,
            Reason::Closing | Reason::Position | Reason::Softmax => Help::ClientSide,
            Reason::Rounding => Help::ExportFloat,
            Reason::Labels => Help::RemoveLabels,
            Reason::Domain { domain } if is_optimised(domain) => Help::BeforeOptimisation,
            Reason::ControlFlow | Reason::Domain { .. } => Help::Inline,
            Reason::NotATensor | Reason::Unknown => Help::OutsideModel,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Activation | Reason::Closing => {
                f.write_str("this activation is not a polynomial and is not supported")
            }
            Reason::MaxPool => {
                f.write_str("a maximum over encrypted values is not supported, only averages")
            }
            Reason::Comparison | Reason::Position => f.write_str("comparing encrypted values is not supported"),
            Reason::Transcendental => {
                f.write_str("this function of encrypted values is not supported, only polynomials")
            }
            Reason::Normalisation => f.write_str(
                "normalising by statistics of encrypted values is not supported, only BatchNormalization",
            ),
            Reason::Softmax => f.write_str("exponentials of encrypted values are not supported"),
            Reason::Rounding => f.write_str("rounding encrypted values is not supported"),
            Reason::ControlFlow => {
                f.write_str("loops, branches and recurrences are not supported")
            }
            Reason::NotATensor => {
                f.write_str("sequences, optionals and strings are not supported, only tensors")
            }
            Reason::Labels => {
                f.write_str("looking up labels is not supported, only numbers are computed")
            }
            Reason::Domain { domain } => {
                write!(f, "operators of the domain `{domain}` are not supported")
            }
            Reason::Unknown => f.write_str("this operator is not supported"),
        }
    }
}
