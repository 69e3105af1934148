//! What makes a circuit a fragment of another one: the values that it takes and gives.

use crate::entity::Value;
use crate::fingerprint::Fingerprint;

/// A part of a circuit that runs where its imports, keys and constants are; [`crate::cut()`] makes them. It has no ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The circuit that was cut.
    pub whole: Fingerprint,
    /// What it takes: all inputs of its main program, each once.
    pub imports: Vec<Link>,
    /// What it gives, each value once.
    pub exports: Vec<Link>,
}

/// A value that a fragment takes or gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// Its name in the fragment.
    pub value: Value,
    /// Its name in the circuit that was cut.
    pub whole: Value,
}
