//! Parameters of a refresh: primes, levels, scales and the polynomial for a ring degree, from a handful of choices.
//!
//! The pool has five short primes, of which one is the lowest modulus `q_0`, and as many long ones as the security limit leaves. Rows of
//! levels are subsets: every long prime up to a number, and some short ones, so that a modulus is met to about a bit:
//!
//! ```text
//! top           the whole pool
//! raised        the whole pool                     sparse secret
//!  :            coefficients to slots, powers, squarings
//! out           what the refresh gives back
//!  :            (levels of the network)
//! from          q_0 and three short primes
//!  :            slots to coefficients
//! base          q_0
//! low           q_0                                sparse secret
//! ```

use super::exponential::{Domain, Exponential};
use super::function::{ExponentialLevels, Group, Refresh};
use super::tail::{failure_bits, wrap_probability};
use crate::manage::bits::SPECIAL_SLACK_BITS;
use crate::manage::primes::{MAX_PRIME_BITS, PrimeSource};
use peregrine_ir::{
    Arena, Entity, Level, LevelSpec, Prime, RingId, RingSpec, RingTable, Scale, SecretKind,
    SpecialPrime,
};

/// What a group of butterfly stages is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupChoice {
    /// The number of stages.
    pub stages: u32,
    /// Rotations that share a giant step.
    pub babies: usize,
    /// log2 of an entry of 1, encoded.
    pub entry_bits: u32,
    /// log2 of the scale of the result.
    pub scale_bits: u32,
}

/// log2 of the scales within the exponential.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentialBits {
    /// Of `W_2`, `W_4` and `W_8`.
    pub powers: [u32; 3],
    /// Of the products with coefficients.
    pub coefficients: u32,
    /// Of the value before its squarings; each square has one bit less.
    pub value: u32,
    /// Of the result.
    pub out: u32,
}

/// What determines a refresh.
#[derive(Clone, Debug, PartialEq)]
pub struct Choices {
    /// log2 of the degree of the ring.
    pub log_n: u32,
    /// The limit on log2 of the modulus, special primes included.
    pub limit_bits: f64,
    /// The number of special primes of full length.
    pub special: usize,
    /// The number of coefficients of the sparse secret that are not 0.
    pub weight: u32,
    /// Wraps and message ratio.
    pub domain: Domain,
    /// The degree of the polynomial is 15.
    pub squarings: u32,
    /// log2 of `q_0`, and of the other short primes: three for slots to coefficients, one for rows above.
    pub short_bits: [u32; 5],
    /// log2 of the scale of the argument.
    pub from_bits: u32,
    /// Slots to coefficients, in the order in which the groups run; the scale of the last is given by the message ratio.
    pub to_coefficients: [GroupChoice; 3],
    /// Coefficients to slots, in the order in which the groups run.
    pub to_slots: Vec<GroupChoice>,
    /// The exponential.
    pub exponential: ExponentialBits,
}

/// A refresh with the rings it runs in.
#[derive(Clone, Debug)]
pub struct RefreshPlan {
    /// The ternary ring, then the sparse one.
    pub rings: RingTable,
    /// The refresh.
    pub refresh: Refresh,
    /// The message divided by what the refresh gives.
    pub gain: f64,
    /// log2 of the modulus of the argument, and of the results.
    pub modulus_bits: [f64; 2],
    /// log2 of the probability that a coefficient of a ciphertext wraps further than the polynomial reaches.
    pub failure_bits: f64,
}

/// There are no primes for these choices, or too little room for the steps of a refresh.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// Too few primes.
    #[error("too few primes for a refresh at ring degree 2^{log_n}")]
    Primes {
        /// log2 of the degree.
        log_n: u32,
    },
    /// The modulus ends before the steps of a refresh do.
    #[error("a refresh needs {bits:.0} more bits of modulus")]
    Room {
        /// Bits that are missing at least.
        bits: f64,
    },
}

impl Choices {
    /// The choices that refresh `2^16` real values at 128 bits of security, for a ring of this degree and a limit of its modulus.
    pub fn reference(log_n: u32, limit_bits: f64) -> Self {
        let group = |stages, entry_bits, scale_bits| GroupChoice {
            stages,
            babies: 8,
            entry_bits,
            scale_bits,
        };
        let stages = log_n - 1;
        let third = |i: u32| stages * (i + 1) / 3 - stages * i / 3;
        let quarter = |i: u32| stages * (4 - i) / 4 - stages * (3 - i) / 4;
        let down = [(24, 32), (26, 30), (28, 27)];
        let up = [(30, 34), (28, 36), (27, 38), (25, 42)];
        Self {
            log_n,
            limit_bits,
            special: 6,
            weight: 32,
            domain: Domain {
                wraps: 15,
                ratio_bits: 5.0,
            },
            squarings: 4,
            short_bits: [32, 28, 26, 24, 37],
            from_bits: 36,
            to_coefficients: [0, 1, 2]
                .map(|i| group(third(i), down[i as usize].0, down[i as usize].1)),
            to_slots: (0..4)
                .map(|i| group(quarter(i), up[i as usize].0, up[i as usize].1))
                .collect(),
            exponential: ExponentialBits {
                powers: [41, 40, 39],
                coefficients: 25,
                value: 38,
                out: 34,
            },
        }
    }

