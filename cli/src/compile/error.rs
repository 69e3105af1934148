//! Why a model does not compile.

use crate::calibrate::CalibrateError;
use crate::options::OptionError;
use peregrine_compiler::advice::WaysOut;
use peregrine_compiler::manage::parameters::ParameterError;
use peregrine_compiler::passes::keys::KeyError;
use peregrine_compiler::pipeline;
use peregrine_compiler::precision::{PrecisionError, SearchError};
use peregrine_compiler::ranges::RangeError;
use peregrine_compiler::rewrite::RewriteError;
use peregrine_compiler::tensor::EvaluateError;
use peregrine_ir::cost::ProfileError;
use peregrine_runtime::simulate::SimulateError;

/// Why there is no circuit for a model and its options.
///
/// ```
/// # fn main() -> Result<(), peregrine::Error> {
/// use peregrine::{CompileError, CompileOptions, Model, compile};
///
/// let model = Model::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/digits/digits.onnx"))?;
/// let small = CompileOptions { log_n: Some(11), ..CompileOptions::default() };
/// match compile(&model, &small).unwrap_err() {
///     CompileError::NoParameters { ways_out, .. } => assert_eq!(ways_out.log_n, Some(13)),
///     other => panic!("{other}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// An option with a value that it cannot have.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// A profile that describes no machine.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// Threads that cannot be started.
    #[error("cannot start the threads: {0}")]
    Threads(String),
    /// A graph that rewriting cannot work on.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// Values that are not known, or have no room.
    #[error(transparent)]
    Calibrate(#[from] CalibrateError),
    /// A network that no parameters hold, with what was found to help.
    #[error("{source}")]
    NoParameters {
        /// What is missing for the smallest parameters.
        source: ParameterError,
        /// Changes of options that were found to help.
        ways_out: WaysOut,
    },
    /// Evaluation keys that are larger than their budget.
    #[error("with {operation_bits} bits per operation, {source}")]
    Keys {
        /// Bits after the point of every operation in the circuit with these keys.
        operation_bits: u32,
        /// The budget, and the least that the keys take.
        source: KeyError,
    },
    /// A precision that no circuit has.
    #[error(transparent)]
    Precision(#[from] PrecisionError),
    /// Any other refusal of the compiler.
    #[error(transparent)]
    Circuit(#[from] pipeline::CompileError),
    /// A circuit that cannot be simulated to find its precision.
    #[error(transparent)]
    Simulate(#[from] SimulateError),
}

impl From<RangeError> for CompileError {
    fn from(error: RangeError) -> Self {
        Self::Calibrate(error.into())
    }
}

impl From<EvaluateError> for CompileError {
    fn from(error: EvaluateError) -> Self {
        Self::Calibrate(error.into())
    }
}

impl From<SearchError<SimulateError>> for CompileError {
    fn from(error: SearchError<SimulateError>) -> Self {
        match error {
            SearchError::Compile(source) => source.into(),
            SearchError::Keys { internal, error } => Self::Keys {
                operation_bits: internal,
                source: error,
            },
            SearchError::Precision(source) => source.into(),
            SearchError::Judge(source) => source.into(),
        }
    }
}
