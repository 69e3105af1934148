//! What an ONNX file holds, before anything is made of it: what is no model at all, bytes that the parser must not see, tensors
//! and where they are stored, element types, ranges in the metadata.

mod constant;
mod element;
mod external;
mod ranges;
mod scan;
mod sniff;
pub(in crate::onnx) mod tensor;

pub(in crate::onnx) use constant::{Constant, elements};
pub use element::{Element, FloatType};
pub use external::{ExternalData, ExternalError, Location, NoExternalData};
pub(in crate::onnx) use ranges::{Origin, stated};
pub use ranges::{RANGES_KEY, StatedError};
pub use scan::ScanError;
pub(in crate::onnx) use scan::{Message, scan};
pub use sniff::{FileType, OwnFile};
pub use tensor::{TensorReadError, TensorValue, read_tensor};
