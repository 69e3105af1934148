//! Errors of a simulation: disagreements of its accounts with the circuit.

use peregrine_ir::Value;

/// A disagreement between circuit and simulator, which does not happen for verified circuits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The circuit is over other rings.
    #[error("internal error: the circuit is over another ring")]
    Ring,
    /// The type of a value by the simulator's accounts is not the one that the circuit states.
    #[error("internal error: {value} is {found}, the circuit says {expected}")]
    Type {
        /// The value.
        value: Value,
        /// The type by the simulator's accounts.
        found: String,
        /// The type that the circuit states.
        expected: String,
    },
    /// The operands of an instruction do not go together.
    #[error("internal error: operands differ in level, scale or form")]
    Operands,
    /// The exponents of a scale leave their range.
    #[error("internal error: a scale or level does not exist")]
    Exponent,
}
