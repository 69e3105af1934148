//! Why a linear map is not well formed.

use crate::entity::TensorId;
use crate::shape::Shape;

/// Why a linear map is not well formed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinearError {
    /// The weight tensor does not exist.
    #[error("weight tensor {weight} does not exist")]
    NoWeight {
        /// The missing tensor.
        weight: TensorId,
    },
    /// A shape is not what the others imply.
    #[error("{op}: {what} shape is {found}, expected {expected}")]
    Shape {
        /// Keyword of the map.
        op: &'static str,
        /// Which operand.
        what: &'static str,
        /// The shape found.
        found: Shape,
        /// The shape the other attributes imply, in words.
        expected: String,
    },
    /// An attribute is out of range.
    #[error("{op}: {attribute} is {found}, expected {expected}")]
    Attribute {
        /// Keyword of the map.
        op: &'static str,
        /// Name of the attribute.
        attribute: &'static str,
        /// Its value.
        found: String,
        /// What would be right.
        expected: String,
    },
}

impl LinearError {
    pub(super) fn shapes(
        op: &'static str,
        what: &'static str,
        found: &Shape,
        expected: impl ToString,
    ) -> Self {
        Self::Shape {
            op,
            what,
            found: found.clone(),
            expected: expected.to_string(),
        }
    }

    pub(super) fn attribute(
        op: &'static str,
        attribute: &'static str,
        found: impl ToString,
        expected: impl ToString,
    ) -> Self {
        Self::Attribute {
            op,
            attribute,
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }
}
