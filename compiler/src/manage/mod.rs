//! Management: slot program to circuit.
//!
//! Notation: `depth` of a value is the number of rescales on its deepest path from the inputs; it lives at level
//! `L - depth`. `D = 2^d` is the working scale; `r_l = Q_l / Q_{l-1}`.
//!
//! 1. [`levels`]: every product is followed by one rescale; sums and rotations of products happen before it, so
//!    that a linear operator with all its giant steps rescales once.
//! 2. [`scales`]: the exact scale of every value. Products of ciphertexts and inputs fix scales; constants are free and
//!    are encoded at whatever makes the result land where its sums need it.
//! 3. [`parameters`]: the smallest ring and the primes that hold the depth at the wanted security.
//! 4. [`emit`]: instructions, with relinearization after sums of products and levels aligned where branches meet.
//!
//! Cost: linear in the program. A value that meets a sum at a lower level than its own is brought there by one product
//! with 1, which costs no level; only when two products of different scales meet at one level is a level spent.

pub mod emit;
pub mod levels;
pub mod parameters;
pub mod scales;

use crate::slots::Program;
use parameters::{ParameterError, Planner};
use peregrine_ir::{Circuit, TypeError};

/// The circuit of a slot program.
///
/// # Errors
/// When no ring holds the depth at the wanted security, or the program is not well formed.
pub fn manage(program: Program, planner: &Planner, name: &str) -> Result<Circuit, ManageError> {
    let program = scales::settle(program)?;
    let ring = planner.ring(program.log_slots + 1, program.depth())?;
    emit::emit(program, ring, planner.security, name)
}

/// Why a program could not be managed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ManageError {
    /// No parameters fit.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
    /// The emitted instruction does not type: a defect of this stage.
    #[error("internal error in manage: {0}")]
    Type(#[from] TypeError),
    /// Something refers to what does not exist: a defect of an earlier stage.
    #[error("internal error in manage: {what}")]
    Internal {
        /// What.
        what: &'static str,
    },
}
