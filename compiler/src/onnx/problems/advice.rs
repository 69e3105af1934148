//! Notes and ways out that go with problems.

use crate::onnx::format::FileType;
use std::fmt;

/// The reason for a limit, as a note below an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Encrypted values have sums and products only.
    OnlyRingOperations,
    /// Encrypted values are real numbers; integers have no place.
    RealNumbers,
    /// A circuit has fixed shapes.
    StaticShapes,
}

/// A way out of a problem, as a help line below an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Help {
    /// Train the network with polynomial activations.
    PolynomialActivation,
    /// Replace maximum pooling by average pooling.
    AveragePool,
    /// Normalise by statistics that are stored with the model.
    BatchNormalization,
    /// Leave the last step to the client.
    ClientSide,
    /// Make the operand an initializer of the model.
    MakeConstant,
    /// Convert integers to floats.
    ExportFloat,
    /// Give the size of a symbolic dimension.
    FixShape,
    /// Export the model for inference.
    ExportInference,
    /// Convert the model to another opset.
    ConvertOpset,
    /// Inline functions and subgraphs.
    Inline,
    /// Take the model before it was optimised.
    BeforeOptimisation,
    /// Use two-dimensional layers.
    TwoDimensional,
    /// Remove the operator.
    OutsideModel,
    /// Evaluate what is constant.
    FoldConstants,
    /// Remove labels.
    RemoveLabels,
    /// Keep the files together.
    KeepTogether,
    /// Check the weights of the model.
    CheckWeights,
    /// Replace the exponent by an integer.
    IntegerExponent,
    /// Use the default mode: constant padding, nearest-neighbour resizing.
    NearestNeighbour,
    /// State other ranges, or none.
    ExportRanges,
    /// Give the ONNX model itself, not a file of this type.
    OtherFile(FileType),
    /// Get the file again: it is damaged.
    FetchAgain,
    /// Break the cycle of nodes.
    CheckCycle,
    /// Use a newer opset.
    NewerOpset,
    /// Cast an operand, so that types are equal.
    CastOperand,
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
            Help::BatchNormalization => {
                "use BatchNormalization, whose statistics are constants, in its place and fine-tune"
            }
            Help::AveragePool => "use AveragePool or a strided convolution in its place and fine-tune",
            Help::ClientSide => {
                "the client does this after decryption where only outputs of the model depend on it: end the model with it, or fine-tune with a polynomial in its place"
            }
            Help::MakeConstant => "export the operand as an initializer",
            Help::ExportFloat => "export the model with float32 tensors",
            Help::FixShape => "export the model with fixed dimensions",
            Help::ExportInference => "export the model for inference (in PyTorch: `model.eval()`)",
            Help::ConvertOpset => "convert the model with `onnx.version_converter`",
            Help::Inline => "inline functions and unroll control flow (`onnx.inliner`, onnx-simplifier) before compiling",
            Help::BeforeOptimisation => {
                "give the model as it was before ONNX Runtime optimised or quantised it, or save it with all graph optimisations disabled"
            }
            Help::TwoDimensional => "use layers with one or two spatial axes",
            Help::OutsideModel => "remove it from the model and do it before encryption or after decryption",
            Help::FoldConstants => {
                "fold constants before compiling, as onnx-simplifier does (`onnxsim model.onnx folded.onnx`)"
            }
            Help::RemoveLabels => {
                "remove the outputs that this leads to (class labels, dictionaries of probabilities) and keep the scores or the ArgMax; look labels up after decryption"
            }
            Help::KeepTogether => "keep the external data files in the model's folder, under the names the model gives",
            Help::CheckWeights => "check the training run, or clean the constant that gives this value",
            Help::IntegerExponent => "use an integer exponent between 0 and 64",
            Help::ExportRanges => {
                "export the model again with peregrine-finetune, or remove the key from `metadata_props` and compile with --calibrate"
            }
            Help::OtherFile(file) => file.next_step(),
            Help::FetchAgain => {
                "give an .onnx file; if it is one, it is damaged: export or copy it again and compare the sizes"
            }
            Help::CheckCycle => "check what edited the model; a network for inference has no cycle",
            Help::NewerOpset => "export the model at that opset or a later one",
            Help::CastOperand => "add a Cast, or export the model with all tensors in float32",
            Help::NearestNeighbour => "use the default mode (constant padding, nearest-neighbour resizing)",
        })
    }
}
