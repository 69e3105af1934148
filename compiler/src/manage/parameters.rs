//! Parameters: scales, primes, levels, gadget digits and special primes for a ring degree and a demand.
//!
//! - The working scale `D = 2^d` leaves `precision_bits` above the noise of a rescale, whose standard deviation in slots
//!   is about `N sqrt(1/18)` for a dense ternary secret, plus `GUARD_BITS` for its growth through the network. Weights,
//!   numbers and masks only need their own rounding to stay below that noise, so their scales are shorter ([`ScaleBits`]).
//! - The modulus of each level exceeds that below by the bits of its rescale (`table`). The last level is
//!   `headroom_bits` longer than `D`, so that values up to `2^(headroom_bits - 1)` decrypt right.
//! - Key switching cuts the pool into digits of `alpha` primes, under special primes that are at least
//!   `SPECIAL_SLACK_BITS` longer than a digit, so that its noise stays below that of a rescale. Among the `alpha` that
//!   fit the security limit the one with the least predicted time of all key switches and keys wins.

use super::demand::{Demand, Need, Work};
use super::like::{Like, Misfit};
use super::possible::Path;
use super::table::{Table, Wanted, least_drop};
use crate::moduli::bits::{GUARD_BITS, SPECIAL_SLACK_BITS};
use crate::moduli::primes::MAX_PRIME_BITS;
pub use crate::moduli::scale_bits::ScaleBits;
use crate::optimisation::{Optimisation, Without};
use crate::refresh::choices::{Choices, Packing};
use crate::refresh::plan::{PlanError, RefreshPlan};
use crate::tensor::Graph;
use peregrine_ir::cost::CostModel;
use peregrine_ir::{Arena, Level, RingId, RingSpec, RingTable, SecretKind, Security, SpecialPrime};
use std::collections::BTreeSet;

/// The fewest bits by which levels between refreshes differ.
const LEAST_REFRESHED_DROP: u32 = 2;
/// The longest modulus of the lowest level in bits, which decryption handles exactly.
pub const MAX_BASE_BITS: u32 = 99;

/// Plans parameters: what they must promise and leave, and by what they are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planner<'c> {
    /// The security that they must promise.
    pub security: Security,
    /// The longest modulus where no security is promised, special primes included; none where it may have any length.
    pub modulus_bits: Option<u32>,
    /// Bits of precision after the point that every rescale must leave.
    pub precision_bits: u32,
    /// Bits by which refreshes are finer than those that leave 13 bits in the worst value.
    pub refresh_bits: u32,
    /// log2 of the largest output magnitude, plus a bit for the sign and the margin.
    pub headroom_bits: u32,
    /// The cost model by which gadget digits are chosen.
    pub cost: &'c CostModel,
    /// Optimisations that are left out.
    pub without: &'c Without,
    /// The circuit within whose parameters they must be, if there is one.
    pub like: Option<&'c Like>,
}

