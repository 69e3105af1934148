//! Errors of the compiler.

use crate::layout::LayoutPlanError;
use crate::magnitude::MagnitudeError;
use crate::manage::ManageError;
use crate::manage::parameters::ParameterError;
use crate::passes::PassError;
use crate::passes::keys::KeyError;
use crate::placement::PlacementError;
use crate::refresh::error::RefreshError;
use crate::rewrite::RewriteError;
use crate::slots::LowerError;
use peregrine_ir::VerifyErrors;

/// Why a network does not compile.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CompileError {
    /// A rewrite of the graph failed.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// No layouts were found.
    #[error(transparent)]
    Layout(#[from] LayoutPlanError),
    /// Lowering to a slot program failed.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// Management of levels and scales failed.
    #[error(transparent)]
    Manage(#[from] ManageError),
    /// No ring degree in the range holds the network.
    #[error("{0}; use a shallower network, fewer precision bits, or a larger ring")]
    Parameters(ParameterError),
    /// Values cannot be refreshed where they would have to be.
    #[error("{source}, and values cannot be refreshed: {refused}")]
    Placement {
        /// What is missing without refreshes.
        source: Box<ParameterError>,
        /// Why they cannot be refreshed.
        refused: Box<PlacementError>,
    },
    /// A refresh has levels or scales that do not suit each other: a defect of the compiler.
    #[error("internal error: {0}")]
    Refresh(#[from] Box<RefreshError>),
    /// The range of ring degrees is empty.
    #[error("the range of ring degrees to try is empty")]
    NoDegree,
    /// Evaluation keys do not fit their budget.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A circuit pass failed.
    #[error(transparent)]
    Pass(#[from] PassError),
    /// A weight of the model is too large for the parameters.
    #[error(transparent)]
    Magnitude(#[from] MagnitudeError),
    /// The circuit does not verify: a defect of the compiler.
    #[error("internal error: the compiled circuit does not verify\n{0}")]
    Verify(#[from] VerifyErrors),
    /// The compiler panicked, with this message: a defect of the compiler.
    #[error("internal error: {0}")]
    Defect(String),
}