    /// Weights of the fit: what wraps rarely may be approximated worse.
    fn fit_weight(&self, wrap: u32) -> f64 {
        let probability = wrap_probability(self.weight, wrap).max(f64::MIN_POSITIVE);
        probability.powf(0.25)
    }

    /// The refresh.
    ///
    /// # Errors
    /// When there are too few primes, or the modulus is too short for the steps of a refresh.
    pub fn plan(&self) -> Result<RefreshPlan, PlanError> {
        let pool = Pool::new(self)?;
        let mut descent = Descent::new(&pool);
        self.slots_above(&mut descent)?;
        self.exponential_above(&mut descent)?;
        let rows = descent.rows;
        let top = BELOW + rows.len() as u32;
        let rings = pool.rings(self, &rows);
        let refresh = self.refresh(top);
        let bits = |level: Level| rings.level_bits(level).unwrap_or(0.0);
        let share = (f64::from(self.base_scale_bits()) - bits(Level(BASE))).exp2();
        Ok(RefreshPlan {
            gain: refresh.gain(share),
            modulus_bits: [bits(refresh.from.0), bits(refresh.levels.out)],
            failure_bits: failure_bits(
                self.weight,
                self.domain.wraps,
                self.domain.ratio_bits,
                1 << self.log_n,
            ),
            rings,
            refresh,
        })
    }

    /// log2 of the scale of the message at `q_0`.
    fn base_scale_bits(&self) -> u32 {
        self.to_coefficients[2].scale_bits
    }

    /// The rows of coefficients to slots.
    fn slots_above(&self, rows: &mut Descent<'_>) -> Result<(), PlanError> {
        let mut scale = f64::from(self.short_bits[0]);
        let last = self.to_slots.len().saturating_sub(1);
        for (i, group) in self.to_slots.iter().enumerate() {
            // A stage halves; the last group divides by the bound of the argument, too.
            let bound = match i == last {
                true => (2.0 * self.domain.bound()).log2(),
                false => 0.0,
            };
            let entries = f64::from(group.entry_bits) + f64::from(group.stages) + bound;
            let wanted = f64::from(group.scale_bits);
            rows.lower(scale + entries - wanted)?;
            scale = wanted;
        }
        Ok(())
    }

    /// The rows of the exponential.
    fn exponential_above(&self, rows: &mut Descent<'_>) -> Result<(), PlanError> {
        let bits = &self.exponential;
        let last = self.to_slots.last();
        let mut scale = last.map_or(0.0, |group| f64::from(group.scale_bits));
        for wanted in bits.powers {
            // Of the value that the power is a multiple of: what doubles stays behind.
            let product = 2.0 * scale - DOUBLED_BITS;
            scale = product - rows.lower(product - f64::from(wanted))?;
        }
        rows.lower(f64::from(bits.coefficients))?;
        let mut value = f64::from(bits.value);
        rows.lower(2.0 * scale - value)?;
        for i in 0..self.squarings {
            let wanted = f64::from(bits.value) - f64::from(i + 1);
            value = 2.0 * value - rows.lower(2.0 * value - wanted)?;
        }
        rows.lower(2.0 * value - f64::from(bits.out))?;
        Ok(())
    }

    /// The refresh, for a table whose highest level of the ternary ring is `top`.
    fn refresh(&self, top: u32) -> Refresh {
        let group = |choice: &GroupChoice, stages, to| Group {
            stages,
            babies: choice.babies,
            to: Level(to),
            scale: Scale::power_of_two(choice.scale_bits as i32),
        };
        let mut reached = 0;
        let to_coefficients = (0..).zip(&self.to_coefficients).map(|(i, choice)| {
            let from = reached + 1;
            reached += choice.stages;
            group(choice, (from, reached), FROM - 1 - i)
        });
        let to_coefficients = to_coefficients.collect();
        let mut left = self.log_n - 1;
        let to_slots = (0..).zip(&self.to_slots).map(|(i, choice)| {
            let to = left;
            left -= choice.stages;
            // The level of the raised modulus stands below the top.
            group(choice, (left + 1, to), top - 2 - i)
        });
        let to_slots: Vec<Group> = to_slots.collect();
        let below = |steps: u32| Level(top - 1 - to_slots.len() as u32 - steps);
        Refresh {
            from: (Level(FROM), Scale::power_of_two(self.from_bits as i32)),
            log_slots: self.log_n - 1,
            to_coefficients,
            raise: [Level(LOW), Level(top - 1), Level(top)],
            exponential: Exponential::fit(self.domain, 15, self.squarings, |wrap| {
                self.fit_weight(wrap)
            }),
            levels: ExponentialLevels {
                powers: [below(1), below(2), below(3)],
                coefficients: below(4),
                squares: (5..=5 + self.squarings).map(below).collect(),
                scale: Scale::power_of_two(self.exponential.value as i32),
                out: below(6 + self.squarings),
            },
            to_slots,
        }
    }
}