impl Planner<'_> {
    /// A table of rings whose first has degree `2^log_n`, with one level more than there are demanded steps.
    ///
    /// # Errors
    /// When the modulus would exceed the security limit, or the precision asks for primes that are too long or too short.
    pub fn ring(&self, log_n: u32, demand: &Demand) -> Result<RingTable, ParameterError> {
        // The lowest level holds the working scale and the headroom.
        let unit_bits = self.unit_bits(log_n);
        let base_bits = unit_bits + self.headroom_bits;
        if base_bits > MAX_BASE_BITS {
            return Err(ParameterError::Precision {
                log_n,
                needed: base_bits,
            });
        }
        // Each level above exceeds the one below by the longest need of its rescale.
        let mut drops = self.drops(log_n, demand);
        drops.reverse();
        let wanted = Wanted {
            log_n,
            base: base_bits,
            drops,
            work: demand.passes().into_iter().rev().collect(),
            repeats: demand.switches(),
        };
        if let Some(like) = self.like {
            return self.ring_like(like, &wanted);
        }
        // Of the chain and the granular tables the one whose work is cheapest with the best digits for it; while none fits,
        // the one that misses fewest bits.
        let gadget = |table: &Table| self.with_gadget(table, unit_bits, log_n, demand);
        let chain = Table::chain(&wanted).ok_or(ParameterError::Primes { log_n })?;
        let mut best = gadget(&chain);
        let granular = match self.without.contains(&Optimisation::GranularModuli) {
            true => Vec::new(),
            false => Table::granular(&wanted),
        };
        for table in granular {
            match (&best, gadget(&table)) {
                (Ok(known), Ok(found)) if found.0 < known.0 => best = Ok(found),
                (Err(_), Ok(found)) => best = Ok(found),
                (Err(known), Err(found)) if found.missing_bits() < known.missing_bits() => {
                    best = Err(found);
                }
                _ => {}
            }
        }
        best.map(|(_, ring)| ring)
    }

    /// The bits that each step to a lower level drops, the first step first.
    fn drops(&self, log_n: u32, demand: &Demand) -> Vec<u32> {
        let bits = self.scale_bits(log_n);
        let longest = |needs: &BTreeSet<Need>| needs.iter().map(|need| need.bits(&bits)).max();
        let steps = demand.steps();
        steps
            .iter()
            .map(|needs| longest(needs).unwrap_or(0))
            .collect()
    }

    /// A refresh with rings of degree `2^log_n`, between whose result and argument there is one level more than there are demanded
    /// steps. Keys have `special` special primes.
    ///
    /// # Errors
    /// When the modulus would exceed the security limit.
    pub fn refreshed(
        &self,
        log_n: u32,
        (special, packing): (usize, Packing),
        demand: &Demand,
    ) -> Result<RefreshPlan, ParameterError> {
        let choices = self.refresh(log_n, (special, packing))?;
        // No two levels are the same.
        let drops = self.drops(log_n, demand).into_iter();
        let drops: Vec<u32> = drops.map(|drop| drop.max(LEAST_REFRESHED_DROP)).collect();
        let plan = choices.plan_for(&drops);
        let mut plan = plan.map_err(|error| ParameterError::Refresh { log_n, error })?;
        plan.rings.unit_bits = self.unit_bits(log_n);
        plan.leave_with(f64::from(self.unit_bits(log_n) + self.headroom_bits));
        Ok(plan)
    }

    /// The choices of a refresh in rings of degree `2^log_n` with `special` special primes.
    ///
    /// # Errors
    /// When no modulus is secure at that degree.
    pub fn refresh(
        &self,
        log_n: u32,
        (special, packing): (usize, Packing),
    ) -> Result<Choices, ParameterError> {
        let choices = Choices {
            special,
            ..Choices::reference(log_n, self.limit(log_n)?, packing)
        };
        Ok(choices.finer(self.refresh_bits))
    }

    /// Predicted seconds of all key switches and products between the refreshes of a program.
    pub fn seconds_between(&self, plan: &RefreshPlan, demand: &Demand) -> f64 {
        let highest = plan.refresh.levels.out.0;
        let levels = (0..=highest).rev().map(Level);
        let work = levels.zip(demand.work());
        work.map(|(level, work)| self.seconds_at(&plan.rings, level, &work))
            .sum()
    }

    /// The scales at a ring degree, as log2.
    pub fn scale_bits(&self, log_n: u32) -> ScaleBits {
        let unit = self.unit_bits(log_n);
        let bits = match self.without.contains(&Optimisation::SeparateScales) {
            true => ScaleBits::uniform(unit),
            false => ScaleBits::new(unit, log_n),
        };
        bits.with_refreshes(self.refresh_bits)
    }

    /// log2 of the working scale at a ring degree.
    pub fn unit_bits(&self, log_n: u32) -> u32 {
        // log2(N sqrt(1/18)) = log_n - 2.08
        self.precision_bits + GUARD_BITS + log_n - 2
    }

    /// The longest modulus at a ring degree, special primes included.
    ///
    /// # Errors
    /// When there is no such ring.
    pub fn limit(&self, log_n: u32) -> Result<f64, ParameterError> {
        match self.security {
            Security::None => Ok(self.modulus_bits.map_or(f64::INFINITY, f64::from)),
            Security::Classical128 => Security::max_modulus_bits(log_n)
                .map(f64::from)
                .ok_or(ParameterError::Degree { log_n }),
        }
    }

    /// A table of rings within that of another circuit.
    fn ring_like(&self, like: &Like, wanted: &Wanted) -> Result<RingTable, ParameterError> {
        let misfit = |misfit| ParameterError::Like {
            circuit: like.name().to_owned(),
            misfit: Box::new(misfit),
        };
        let unit_bits = self.unit_bits(wanted.log_n);
        let ring = like.within(wanted, unit_bits).map_err(misfit)?;
        for id in ring.rings.keys() {
            let log_n = ring.view(id).log_n();
            let (bits, limit) = (ring.total_bits(id), self.limit(log_n)?);
            if bits > limit {
                return Err(misfit(Misfit::Insecure { log_n, bits, limit }));
            }
        }
        Ok(ring)
    }

    /// Refuses a ring degree whose modulus is too short for what every choice of layouts needs.
    ///
    /// # Errors
    /// When the rescales of the longest path, the lowest level and the shortest special prime together exceed the security limit.
    pub fn possible(&self, graph: &Graph, log_n: u32) -> Result<(), ParameterError> {
        let limit = self.limit(log_n)?;
        let path = Path::longest(graph, &self.scale_bits(log_n));
        let base = self.unit_bits(log_n) + self.headroom_bits;
        let special = f64::from(least_drop(log_n)) + SPECIAL_SLACK_BITS;
        let bits = f64::from(path.bits + base) + special;
        match bits <= limit {
            true => Ok(()),
            false => Err(ParameterError::Depth {
                log_n,
                path,
                bits,
                limit,
            }),
        }
    }

    /// The table with the gadget digits and special primes for which its work is cheapest, and the predicted seconds of that
    /// work.
    fn with_gadget(
        &self,
        table: &Table,
        unit_bits: u32,
        log_n: u32,
        demand: &Demand,
    ) -> Result<(f64, RingTable), ParameterError> {
        let levels = table.rows.len();
        let room = self.room(table, levels, log_n)?;
        // A table of rings for a partition: one ring of all levels, then those of the lower levels, each of half the degree.
        let ring = |gadget: &Gadget, special: Arena<SpecialPrime, u64>| {
            let (pools, digits) = (
                (table.primes.clone(), special),
                table.digits(levels, gadget.alpha),
            );
            let ring =
                RingTable::of_one_ring((log_n, unit_bits), pools, table.rows.clone(), digits);
            let below = (1..).zip(demand.switches());
            below.fold(ring, |ring, (halved, lowest)| {
                let below = RingSpec {
                    secret: SecretKind::Ternary,
                    log_n: log_n - halved,
                    ..RingSpec::default()
                };
                ring.with_lowest_in(lowest, below)
            })
        };
        // The ring of the highest level first. The price depends on the number of special primes, not on their values, so
        // these are searched for the cheapest partition only.
        let work = demand.work();
        let unknown = |gadget: &Gadget| (0..gadget.special).map(|_| 0).collect();
        let gadgets = (1..=table.primes.len()).filter_map(|alpha| Gadget::new(table, alpha, room));
        let gadget = gadgets
            .map(|gadget| {
                let ring = ring(&gadget, unknown(&gadget));
                let seconds = self.seconds(&ring, ring.top_ring(), &work);
                (seconds, gadget)
            })
            .min_by(|a, b| a.0.total_cmp(&b.0));
        let (seconds, gadget) = gadget.ok_or_else(|| self.insecure(table, levels, log_n))?;
        let special = table.special(log_n, gadget.special, gadget.special_bits);
        let special = special.ok_or(ParameterError::Primes { log_n })?;
        // Then each ring below gets the partition that is cheapest for its own levels.
        let mut below = demand.switches().into_iter();
        below.try_fold(
            (seconds, ring(&gadget, special)),
            |(seconds, ring), levels| {
                let (more, ring) = self.with_gadget_below(table, levels, ring, &work)?;
                Ok((seconds + more, ring))
            },
        )
    }

    /// The table with other digits for the ring of the highest of the `levels` lowest levels: those with which the work there is
    /// cheapest, of those that the first of the table's special primes outweigh. With it, the predicted seconds of that work.
    fn with_gadget_below(
        &self,
        table: &Table,
        levels: usize,
        ring: RingTable,
        work: &[Work],
    ) -> Result<(f64, RingTable), ParameterError> {
        let small = ring.ring_of(Level(levels.saturating_sub(1) as u32));
        let log_n = ring.view(small).log_n();
        let room = self.room(table, levels, log_n)?;
        let special: Vec<f64> = ring.special.values().map(|&p| (p as f64).log2()).collect();
        let with_digits = |alpha| {
            let least = Gadget::least_bits(table, levels, alpha);
            let count =
                (1..=special.len()).find(|&n| special.iter().take(n).sum::<f64>() >= least)?;
            let fits = special.iter().take(count).sum::<f64>() <= room;
            let mut ring = ring.clone();
            let spec = &mut ring.rings[small];
            spec.special = ring.special.keys().take(count).collect();
            spec.digits = table.digits(levels, alpha);
            ring.keep_own_digits(small);
            fits.then(|| (self.seconds(&ring, small, work), ring))
        };
        let found = (1..=table.primes.len()).filter_map(with_digits);
        let found = found.min_by(|a, b| a.0.total_cmp(&b.0));
        found.ok_or_else(|| self.insecure(table, levels, log_n))
    }

    /// Bits that a ring has for special primes, beside the primes of the `levels` lowest levels.
    fn room(&self, table: &Table, levels: usize, log_n: u32) -> Result<f64, ParameterError> {
        Ok(self.limit(log_n)? - table.bits(levels))
    }

    fn insecure(&self, table: &Table, levels: usize, log_n: u32) -> ParameterError {
        match self.limit(log_n) {
            Ok(limit) => ParameterError::Security {
                log_n,
                depth: levels as u32 - 1,
                chain_bits: table.bits(levels),
                special_bits: Gadget::least_bits(table, levels, 1),
                limit,
            },
            Err(unknown) => unknown,
        }
    }

    /// Predicted seconds of all key switches and products in one of the rings, with the share of a run in loading the keys.
    fn seconds(&self, ring: &RingTable, id: RingId, work: &[Work]) -> f64 {
        let levels = (0..ring.levels.len() as u32).rev();
        let levels = levels
            .zip(work)
            .filter(|&(level, _)| ring.ring_of(Level(level)) == id);
        let seconds = levels.map(|(level, work)| self.seconds_at(ring, Level(level), work));
        seconds.sum()
    }

    /// Predicted seconds of the work at a level.
    fn seconds_at(&self, ring: &RingTable, level: Level, work: &Work) -> f64 {
        let phases = self.cost.phases(ring, level);
        f64::from(work.switches) * phases.key_switch()
            + f64::from(work.products) * phases.linear().product
            + f64::from(work.keys) * phases.linear().key
    }
}

