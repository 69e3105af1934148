//! Errors of the layout search.

use crate::tensor::NodeName;
use peregrine_ir::LayoutError;
use peregrine_ir::linear::LinearError;

/// Why no layouts were found, and at which node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutPlanError {
    /// A node lacks an operand: a defect of an earlier stage.
    #[error("internal error: {node} lacks an operand")]
    Operand {
        /// The node.
        node: NodeName,
    },
    /// No choice at a node follows any choice before it: a defect of the candidates, except where the ring is switched.
    #[error("internal error: no layout suits {node}")]
    NoPlan {
        /// The first such node.
        node: NodeName,
    },
    /// The result of a node cannot be packed.
    #[error("the result of {node} cannot be packed: {source}")]
    Layout {
        /// The node.
        node: NodeName,
        /// What is wrong with its packing.
        source: LayoutError,
    },
    /// The linear map of a node is not well formed.
    #[error("{node}: {source}")]
    Linear {
        /// The node.
        node: NodeName,
        /// What is wrong with the map.
        source: Box<LinearError>,
    },
}
