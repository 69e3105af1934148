//! The primitives of the engine on this machine, at fixed reference parameters.
//!
//! | file | what |
//! |---|---|
//! | `reference` | the parameters, by ring degree |
//! | `operation` | what is measured, and how many transforms and bytes it takes at least |
//! | `bed` | keys, ciphertexts and the measured calls |
//! | `matrix` | several sums over the same ciphertexts, together or one by one |
//! | `speed` | the yardsticks: transforms of this engine and of `tfhe-ntt`, copied bytes |
//! | `keys` | files of keys |
//! | `weights` | a convolution whose constants are filled |
//! | `profile` | the measurements as a profile of the machine, for `compile --profile` |
//! | `measure`, `report` | all of it, and as data |
//! | `refresh` | a refresh, through all roles |
//!
//! Every time is a median, at the highest level, where operations cost most.

mod bed;
mod error;
mod keys;
mod matrix;
mod measure;
mod operation;
mod profile;
mod reference;
mod refresh;
mod report;
mod speed;
mod timing;
mod weights;

pub use error::{BenchError, BenchFailure, RefreshFailure};
pub use keys::KeySize;
pub use measure::{BenchOptions, measure};
pub use operation::{DOT_DISTINCT, DOT_TERMS, Measurement, Operation};
pub use reference::Reference;
pub use refresh::{
    LOG_N as REFRESH_LOG_N, MAX_REFRESH_BITS, MeasuredRefresh, RefreshOptions, RefreshReport,
    RefreshRun, measure_refresh,
};
pub use report::{BenchReport, BenchRun, RingReport};
pub use speed::{Copying, Forward, Transforms};
pub use timing::Timing;