/// A partition of the primes into gadget digits, with its special primes.
struct Gadget {
    /// The largest number of primes that any level has of a digit.
    alpha: usize,
    /// The number of special primes.
    special: usize,
    /// Bits of each special prime.
    special_bits: f64,
}

impl Gadget {
    /// The partition into digits of `alpha` primes; `None` where its special primes do not fit `room` bits.
    fn new(table: &Table, alpha: usize, room: f64) -> Option<Self> {
        let least = Self::least_bits(table, table.rows.len(), alpha);
        let special = (least / (MAX_PRIME_BITS - 0.05)).ceil() as usize;
        // Longer special primes mean less noise: take what fits.
        let special_bits = (room / special as f64 - 0.01).min(MAX_PRIME_BITS);
        (special_bits * special as f64 >= least).then_some(Self {
            alpha,
            special,
            special_bits,
        })
    }

    /// Bits that all special primes together must have for the `levels` lowest levels.
    fn least_bits(table: &Table, levels: usize, alpha: usize) -> f64 {
        table.longest_digit(levels, alpha) + SPECIAL_SLACK_BITS
    }
}

/// Why there are no parameters for a network.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ParameterError {
    /// Precision and headroom together need too long a modulus at the lowest level.
    #[error(
        "at ring degree 2^{log_n} the asked precision and headroom need a last modulus of {needed} bits, the limit is \
         {MAX_BASE_BITS}: ask for fewer precision bits"
    )]
    Precision {
        /// log2 of the ring degree.
        log_n: u32,
        /// Bits that the modulus needs.
        needed: u32,
    },
    /// There is too little room for what a network needs between two refreshes.
    #[error("at ring degree 2^{log_n}: {error}")]
    Refresh {
        /// log2 of the ring degree.
        log_n: u32,
        /// What is missing.
        error: PlanError,
    },
    /// The modulus would be longer than security allows.
    #[error(
        "depth {depth} needs a modulus of {chain_bits:.0} bits and special primes of at least {special_bits:.0}; at ring degree \
         2^{log_n} the limit for 128-bit security is {limit:.0}: {:.0} bits are missing",
        (chain_bits + special_bits - limit).ceil()
    )]
    Security {
        /// log2 of the ring degree.
        log_n: u32,
        /// Multiplicative depth.
        depth: u32,
        /// Bits of the modulus of the highest level, without special primes.
        chain_bits: f64,
        /// The least bits of the special primes.
        special_bits: f64,
        /// The security limit, in bits.
        limit: f64,
    },
    /// The network is too deep for the ring degree, whatever its layouts.
    #[error(
        "{} products and {} sums one after the other need a modulus of at least {bits:.0} bits; at ring degree 2^{log_n} the limit \
         for 128-bit security is {limit:.0}: {:.0} bits are missing", path.products, path.linear, (bits - limit).ceil()
    )]
    Depth {
        /// log2 of the ring degree.
        log_n: u32,
        /// The longest path through the network.
        path: Path,
        /// The least bits of a modulus, special primes included.
        bits: f64,
        /// The security limit, in bits.
        limit: f64,
    },
    /// The parameters of another circuit do not hold the network.
    #[error(
        "the parameters of `{circuit}` do not hold this network: {misfit}; compile without --like for keys of its own"
    )]
    Like {
        /// The name of the other circuit.
        circuit: String,
        /// The reason.
        misfit: Box<Misfit>,
    },
    /// The security table does not list the ring degree.
    #[error("no 128-bit parameters are known for ring degree 2^{log_n}")]
    Degree {
        /// log2 of the degree.
        log_n: u32,
    },
    /// There are not enough primes of the length that is needed.
    #[error("too few primes below 2^50 for ring degree 2^{log_n}: ask for fewer precision bits")]
    Primes {
        /// log2 of the degree.
        log_n: u32,
    },
}

