//! Fragments: parts of a circuit that are circuits of their own.

use crate::entity::Value;
use crate::fingerprint::Fingerprint;

/// What makes a circuit a fragment: the circuit that it was cut from, and the values that it imports and exports in place
/// of ports. A fragment runs where its imports, keys and constants are; [`crate::cut()`] makes fragments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The fingerprint of the circuit that was cut.
    pub whole: Fingerprint,
    /// The imports: all inputs of the fragment's main program, each once.
    pub imports: Vec<Link>,
    /// The exports, each value once.
    pub exports: Vec<Link>,
}

/// A value that a fragment imports or exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The value in the fragment.
    pub value: Value,
    /// The value in the circuit that was cut.
    pub whole: Value,
}
