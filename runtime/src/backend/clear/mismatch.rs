//! What the books of a simulation can disagree about.

use peregrine_ir::Value;

/// A disagreement between circuit and simulator; does not happen for verified circuits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The circuit is over another ring.
    #[error("internal error: the circuit is over another ring")]
    Ring,
    /// The books disagree with the circuit.
    #[error("internal error: {value} is {found}, the circuit says {expected}")]
    Type {
        /// The value.
        value: Value,
        /// By the simulator's books.
        found: String,
        /// By the circuit.
        expected: String,
    },
    /// Operands that do not go together.
    #[error("internal error: operands differ in level, scale or form")]
    Operands,
    /// A scale that cannot be represented.
    #[error("internal error: a scale or level does not exist")]
    Exponent,
}