impl ParameterError {
    /// The error with the name of a node in place of the number of a rescale; `name` gives it by that number.
    #[must_use]
    pub fn named(self, name: impl FnOnce(usize) -> Option<String>) -> Self {
        match self {
            Self::Like { circuit, misfit } => Self::Like {
                circuit,
                misfit: Box::new(misfit.at(name)),
            },
            other => other,
        }
    }

    /// Bits by which the modulus is longer than security allows, if that is the reason.
    pub fn missing_bits(&self) -> Option<f64> {
        match self {
            Self::Security {
                chain_bits,
                special_bits,
                limit,
                ..
            } => Some(chain_bits + special_bits - limit),
            Self::Depth { bits, limit, .. } => Some(bits - limit),
            Self::Like { misfit, .. } => misfit.missing_bits(),
            Self::Refresh {
                error: PlanError::Room { bits },
                ..
            } => Some(*bits),
            _ => None,
        }
    }

    /// log2 of the degree at which precision and headroom together are too long for the lowest level, and the bits by which they
    /// are; `None` for other errors.
    pub fn too_long(&self) -> Option<(u32, u32)> {
        match self {
            Self::Precision { log_n, needed } => {
                Some((*log_n, needed.saturating_sub(MAX_BASE_BITS)))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(log_n: u32, demand: &Demand) -> Result<RingTable, ParameterError> {
        let without = Without::new();
        let planner = Planner {
            security: Security::Classical128,
            precision_bits: 12,
            refresh_bits: 0,
            headroom_bits: 10,
            cost: &CostModel::default(),
            without: &without,
            modulus_bits: None,
            like: None,
        };
        planner.ring(log_n, demand)
    }

    #[test]
    fn five_levels_fit_the_ring_of_degree_8192() {
        let ring = ring(13, &Demand::uniform(5, Need::PRODUCT)).unwrap();
        assert_eq!((ring.levels.len(), ring.unit_bits), (6, 27));
        assert!(ring.total_bits(ring.top_ring()) <= 218.0);
    }

    #[test]
    fn primes_are_distinct_and_suit_the_transform() {
        let ring = ring(15, &Demand::uniform(15, Need::PRODUCT)).unwrap();
        let all: Vec<u64> = ring
            .primes
            .values()
            .chain(ring.special.values())
            .copied()
            .collect();
        let distinct: BTreeSet<u64> = all.iter().copied().collect();
        assert_eq!(all.len(), distinct.len());
        assert!(all.iter().all(|p| p % (1 << 16) == 1
            && *p < RingTable::MAX_PRIME
            && primal_check::miller_rabin(*p)));
    }

    #[test]
    fn too_deep_is_refused_with_both_figures() {
        let error = ring(12, &Demand::uniform(5, Need::PRODUCT))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("limit for 128-bit security is 109"),
            "{error}"
        );
    }

    #[test]
    fn what_is_missing_counts_special_primes() {
        let error = ring(12, &Demand::uniform(6, Need::PRODUCT)).unwrap_err();
        // Six primes of 26 bits above one of 36, and special primes that are 6 bits longer than that.
        let expected = f64::from(6 * 26 + 36 + 36 + 6 - 109);
        let missing = error.missing_bits().unwrap();
        assert!(
            (missing - expected).abs() < 1.0,
            "{missing}, expected {expected}"
        );
    }
}
