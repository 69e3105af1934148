//! Why bytes are not a circuit or an interface.

use super::container::ContainerError;
use crate::entity::Value;
use crate::fingerprint::Fingerprint;
use crate::interface::InterfaceError;
use crate::key::Key;
use crate::layout::LayoutError;
use crate::shape::ShapeError;
use crate::tensor::TensorError;
use crate::typing::TypeError;
use crate::verify::VerifyErrors;

/// Why a file is not a circuit or an interface.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// The container is damaged or not the one asked for.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// A chunk is not what it should be.
    #[error("malformed file: {0}")]
    Decode(#[from] DecodeError),
    /// The circuit breaks rules of the verifier.
    #[error("the circuit does not verify:\n{0}")]
    Verify(#[from] VerifyErrors),
    /// The interface breaks a rule of the verifier.
    #[error("the client interface is not valid: {0}")]
    Interface(#[from] InterfaceError),
    /// The content does not have the fingerprint that the header states.
    #[error("the content has fingerprint {found}, the file says {expected}")]
    Fingerprint {
        /// The fingerprint in the header.
        expected: Fingerprint,
        /// The fingerprint of the content.
        found: Fingerprint,
    },
}

/// Why a chunk does not decode.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences name every field")]
pub enum DecodeError {
    #[error("not a protobuf message: {message}")]
    Protobuf { message: String },
    #[error("{field} is missing")]
    Missing { field: &'static str },
    #[error("{field} is {found}, expected {expected}")]
    Range {
        field: &'static str,
        found: i64,
        expected: &'static str,
    },
    #[error("{field} has {found} entries, expected {expected}")]
    Length {
        field: &'static str,
        found: usize,
        expected: usize,
    },
    #[error("column `{column}` ends early")]
    ColumnEnds { column: &'static str },
    #[error("column `{column}` has {left} entries too many")]
    ColumnLeft { column: &'static str, left: usize },
    #[error("{value}: operation {opcode} is not known")]
    Opcode { value: Value, opcode: u8 },
    #[error("{value}: {source}")]
    Type { value: Value, source: TypeError },
    #[error("the {key} is declared twice")]
    KeyTwice { key: Key },
    #[error(transparent)]
    Shape(#[from] ShapeError),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

impl From<prost::DecodeError> for DecodeError {
    fn from(error: prost::DecodeError) -> Self {
        Self::Protobuf {
            message: error.to_string(),
        }
    }
}
