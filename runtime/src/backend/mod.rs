//! Back ends, which run circuits: [`cpu`] on ciphertexts, [`clear`] on cleartext.
//!
//! A back end is an [`Evaluator`](crate::exec::Evaluator) with keys, a [`Footprint`](crate::exec::Footprint) and its own chunks
//! of long sums of products. A device that computes on ciphertexts would be a third, with [`Transfer`] like [`cpu`].

pub mod clear;
pub mod cpu;
mod transfer;
mod weights;

pub use transfer::Transfer;
