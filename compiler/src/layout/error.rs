//! Why no layout was found.

use crate::tensor::NodeName;
use peregrine_ir::LayoutError;
use peregrine_ir::linear::LinearError;

/// Why no layout was found, and at which node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutPlanError {
    /// A node lacks an operand; a defect of an earlier stage.
    #[error("internal error: {node} lacks an operand")]
    Operand {
        /// The node.
        node: NodeName,
    },
    /// No choice is possible at a node after any choice before it; a defect of the candidates, but where the ring is switched.
    #[error("internal error: no layout suits {node}")]
    NoPlan {
        /// The first such node.
        node: NodeName,
    },
    /// A result cannot be packed.
    #[error("the result of {node} cannot be packed: {source}")]
    Layout {
        /// The node.
        node: NodeName,
        /// What is wrong with its packing.
        source: LayoutError,
    },
    /// A linear map is not well formed.
    #[error("{node}: {source}")]
    Linear {
        /// The node.
        node: NodeName,
        /// What is wrong with its map.
        source: Box<LinearError>,
    },
}
