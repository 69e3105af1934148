//! Refreshes: bootstrapping as a function of the circuit.

pub mod circuit;
pub mod exponential;
pub mod fourier;
pub mod function;
mod least_squares;
pub mod plan;
pub mod tail;
