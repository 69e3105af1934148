//! Running a circuit on cleartext slots: how anyone tries a model in moments, and the oracle of the tests.
//!
//! What computes is the back end [`crate::backend::clear`], in the same walk over instructions as on ciphertexts. Most of the time goes
//! into filling constants, so a value holds the slots of several images when there are several to compute ([`run_all`]).

mod error;
mod precision;
mod run;
mod twins;

pub use crate::backend::clear::{Headroom, Mismatch};
pub use error::SimulateError;
pub use precision::{Deviation, Foreseen, Prediction, SAMPLES, Sample, predict};
pub use run::{Options, Simulation, Simulations, oddities, run, run_all};
pub use twins::{Drowned, Twins, run_twins};
