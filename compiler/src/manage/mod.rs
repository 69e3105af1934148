//! Management of levels and scales: from a slot program to a circuit.
//!
//! Notation: a *region* is a stretch of the program in one ring; the *place* of a value is its region and the number of rescales on
//! its deepest path from where that began ([`regions`]). `D = 2^d` is the working scale.
//!
//! 1. [`rescales`]: which products of ciphertexts wait for the next linear operator and share its rescale; `levels`: sums and
//!    rotations of products happen before their rescale, so that a linear operator with all its giant steps rescales once.
//! 2. `scales`: the exact scale of every value. Products of ciphertexts and inputs fix scales; constants are free, and are
//!    encoded at the scale that makes the result land where its sums need it. [`demand`] sums up what every rescale must then drop,
//!    in bits: weights and masks need fewer than activations.
//! 3. [`parameters`]: primes, levels (`table`) and gadget digits that hold the demand at the wanted security; or [`like`]:
//!    parameters within those of another circuit.
//! 4. `emit`: instructions, with relinearization after sums of products and levels aligned where branches meet.
//!
//! Cost: linear in the program. A value that meets a sum at a lower level than its own is brought there by one product
//! with 1, which costs no level; only when two products of different scales meet at one level is a level spent.

pub mod demand;
mod emit;
pub mod like;
pub mod parameters;
pub mod possible;
mod raw;
mod refreshing;
pub mod regions;
pub mod rescales;
mod scales;
mod settled;
mod table;

pub use emit::{emit, emit_refreshed};
pub use settled::{Settled, settle};

use crate::refresh::error::RefreshError;
use peregrine_ir::{SourceNode, TypeError};

/// A program that cannot be managed: a defect of this stage or of an earlier one, whatever the model is.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("internal error in manage{}: {defect}", at(node.as_ref()))]
pub struct ManageError {
    /// The node of the model whose operations the defect is in, if it is in those of one node and the program knows the node.
    pub node: Option<SourceNode>,
    /// The defect.
    pub defect: Defect,
}

fn at(node: Option<&SourceNode>) -> String {
    node.map_or(String::new(), |SourceNode { name, op }| {
        format!(" at {op} `{name}`")
    })
}

/// A defect of a slot program, or of the circuit that is emitted for it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Defect {
    /// An emitted instruction does not type.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// A refresh cannot be written.
    #[error(transparent)]
    Refresh(#[from] Box<RefreshError>),
    /// The table of rings has another number of levels than the program needs.
    #[error("the ring has {found} levels, the program needs {needed}")]
    Levels {
        /// Number of levels of the table.
        found: u32,
        /// Number of levels that the program needs.
        needed: u32,
    },
    /// A value is deeper than the region that it lies in.
    #[error("a value is deeper than its region")]
    Deep,
    /// A value is rescaled although it is before every rescale of its region.
    #[error("a value is rescaled where its region begins")]
    Shallow,
    /// An operand has not been emitted, or does not exist.
    #[error("a value is used before it is emitted")]
    Missing,
    /// The exponents of a scale are out of range.
    #[error("the exponents of a scale run away")]
    Exponent,
    /// Realigning products does not come to an end.
    #[error("scales do not settle")]
    Unsettled,
}

impl Defect {
    /// The error for this defect in the operations of a node.
    fn at(self, node: Option<&SourceNode>) -> ManageError {
        ManageError {
            node: node.cloned(),
            defect: self,
        }
    }
}
