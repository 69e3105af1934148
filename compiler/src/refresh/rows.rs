//! The rows of a refresh: moduli between the argument and the top, as subsets of one pool of primes.

use super::choices::Choices;
use crate::moduli::bits::SPECIAL_SLACK_BITS;
use crate::moduli::primes::{MAX_PRIME_BITS, PrimeSource, TOLERANCE_BITS};
use peregrine_ir::{
    Arena, Entity, LevelSpec, Prime, RingId, RingSpec, RingTable, SecretKind, SpecialPrime,
};

/// The level of the sparse ring with `q_0`.
pub(super) const LOW: u32 = 0;
/// Short primes in the rows from `q_0` to that of the argument, of five.
pub(super) const CHAIN: u32 = 4;
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

/// There are no primes for these choices, or too little room for the steps of a refresh.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// Too few primes.
    #[error("too few primes for a refresh at ring degree 2^{log_n}")]
    Primes {
        /// log2 of the degree.
        log_n: u32,
    },
    /// Values that do not repeat with half of the slots or fewer, or too few.
    #[error(
        "a sparse refresh at ring degree 2^{log_n} takes 2^2 to 2^{} values, not 2^{log_values}",
        log_n.saturating_sub(2)
    )]
    Values {
        /// log2 of the degree.
        log_n: u32,
        /// log2 of the number of values.
        log_values: u32,
    },
    /// The modulus ends before the steps of a refresh do.
    #[error("a refresh needs {bits:.0} more bits of modulus")]
    Room {
        /// Bits that are missing at least.
        bits: f64,
    },
}

/// The primes of a refresh.
pub(super) struct Pool {
    /// Short primes, then long ones.
    primes: Arena<Prime, u64>,
    /// log2 of each.
    bits: Vec<f64>,
    shorts: usize,
    special: Arena<SpecialPrime, u64>,
}

impl Pool {
    /// The pool with as many long primes as the limit leaves room for, or with `longs`.
    pub(super) fn new(choices: &Choices, longs: Option<usize>) -> Result<Self, PlanError> {
        let log_n = choices.log_n;
        let missing = PlanError::Primes { log_n };
        let mut source = PrimeSource::new(log_n);
        let special = (0..choices.special).map(|_| source.below(MAX_PRIME_BITS));
        let special: Option<Arena<SpecialPrime, u64>> = special.collect();
        let special = special.ok_or(missing.clone())?;
        let shorts = choices.short_bits.map(|bits| source.near(f64::from(bits)));
        let shorts: Option<Vec<u64>> = shorts.into_iter().collect();
        let mut primes = shorts.ok_or(missing.clone())?;
        let bits = |&p: &u64| (p as f64).log2();
        let taken = special.values().chain(&primes).map(bits).sum::<f64>();
        let room = choices.limit_bits - taken;
        let most = (room / LONG_BITS).floor().max(0.0) as usize;
        let count = longs.unwrap_or(most.max(1));
        if count > most {
            let bits = LONG_BITS * count as f64 - room;
            return Err(PlanError::Room { bits });
        }
        for _ in 0..count {
            let long = source.below((room / count as f64).min(LONGEST_BITS));
            primes.push(long.ok_or(missing.clone())?);
        }
        Ok(Self {
            bits: primes.iter().map(bits).collect(),
            primes: primes.into_iter().collect(),
            shorts: choices.short_bits.len(),
            special,
        })
    }

