//! Inputs that the client works on before it encrypts.

use crate::onnx::format::Element;
use crate::tensor::SourceId;

/// An input that the client works on before it encrypts.
pub(super) struct Given<'m> {
    pub(super) name: &'m str,
    pub(super) element: Element,
    pub(super) source: SourceId,
}
