//! Refreshes: bootstrapping as a function of the circuit.

pub mod choices;
pub mod circuit;
pub mod error;
pub mod exponential;
pub mod fourier;
pub mod function;
mod least_squares;
pub mod plan;
mod rows;
pub mod tail;
mod writer;