/// The levels of the sparse ring with `q_0`, of the ternary ring with it, of the argument, and the lowest above these.
const LOW: u32 = 0;
const BASE: u32 = 1;
const FROM: u32 = 4;
const BELOW: u32 = 5;
/// Short primes in the rows from base to argument, of five.
const CHAIN: usize = 4;
/// The factor of two of a doubled power, as a loss of its scale.
const DOUBLED_BITS: f64 = 1.0;
/// Bits of the long primes, at least, and at most: so many outweigh as many special primes by the slack.
const LONG_BITS: f64 = 48.0;
const LONGEST_BITS: f64 = 48.9;
/// Bits by which a row may miss what is wanted, and what it costs to miss it by more.
const MISS_BITS: f64 = 1.5;
const MISSED: f64 = 20.0;
/// Bits by which a row misses what is wanted where there is no room left.
const MOST_MISS_BITS: f64 = 8.0;
/// What a limb costs, in bits by which a row misses what is wanted.
const LIMB_BITS: f64 = 1.0;

/// The primes of a refresh.
struct Pool {
    /// Short primes, then long ones.
    primes: Arena<Prime, u64>,
    shorts: usize,
    special: Arena<SpecialPrime, u64>,
}

impl Pool {
    fn new(choices: &Choices) -> Result<Self, PlanError> {
        let log_n = choices.log_n;
        let missing = PlanError::Primes { log_n };
        let mut source = PrimeSource::new(log_n);
        let special = (0..choices.special).map(|_| source.below(MAX_PRIME_BITS));
        let special: Option<Arena<SpecialPrime, u64>> = special.collect();
        let special = special.ok_or(missing.clone())?;
        let shorts = choices.short_bits.map(|bits| source.near(f64::from(bits)));
        let shorts: Option<Vec<u64>> = shorts.into_iter().collect();
        let mut primes = shorts.ok_or(missing.clone())?;
        let bits = |p: u64| (p as f64).log2();
        let room = choices.limit_bits
            - special.values().map(|&p| bits(p)).sum::<f64>()
            - primes.iter().map(|&p| bits(p)).sum::<f64>();
        let count = (room / LONG_BITS).floor();
        if count < 1.0 {
            let bits = LONG_BITS - room;
            return Err(PlanError::Room { bits });
        }
        for _ in 0..count as usize {
            let long = source.below((room / count).min(LONGEST_BITS));
            primes.push(long.ok_or(missing.clone())?);
        }
        Ok(Self {
            primes: primes.into_iter().collect(),
            shorts: choices.short_bits.len(),
            special,
        })
    }

    fn bits(&self, prime: Prime) -> f64 {
        self.primes.get(prime).map_or(0.0, |&p| (p as f64).log2())
    }

    fn row_bits(&self, row: &[Prime]) -> f64 {
        row.iter().map(|&p| self.bits(p)).sum()
    }

    /// Digits that the special primes outweigh: the short primes and some long ones, then long ones.
    fn digits(&self) -> Vec<Vec<Prime>> {
        let most: f64 = self.special.values().map(|&p| (p as f64).log2()).sum();
        let mut digits: Vec<Vec<Prime>> = Vec::new();
        let mut reached = f64::INFINITY;
        for prime in self.primes.keys() {
            let bits = self.bits(prime);
            if reached + bits > most - SPECIAL_SLACK_BITS {
                digits.push(Vec::new());
                reached = 0.0;
            }
            reached += bits;
            if let Some(digit) = digits.last_mut() {
                digit.push(prime);
            }
        }
        digits
    }

