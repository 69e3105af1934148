//! Why a graph does not compile.

use crate::layout::LayoutPlanError;
use crate::magnitude::MagnitudeError;
use crate::manage::ManageError;
use crate::manage::parameters::ParameterError;
use crate::passes::PassError;
use crate::passes::keys::KeyError;
use crate::rewrite::RewriteError;
use crate::slots::LowerError;
use peregrine_ir::VerifyErrors;

/// Why a graph does not compile.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CompileError {
    /// A rewrite failed.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// No layout.
    #[error(transparent)]
    Layout(#[from] LayoutPlanError),
    /// Lowering failed.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// Management failed.
    #[error(transparent)]
    Manage(#[from] ManageError),
    /// No ring degree in range holds the depth.
    #[error("{0}; use a shallower network, fewer precision bits, or a larger ring")]
    Parameters(ParameterError),
    /// The range of ring degrees is empty.
    #[error("the range of ring degrees to try is empty")]
    NoDegree,
    /// Keys that do not fit their budget.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A circuit pass failed.
    #[error(transparent)]
    Pass(#[from] PassError),
    /// A weight that the parameters cannot hold.
    #[error(transparent)]
    Magnitude(#[from] MagnitudeError),
    /// The result does not verify: a defect of the compiler.
    #[error("internal error: the compiled circuit does not verify\n{0}")]
    Verify(#[from] VerifyErrors),
    /// The compiler panics: a defect of it, with what the panic says.
    #[error("internal error: {0}")]
    Defect(String),
}
