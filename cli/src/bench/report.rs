//! Measurements as data.

use super::keys::KeySize;
use super::operation::Measurement;
use super::reference::Reference;
use super::speed::{Copying, Transforms};
use peregrine_ir::cost::Machine;
use serde::Serialize;

/// How fast the primitives of the engine are on this machine: what `peregrine bench --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// The machine.
    pub machine: Machine,
    /// How fast memory is copied.
    pub copy: Copying,
    /// The measurements by ring degree.
    pub rings: Vec<RingReport>,
}

/// The measurements at one ring degree.
#[derive(Clone, Debug, Serialize)]
pub struct RingReport {
    /// The parameters.
    pub parameters: Reference,
    /// Transforms of one limb.
    pub transforms: Transforms,
    /// Sizes of keys in files.
    pub keys: Vec<KeySize>,
    /// The operations, by number of threads.
    pub runs: Vec<BenchRun>,
}

/// The operations on some number of threads.
#[derive(Clone, Debug, Serialize)]
pub struct BenchRun {
    /// How many threads.
    pub threads: usize,
    /// Seconds per limb of transforming polynomials, one prime after the other.
    pub transform_seconds: f64,
    /// The operations.
    pub operations: Vec<Measurement>,
}
