//! What a circuit costs on a machine: predicted seconds.
//!
//! A machine is described by its [`Rates`] at some ring degrees: seconds per *limb*, the N words of a polynomial modulo one
//! prime. The phases of operations follow by counting ([`Phases`]), so a rate that was measured at one level serves at all.
//! Other degrees are scaled from the nearest measured one: passes with N, transforms with N log N.
//!
//! A prediction is the sum over instructions: what the engine computes with packed keys in memory, and apart from it what
//! bringing the keys there takes and what threads take to share the work. Rates are measured with as many threads as a run has.
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
pub use predict::{NodeSeconds, Prediction};
pub use profile::{Machine, Profile, ProfileError, Rates};

use crate::{Level, RingId, RingTable};
use std::collections::BTreeMap;

/// A checked [`Profile`]: every number in it is finite and positive, and at least one ring degree is there.
#[derive(Clone, Debug, PartialEq)]
pub struct CostModel {
    machine: Machine,
    threads: usize,
    bytes_per_second: f64,
    degrees: BTreeMap<u32, Rates>,
}

impl CostModel {
    /// Checks a profile.
    ///
    /// # Errors
    /// When a number is not finite or not positive, a degree is not supported, or there is none; names the field.
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

    /// The machine it describes.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// How many threads it predicts for.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The phases of operations at a level; those of the lowest price at a level that the ring lacks.
    pub fn phases(&self, ring: &RingTable, level: Level) -> Phases {
        self.phases_in(ring, level, ring.at(level).log_n())
    }

    /// The phases at a level with ciphertexts of degree `2^log_n`.
    fn phases_in(&self, ring: &RingTable, level: Level, log_n: u32) -> Phases {
        let copy = 16.0 * f64::from(log_n).exp2() / self.bytes_per_second;
        Phases::new(ring, level, self.rates(log_n), copy)
    }

    /// The phases of a key switch that leads from a ring to a level, of the same ring or another.
    fn bridge(&self, ring: &RingTable, from: RingId, level: Level) -> Phases {
        self.phases_in(ring, level, ring.view(from).log_n())
    }

    /// The price of linear operators at every level.
    pub fn prices(&self, ring: &RingTable) -> Prices {
        let levels = 0..ring.levels.len() as u32;
        Prices::new(levels.map(|l| self.phases(ring, Level(l)).linear()))
    }

    /// The rates at a degree, measured or scaled.
    fn rates(&self, log_n: u32) -> Rates {
        let nearest = self.degrees.iter().min_by_key(|(at, _)| at.abs_diff(log_n));
        // A checked profile has a degree.
        nearest.map_or(builtin::RATES_13, |(&at, rates)| rates.scaled(at, log_n))
    }
}

impl Default for CostModel {
    /// Two cores of an AMD EPYC with AVX-512 IFMA.
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