    fn bits(&self, prime: Prime) -> f64 {
        self.bits.get(prime.index()).copied().unwrap_or(0.0)
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

    /// The special primes of a ring that has the rows below the argument only: as many as outweigh these.
    fn special_below(&self) -> Vec<SpecialPrime> {
        let chain: f64 = self.bits.iter().take(CHAIN as usize).sum();
        let mut bits = 0.0;
        let missing = |(_, prime): &(SpecialPrime, &u64)| {
            let enough = bits >= chain + SPECIAL_SLACK_BITS;
            bits += (**prime as f64).log2();
            !enough
        };
        let special = self.special.iter().take_while(missing);
        special.map(|(id, _)| id).collect()
    }

    /// The table of rings for rows of the ternary ring above the argument's, descending.
    pub(super) fn rings(&self, choices: &Choices, rows: &[Vec<Prime>]) -> RingTable {
        let level = |ring, primes| LevelSpec { ring, primes };
        let (ternary, sparse) = (RingId(0), RingId(1));
        let chain: Vec<Prime> = self.primes.keys().take(CHAIN as usize).collect();
        let chain_in = |ring| -> Vec<LevelSpec> {
            let counts = 1..=chain.len();
            counts
                .map(|count| level(ring, chain[..count].to_vec()))
                .collect()
        };
        let base: Vec<Prime> = chain.iter().take(1).copied().collect();
        let mut levels = vec![level(sparse, base.clone())];
        let descends = choices.inner_log_n() < choices.log_n;
        if descends {
            levels.extend(chain_in(RingId(2)));
        }
        levels.extend(chain_in(ternary));
        levels.extend(rows.iter().rev().map(|row| level(ternary, row.clone())));
        let spec = |secret, log_n, special, digits| RingSpec {
            log_n,
            secret,
            special,
            digits,
        };
        let weight = choices.weight;
        let special: Vec<SpecialPrime> = self.special.keys().collect();
        let first = special.iter().copied().take(1).collect();
        let below = spec(
            SecretKind::Ternary,
            choices.inner_log_n(),
            self.special_below(),
            vec![chain.clone()],
        );
        let own = [
            spec(SecretKind::Ternary, choices.log_n, special, self.digits()),
            spec(
                SecretKind::Sparse { weight },
                choices.inner_log_n(),
                first,
                vec![base],
            ),
        ];
        RingTable {
            unit_bits: choices.from_bits,
            primes: self.primes.clone(),
            special: self.special.clone(),
            rings: own.into_iter().chain(descends.then_some(below)).collect(),
            levels,
        }
    }
}

/// Rows of descending modulus.
pub(super) struct Descent<'p> {
    pool: &'p Pool,
    pub(super) rows: Vec<Vec<Prime>>,
    bits: f64,
}

impl<'p> Descent<'p> {
    /// From the whole pool down.
    pub(super) fn new(pool: &'p Pool) -> Self {
        Self {
            pool,
            bits: pool.bits.iter().sum(),
            rows: vec![pool.primes.keys().collect()],
        }
    }

    /// Adds the row that is lower by so many bits, as nearly as possible; gives what it is lower by.
    pub(super) fn lower(&mut self, drop: f64) -> Result<f64, PlanError> {
        let missed = |dropped: f64| {
            let miss = (dropped - drop).abs();
            let far = miss > MISS_BITS;
            (miss < MOST_MISS_BITS).then_some(miss + if far { MISSED } else { 0.0 })
        };
        self.cheapest(drop, missed)
    }

    /// Adds the row that is lower by so many bits or a few more.
    pub(super) fn lower_at_least(&mut self, drop: f64) -> Result<(), PlanError> {
        let spent = |dropped: f64| {
            let more = dropped - drop;
            (-TOLERANCE_BITS..MOST_MISS_BITS)
                .contains(&more)
                .then_some(more)
        };
        self.cheapest(drop, spent).map(|_| ())
    }

    /// Bits of the lowest row above those of the argument.
    pub(super) fn left(&self) -> f64 {
        self.bits - self.least()
    }

    /// Bits of the argument.
    fn least(&self) -> f64 {
        self.pool.bits.iter().take(CHAIN as usize).sum()
    }

    /// Adds the row above the argument for which limbs and what it drops cost least; gives what it drops. `cost` refuses what drops too
    /// much or too little.
    fn cheapest(
        &mut self,
        wanted: f64,
        cost: impl Fn(f64) -> Option<f64>,
    ) -> Result<f64, PlanError> {
        let pool = self.pool;
        let (shorts, longs) = pool.bits.split_at(pool.shorts);
        let (least, highest) = (self.least(), self.bits);
        let mut best: Option<(f64, u32, usize, f64)> = None;
        for set in 0..1u32 << shorts.len() {
            let chosen = (0..).zip(shorts).filter(|(i, _)| set >> i & 1 == 1);
            let mut bits: f64 = chosen.map(|(_, bits)| bits).sum();
            for count in 0..=longs.len() {
                if count > 0 {
                    bits += longs.get(count - 1).copied().unwrap_or(0.0);
                }
                if bits <= least || bits >= highest - 1.0 {
                    continue;
                }
                let limbs = set.count_ones() as usize + count;
                let cost = cost(highest - bits).map(|cost| cost + LIMB_BITS * limbs as f64);
                let Some(cost) = cost else { continue };
                if best.is_none_or(|(known, ..)| cost < known) {
                    best = Some((cost, set, count, bits));
                }
            }
        }
        let (_, set, count, bits) = best.ok_or(PlanError::Room {
            bits: (wanted - self.left()).max(MOST_MISS_BITS),
        })?;
        let row = pool.primes.keys().filter(|prime| match prime.index() {
            short if short < pool.shorts => set >> short & 1 == 1,
            long => long < pool.shorts + count,
        });
        let row = row.collect();
        let dropped = self.bits - bits;
        self.rows.push(row);
        self.bits = bits;
        Ok(dropped)
    }
}
