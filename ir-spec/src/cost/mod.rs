//! The cost model: predicted seconds of a circuit on a machine.
//!
//! A machine is described by its [`Rates`] at some ring degrees: seconds for each *limb*, the N words of a polynomial modulo
//! one prime. The seconds of an operation follow from the number of limbs of its phases ([`Phases`]), so a rate that was
//! measured at one level holds at every level. Rates of other degrees are scaled from the nearest measured one: passes with N,
//! transforms with N log N.
//!
//! A prediction is the sum over instructions. It has three parts: computing with packed keys in memory, bringing the keys
//! there, and sharing the work between threads. Rates are measured with as many threads as a run has.
//!
//! Assumes: the algorithms of the engine, as `runtime/DESIGN.md` describes them.

mod builtin;
mod linear;
mod phases;
mod predict;
mod profile;
#[cfg(test)]
mod tests;

pub use linear::{LinearCost, PASSES_OF_KEY_SWITCH, PASSES_OF_PRODUCT, Prices};
pub use phases::Phases;
pub use predict::{LARGEST_SHARE, NodeSeconds, Prediction, encoded_share};
pub use profile::{Machine, Profile, ProfileError, Rates};

use crate::{Level, RingId, RingTable};
use std::collections::BTreeMap;

/// A machine whose speed is known: a checked [`Profile`], in which every number is finite and positive and at least one ring
/// degree is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct CostModel {
    machine: Machine,
    threads: usize,
    bytes_per_second: f64,
    degrees: BTreeMap<u32, Rates>,
}

impl CostModel {
    /// Checks a profile and makes a cost model of it.
    ///
    /// # Errors
    /// When a number is not finite or not positive, a degree is not supported, or there is none; the error names the field.
    pub fn new(profile: Profile) -> Result<Self, ProfileError> {
        profile.check()?;
        let Profile {
            version: _,
            machine,
            threads,
            bytes_per_second,
            degrees,
        } = profile;
        Ok(Self {
            machine,
            threads,
            bytes_per_second,
            degrees,
        })
    }

    /// The machine that the model describes.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The number of threads that the model predicts for.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The seconds of operations at a level. For a level that the table lacks, the seconds at the lowest level.
    pub fn phases(&self, ring: &RingTable, level: Level) -> Phases {
        self.phases_in(ring, level, ring.at(level).log_n())
    }

    /// The seconds of operations at a level with ciphertexts of degree `2^log_n`.
    fn phases_in(&self, ring: &RingTable, level: Level, log_n: u32) -> Phases {
        let copy = 16.0 * f64::from(log_n).exp2() / self.bytes_per_second;
        Phases::new(ring, level, self.rates(log_n), copy)
    }

    /// The seconds of a key switch from the ring `from` to `level`, which is in this ring or another.
    fn bridge(&self, ring: &RingTable, from: RingId, level: Level) -> Phases {
        let log_n = ring.view(from).log_n().max(ring.at(level).log_n());
        self.phases_in(ring, level, log_n)
    }

    /// The seconds of the parts of linear operators at every level.
    pub fn prices(&self, ring: &RingTable) -> Prices {
        let levels = 0..ring.levels.len() as u32;
        Prices::new(levels.map(|l| self.phases(ring, Level(l)).linear()))
    }

    /// The rates at a degree: measured, or scaled from the nearest measured degree.
    fn rates(&self, log_n: u32) -> Rates {
        let nearest = self.degrees.iter().min_by_key(|(at, _)| at.abs_diff(log_n));
        // A checked profile has a degree.
        nearest.map_or(builtin::RATES_13, |(&at, rates)| rates.scaled(at, log_n))
    }
}

impl Default for CostModel {
    /// The built-in profile: two cores of an AMD EPYC with AVX-512 IFMA.
    fn default() -> Self {
        Self {
            machine: Machine {
                cores: 2,
                kernels: "avx512-ifma".to_owned(),
            },
            threads: builtin::THREADS,
            bytes_per_second: builtin::BYTES_PER_SECOND,
            degrees: builtin::degrees(),
        }
    }
}
