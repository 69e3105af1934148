//! Fingerprints, which name circuits by their content.

use std::fmt;

/// The fingerprint of a circuit: its name by content. Files that belong together carry the same one.
///
/// It is SHA-256 over a domain tag, the length of the encoded public part, the encoded public part and the SHA-256 of
/// the encoded private part: whoever holds the public part and that hash can check the fingerprint without seeing a
/// weight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    /// Prints the first eight bytes in hexadecimal: enough to tell files apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().take(8);
        shown.copied().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
