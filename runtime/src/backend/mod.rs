//! The back ends that run circuits: [`cpu`] on ciphertexts, [`clear`] on cleartext.
//!
//! Each is an [`Evaluator`](crate::exec::Evaluator) with keys, a [`Footprint`](crate::exec::Footprint) and a way to cut long sums of
//! products of its own. A device that computes on ciphertexts would be a third, and a [`Transfer`] as [`cpu`] is.

pub mod clear;
pub mod cpu;
mod transfer;
mod weights;

pub use transfer::Transfer;
