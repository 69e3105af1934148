//! Management: slot program to circuit.
//!
//! Notation: a *region* is a stretch of the program in one ring; the *place* of a value is its region and the number of rescales on
//! its deepest path from where that began ([`regions`]). `D = 2^d` is the working scale.
//!
//! 1. [`rescales`]: which products of ciphertexts wait for the next linear operator and share its rescale; `levels`: sums and
//!    rotations of products happen before their rescale, so that a linear operator with all its giant steps rescales once.
//! 2. `scales`: the exact scale of every value. Products of ciphertexts and inputs fix scales; constants are free and
//!    are encoded at whatever makes the result land where its sums need it.
//!    [`demand`] sums up what every rescale must then drop, in bits: weights and masks need fewer than activations.
//! 3. [`parameters`]: primes, levels (`table`) and gadget that hold the demand at the wanted security.
//!    Or [`like`]: parameters within those of another circuit.
//! 4. `emit`: instructions, with relinearization after sums of products and levels aligned where branches meet.
//!
//! Cost: linear in the program. A value that meets a sum at a lower level than its own is brought there by one product
//! with 1, which costs no level; only when two products of different scales meet at one level is a level spent.

mod bits;
pub mod demand;
mod emit;
mod levels;
pub mod like;
pub mod parameters;
pub mod possible;
pub mod primes;
pub mod regions;
pub mod rescales;
mod scale_bits;
mod scales;
mod settled;
mod table;

pub use emit::emit;
pub use settled::{Settled, settle};

use peregrine_ir::TypeError;

/// Why a program could not be managed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ManageError {
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
