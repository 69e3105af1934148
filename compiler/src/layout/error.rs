//! Why no layout was found.

use peregrine_ir::LayoutError;
use peregrine_ir::linear::LinearError;

/// Why no layout was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutPlanError {
    /// A node lacks an operand; a defect of an earlier stage.
    #[error("node {node} of the tensor graph lacks an operand")]
    Operand {
        /// Its number.
        node: usize,
    },
    /// No choice is possible; a defect of the candidates.
    #[error("internal error: no layouts suit the graph")]
    NoPlan,
    /// A packing is not well formed; a defect of the candidates.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A linear map is not well formed.
    #[error(transparent)]
    Linear(#[from] LinearError),
}
