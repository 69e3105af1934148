//! The identity of encrypted inputs.

use std::fmt;

/// The identity of encrypted inputs by content: BLAKE3 of their file. Two encryptions of one image differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputsId(pub(super) [u8; 32]);

impl InputsId {
    /// The identity of the inputs in a file.
    pub(crate) fn of(file: &[u8]) -> Self {
        Self(blake3::hash(file).into())
    }
}

impl fmt::Display for InputsId {
    /// Prints the first eight bytes in hexadecimal: enough to tell inputs apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().take(8);
        shown.copied().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
