//! Simulation: running a circuit on cleartext slots, to try a model in moments, and as the oracle of the tests.
//!
//! The clear back end, [`crate::backend::clear`], computes in the walk over instructions that runs on ciphertexts take. Most of
//! the time goes into evaluating constants, so a value holds the slots of several images when there are several to compute
//! ([`run_all`]).

mod error;
mod precision;
mod run;
mod twins;

pub use crate::backend::clear::{Headroom, Mismatch};
pub use error::SimulateError;
pub use precision::{Deviation, Foreseen, Prediction, SAMPLES, Sample, predict};
pub use run::{Options, Simulation, Simulations, oddities, run, run_all};
pub use twins::{Drowned, Twins, run_twins};