    /// The table of rings for rows of the ternary ring above the argument's, descending.
    fn rings(&self, choices: &Choices, rows: &[Vec<Prime>]) -> RingTable {
        let level = |ring, primes| LevelSpec { ring, primes };
        let (ternary, sparse) = (RingId(0), RingId(1));
        let chain: Vec<Prime> = self.primes.keys().take(CHAIN).collect();
        let base = chain.iter().take(1).copied().collect();
        let raised = rows.first().cloned().unwrap_or_default();
        let mut levels = vec![level(sparse, base)];
        levels.extend((1..=CHAIN).map(|count| level(ternary, chain[..count].to_vec())));
        levels.extend(rows.iter().rev().map(|row| level(ternary, row.clone())));
        let top = levels.len() - 1;
        levels.insert(top, level(sparse, raised));
        let spec = |secret, special: usize, digits| RingSpec {
            log_n: choices.log_n,
            secret,
            special: self.special.keys().take(special).collect(),
            digits,
        };
        let weight = choices.weight;
        let each = self.primes.keys().map(|p| vec![p]).collect();
        RingTable {
            unit_bits: choices.from_bits,
            primes: self.primes.clone(),
            special: self.special.clone(),
            rings: Arena::from_iter([
                spec(SecretKind::Ternary, self.special.len(), self.digits()),
                spec(SecretKind::Sparse { weight }, 1, each),
            ]),
            levels,
        }
    }
}

/// Rows of descending modulus.
struct Descent<'p> {
    pool: &'p Pool,
    rows: Vec<Vec<Prime>>,
    bits: f64,
}

impl<'p> Descent<'p> {
    /// From the whole pool down.
    fn new(pool: &'p Pool) -> Self {
        let all: Vec<Prime> = pool.primes.keys().collect();
        Self {
            pool,
            bits: pool.row_bits(&all),
            rows: vec![all],
        }
    }

    /// Adds the row that is lower by so many bits, as nearly as possible; gives what it is lower by.
    fn lower(&mut self, drop: f64) -> Result<f64, PlanError> {
        let (shorts, longs): (Vec<Prime>, Vec<Prime>) = self
            .pool
            .primes
            .keys()
            .partition(|p| p.index() < self.pool.shorts);
        let target = self.bits - drop;
        let rows = (0..1u32 << shorts.len()).flat_map(|set| {
            let shorts = (0..).zip(&shorts).filter(move |(i, _)| set >> i & 1 == 1);
            let shorts: Vec<Prime> = shorts.map(|(_, &p)| p).collect();
            let longs = &longs;
            (0..=longs.len()).map(move |count| [&shorts, &longs[..count]].concat())
        });
        let least = self
            .pool
            .row_bits(&self.pool.primes.keys().take(CHAIN).collect::<Vec<_>>());
        let (highest, pool) = (self.bits, self.pool);
        let priced = rows.filter_map(|row| {
            let bits = pool.row_bits(&row);
            let miss = (bits - target).abs();
            let price =
                miss + LIMB_BITS * row.len() as f64 + if miss > MISS_BITS { MISSED } else { 0.0 };
            (bits > least && bits < highest - 1.0).then_some((price, row, bits))
        });
        let best = priced.min_by(|a, b| a.0.total_cmp(&b.0));
        let found = best.filter(|(_, _, bits)| (bits - target).abs() < MOST_MISS_BITS);
        let (_, row, bits) = found.ok_or(PlanError::Room {
            bits: (least - target).max(MOST_MISS_BITS),
        })?;
        let dropped = self.bits - bits;
        self.rows.push(row);
        self.bits = bits;
        Ok(dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peregrine_ir::cost::CostModel;
    use peregrine_ir::{Security, verify};

    #[test]
    fn a_refresh_at_128_bits_gains_840() {
        let plan = Choices::reference(16, 1747.0).plan().unwrap();
        let [from, out] = plan.modulus_bits;
        assert!(out - from >= 840.0, "{from:.0} to {out:.0} bits");
        assert!(plan.failure_bits < -100.0, "{}", plan.failure_bits);
        let total = plan.rings.total_bits(RingId(0));
        assert!(total <= 1747.0, "{total}");
    }

    #[test]
    fn a_modulus_without_room_is_refused() {
        for bits in [300.0, 600.0] {
            let error = Choices::reference(15, bits).plan().unwrap_err();
            assert!(
                matches!(error, PlanError::Room { bits } if bits > 0.0),
                "{error}"
            );
        }
    }

    /// Rows differ, ascend, and are whole digits' worth below the special primes.
    #[test]
    fn every_degree_has_a_plan_that_the_verifier_takes() {
        for log_n in [9, 12, 15] {
            let plan = Choices::reference(log_n, 1747.0).plan().unwrap();
            let circuit = plan.circuit(Security::None, &CostModel::default()).unwrap();
            verify(circuit).unwrap_or_else(|errors| panic!("2^{log_n}: {errors}"));
        }
    }
}
