//! Tables of levels: the primes of the modulus of each level.
//!
//! A level asks for bits, not for primes: its modulus must exceed that of the level below by what its rescale drops. A *chain*
//! gives each rescale primes of its own, of equal length; a rescale of 30 bits then costs a limb as one of 50 does. In a
//! *granular* table nearly all primes are as long as they may be, and a few short ones come and go from row to row:
//!
//! ```text
//! level 3   L L L L       S2      a rescale to level 2 drops S2 and adds S1: 12 bits
//! level 2   L L L L   S1
//! level 1   L L L     S1  S2
//! level 0   L L
//! ```
//! Rows are not nested then: a rescale multiplies by the primes that come in and divides by those that go. What it costs is the
//! same; a key holds the primes of all levels up to its own. (Samardzic and Sanchez, *BitPacker*, ASPLOS 2024, fills machine words
//! likewise; here the pool is shared by all levels, and the short primes are chosen for the network.)
//!
//! Short primes are searched: none, one or two of several lengths. For each set a dynamic program from the lowest level up finds the
//! rows that have the fewest limbs, weighted by the work at each level; it keeps the states that no other is better than both in
//! bits and in cost.

use crate::moduli::primes::{MAX_PRIME_BITS, PrimeSource, TOLERANCE_BITS};
use peregrine_ir::{Arena, Entity, Prime, SecondaryMap, SpecialPrime};
use std::cmp::Ordering;

/// Bits by which a prime must be longer than the degree, for there to be enough primes of its length.
const PRIME_GUARD_BITS: u32 = 6;
/// Bits of the shortest short primes, and the step from one length to the next.
const SHORT_BITS: (u32, u32) = (20, 3);
/// The number of tables that are priced exactly.
const FINALISTS: usize = 6;
/// Deeper tables are searched with every second length of short primes, and with [`DEEP_STATES`] states at a level: the number of
/// states that no other dominates grows with every level.
const DEEP: usize = 80;
const DEEP_STATES: usize = 64;

/// The bits, the work and the ring switches that a table of levels must hold.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) log_n: u32,
    /// Bits of the lowest level.
    pub(super) base: u32,
    /// Bits by which each level must exceed the one below, the lowest level first.
    pub(super) drops: Vec<u32>,
    /// The passes over each limb of a level, the lowest level first.
    pub(super) work: Vec<f64>,
    /// The levels that have the primes of the level below, because rings are switched there.
    pub(super) repeats: Vec<usize>,
}

impl Wanted {
    /// The smallest number of bits by which a level may exceed the one below.
    pub(super) fn least_drop(&self) -> u32 {
        least_drop(self.log_n)
    }

    fn is_deep(&self) -> bool {
        self.drops.len() > DEEP
    }
}

/// The smallest number of bits of a prime for rings of a degree.
pub(super) fn least_drop(log_n: u32) -> u32 {
    log_n + PRIME_GUARD_BITS
}

/// A table of levels: primes, and the rows of these that make up each modulus.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    /// All primes, short ones first where there are such.
    pub(super) primes: Arena<Prime, u64>,
    /// The primes of each level, the lowest level first.
    pub(super) rows: Vec<Vec<Prime>>,
    /// The number of short primes, at the start of the pool, that come and go from row to row.
    short: usize,
}

impl Table {
    /// The chain: each level adds primes of its own, as few as hold its bits; `None` where there are not enough primes.
    pub(super) fn chain(wanted: &Wanted) -> Option<Self> {
        let mut source = PrimeSource::new(wanted.log_n);
        let mut table = Self {
            primes: Arena::new(),
            rows: Vec::new(),
            short: 0,
        };
        let drops = std::iter::once(&wanted.base).chain(&wanted.drops);
        for (level, &bits) in drops.enumerate() {
            if wanted.repeats.contains(&level) {
                table.rows.push(table.primes.keys().collect());
                continue;
            }
            let bits = f64::from(bits.max(wanted.least_drop()));
            let count = ((bits - TOLERANCE_BITS) / MAX_PRIME_BITS).ceil().max(1.0);
            for _ in 0..count as usize {
                let prime = source.near((bits / count).min(MAX_PRIME_BITS))?;
                table.primes.push(prime);
            }
            table.rows.push(table.primes.keys().collect());
        }
        Some(table)
    }

    /// The granular tables with the lowest cost, the cheapest first.
    pub(super) fn granular(wanted: &Wanted) -> Vec<Self> {
        let (shortest, step) = SHORT_BITS;
        let shortest = shortest.max(wanted.least_drop());
        let step = match wanted.is_deep() {
            true => 2 * step,
            false => step,
        };
        let lengths: Vec<u32> = (shortest..MAX_PRIME_BITS as u32)
            .step_by(step as usize)
            .collect();
        let Some(longs) = Longs::new(wanted) else {
            return Vec::new();
        };
        let tables = longs.short_sets(wanted.log_n, &lengths).into_iter();
        let tables = tables.filter_map(|shorts| RowSearch::new(wanted, &longs, shorts).run());
        let mut tables: Vec<(f64, Self)> = tables.collect();
        tables.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Where a short prime is of no use, its length makes no difference.
        tables.dedup_by(|a, b| a.1 == b.1);
        let tables = tables.into_iter().map(|(_, table)| table);
        tables.take(FINALISTS).collect()
    }

    /// The primes of the `levels` lowest levels, ascending.
    fn names(&self, levels: usize) -> Vec<Prime> {
        let held = self.held(self.rows.iter().take(levels).flatten());
        let names = held.iter().filter(|(_, held)| **held);
        names.map(|(p, _)| p).collect()
    }

    /// For each prime of the pool, whether it is one of `primes`.
    fn held<'p>(&self, primes: impl IntoIterator<Item = &'p Prime>) -> SecondaryMap<Prime, bool> {
        let mut held = SecondaryMap::filled(&self.primes, false);
        for &prime in primes {
            held[prime] = true;
        }
        held
    }

    /// log2 of the product of the primes of the `levels` lowest levels.
    pub(super) fn bits(&self, levels: usize) -> f64 {
        self.names(levels).iter().map(|&p| self.prime_bits(p)).sum()
    }

    fn prime_bits(&self, prime: Prime) -> f64 {
        (self.primes[prime] as f64).log2()
    }

    /// A partition of the primes of the `levels` lowest levels into digits, as few as possible, with the short primes in the
    /// first. No level has more than `alpha` primes of a digit.
    pub(super) fn digits(&self, levels: usize, alpha: usize) -> Vec<Vec<Prime>> {
        let names = self.names(levels);
        let rows = self.rows.iter().take(levels);
        let at_once = rows.map(|row| self.shorts_of(row)).max();
        let beside = alpha.saturating_sub(at_once.unwrap_or(0));
        let first = names.len().min(match self.shorts_of(&names) {
            0 => 0,
            short => short + beside,
        });
        let (first, rest) = names.split_at(first);
        let first = std::iter::once(first).filter(|first| !first.is_empty());
        first
            .chain(rest.chunks(alpha))
            .map(<[Prime]>::to_vec)
            .collect()
    }

    fn shorts_of(&self, row: &[Prime]) -> usize {
        row.iter().filter(|p| p.index() < self.short).count()
    }

    /// The largest number of bits that any of the `levels` lowest levels has of a digit.
    pub(super) fn longest_digit(&self, levels: usize, alpha: usize) -> f64 {
        let digits = self.digits(levels, alpha);
        let lengths = SecondaryMap::from_fn(&self.primes, |p, _| self.prime_bits(p));
        let mut longest: f64 = 0.0;
        for row in self.rows.iter().take(levels) {
            let held = self.held(row);
            let bits = |&p: &Prime| match held[p] {
                true => lengths[p],
                false => 0.0,
            };
            for digit in &digits {
                longest = longest.max(digit.iter().map(bits).sum());
            }
        }
        longest
    }

    /// Further primes of at most `bits` bits, for P; `None` where there are not enough.
    pub(super) fn special(
        &self,
        log_n: u32,
        count: usize,
        bits: f64,
    ) -> Option<Arena<SpecialPrime, u64>> {
        let mut source = PrimeSource::new(log_n);
        for &prime in self.primes.values() {
            source.reserve(prime);
        }
        (0..count).map(|_| source.below(bits)).collect()
    }
}

/// A candidate row: all long primes up to a number, and some short ones.
#[derive(Clone, Copy, Debug)]
struct State {
    longs: usize,
    /// The short primes of the row, a bit for each.
    shorts: u32,
    bits: f64,
    /// Limbs of this level and those below, weighted with their work.
    cost: f64,
    /// The index of the state of the level below, among those kept there.
    below: usize,
}

impl State {
    /// The state of the next level with the same primes.
    fn repeated(&self, below: usize, work: f64) -> Self {
        let limbs = self.longs + self.shorts.count_ones() as usize;
        Self {
            cost: self.cost + work * limbs as f64,
            below,
            ..*self
        }
    }
}

/// The long primes, as many as any table needs.
struct Longs {
    primes: Vec<u64>,
    /// log2 of the product of the first `i` long primes, for each `i` from 0.
    bits: Vec<f64>,
}

impl Longs {
    /// The long primes for a table; `None` where there are not enough.
    fn new(wanted: &Wanted) -> Option<Self> {
        let drops = wanted.drops.iter().map(|&d| d.max(wanted.least_drop()));
        // Rows exceed what is wanted by less than a long prime each, and by far less for most.
        let enough = f64::from(wanted.base + drops.sum::<u32>()) * 1.25 + 2.0 * MAX_PRIME_BITS;
        let mut source = PrimeSource::new(wanted.log_n);
        let (mut primes, mut bits, mut reached) = (Vec::new(), vec![0.0], 0.0);
        while reached < enough {
            let prime = source.below(MAX_PRIME_BITS)?;
            reached += (prime as f64).log2();
            primes.push(prime);
            bits.push(reached);
        }
        Some(Self { primes, bits })
    }

    /// Sets of short primes: the empty set, one prime of each length, and two of each pair of lengths, as far as there are such
    /// primes beside the long ones.
    fn short_sets(&self, log_n: u32, lengths: &[u32]) -> Vec<Vec<u64>> {
        let nearest = lengths.iter().map(|&bits| {
            let mut source = PrimeSource::new(log_n);
            self.primes.iter().for_each(|&prime| source.reserve(prime));
            [(); 2].map(|()| source.near(f64::from(bits)))
        });
        let nearest: Vec<[Option<u64>; 2]> = nearest.collect();
        let mut sets = vec![Vec::new()];
        for (i, &[first, _]) in nearest.iter().enumerate() {
            sets.extend(first.map(|first| vec![first]));
            for others in nearest.iter().skip(i) {
                let other = others.iter().flatten().find(|&&other| Some(other) != first);
                sets.extend(first.zip(other.copied()).map(|(a, b)| vec![a, b]));
            }
        }
        sets
    }
}

/// The search for rows with one set of short primes.
struct RowSearch<'w> {
    wanted: &'w Wanted,
    shorts: Vec<u64>,
    /// log2 of the product of each subset of the short primes.
    short_bits: Vec<f64>,
    longs: &'w Longs,
}

impl<'w> RowSearch<'w> {
    fn new(wanted: &'w Wanted, longs: &'w Longs, shorts: Vec<u64>) -> Self {
        let length = |set: u32| -> f64 {
            let chosen = (0u32..).zip(&shorts).filter(|(i, _)| set >> i & 1 == 1);
            chosen.map(|(_, &p)| (p as f64).log2()).sum()
        };
        let short_bits = (0..1 << shorts.len()).map(length).collect();
        Self {
            wanted,
            shorts,
            short_bits,
            longs,
        }
    }

    /// The cheapest rows and their cost; `None` where the long primes do not suffice.
    fn run(&self) -> Option<(f64, Table)> {
        let wanted = self.wanted;
        // Below the lowest level is one state without primes.
        let ground = State {
            longs: 0,
            shorts: 0,
            bits: 0.0,
            cost: 0.0,
            below: 0,
        };
        let mut kept = vec![vec![ground]];
        let least = wanted.least_drop();
        let drops = std::iter::once(wanted.base).chain(wanted.drops.iter().map(|&d| d.max(least)));
        // Upwards: every row that may lie above a kept state, without those that another dominates.
        for (i, drop) in drops.enumerate() {
            let work = wanted.work[i];
            let below = (0..).zip(kept.last()?);
            let above: Vec<State> = match wanted.repeats.contains(&i) {
                true => below.map(|(at, state)| state.repeated(at, work)).collect(),
                false => below
                    .flat_map(|(at, state)| self.above(at, state, f64::from(drop), work))
                    .collect(),
            };
            let above = efficient(above);
            kept.push(match wanted.is_deep() {
                true => thinned(above),
                false => above,
            });
        }
        // Back down: from the cheapest row of the highest level along the rows that led to it.
        let cheapest = |states: &Vec<State>| {
            let states = states.iter().enumerate();
            states
                .min_by(|a, b| a.1.cost.total_cmp(&b.1.cost))
                .map(|s| s.0)
        };
        let mut at = cheapest(kept.last()?)?;
        let cost = kept.last()?[at].cost;
        let mut states = Vec::new();
        for level in kept.iter().skip(1).rev() {
            states.push(level[at]);
            at = level[at].below;
        }
        states.reverse();
        Some((cost, self.table(&states)))
    }

    /// The rows that may lie above a state: for each subset of the short primes, the fewest long primes that suffice.
    fn above(&self, i: usize, below: &State, drop: f64, work: f64) -> Vec<State> {
        let least = below.bits + drop - TOLERANCE_BITS;
        let state = |(shorts, bits): (u32, &f64)| {
            let longs = self.longs.bits.partition_point(|long| long + bits < least);
            let limbs = longs + shorts.count_ones() as usize;
            Some(State {
                longs,
                shorts,
                bits: self.longs.bits.get(longs)? + bits,
                cost: below.cost + work * limbs as f64,
                below: i,
            })
        };
        (0..).zip(&self.short_bits).filter_map(state).collect()
    }

    fn table(&self, states: &[State]) -> Table {
        let count = states.iter().map(|state| state.longs).max().unwrap_or(0);
        let used = states.iter().fold(0, |used, state| used | state.shorts);
        let shorts = (0u32..).zip(&self.shorts);
        let shorts: Vec<(u32, u64)> = shorts
            .filter(|(i, _)| used >> i & 1 == 1)
            .map(|(i, &prime)| (i, prime))
            .collect();
        let longs = self.longs.primes.iter().take(count).copied();
        let primes = shorts.iter().map(|&(_, prime)| prime).chain(longs);
        let primes: Arena<Prime, u64> = primes.collect();
        let row = |state: &State| -> Vec<Prime> {
            let short = (0u32..).zip(&shorts);
            let short = short.filter(|(_, (bit, _))| state.shorts >> bit & 1 == 1);
            let long = (shorts.len() as u32..).take(state.longs);
            short.map(|(i, _)| i).chain(long).map(Prime::new).collect()
        };
        Table {
            rows: states.iter().map(row).collect(),
            primes,
            short: shorts.len(),
        }
    }
}

/// Some states of a list of efficient ones, evenly spread, from the one with the fewest bits to the cheapest.
fn thinned(states: Vec<State>) -> Vec<State> {
    let count = states.len();
    if count <= DEEP_STATES {
        return states;
    }
    let chosen = (0..DEEP_STATES).map(|i| i * (count - 1) / (DEEP_STATES - 1));
    chosen.map(|i| states[i]).collect()
}

/// The efficient states, those that no other dominates in both bits and cost; ascending in bits.
fn efficient(mut states: Vec<State>) -> Vec<State> {
    states.sort_by(|a, b| match a.bits.total_cmp(&b.bits) {
        Ordering::Equal => a.cost.total_cmp(&b.cost),
        order => order,
    });
    let mut cheapest = f64::INFINITY;
    states.retain(|state| {
        let better = state.cost < cheapest;
        cheapest = cheapest.min(state.cost);
        better
    });
    states
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn wanted(log_n: u32, base: u32, drops: Vec<u32>) -> Wanted {
        let work = vec![1.0; drops.len() + 1];
        Wanted {
            log_n,
            base,
            drops,
            work,
            repeats: Vec::new(),
        }
    }

    fn bits(table: &Table, row: &[Prime]) -> f64 {
        let primes = row.iter().map(|&p| *table.primes.get(p).unwrap());
        primes.map(|p| (p as f64).log2()).sum()
    }

    fn check(table: &Table, wanted: &Wanted, alpha: usize) {
        let distinct: BTreeSet<u64> = table.primes.values().copied().collect();
        assert_eq!(distinct.len(), table.primes.len());
        assert_eq!(table.rows.len(), wanted.drops.len() + 1);
        let used: BTreeSet<Prime> = table.rows.iter().flatten().copied().collect();
        assert_eq!(used, table.primes.keys().collect(), "a prime is in vain");
        let mut below = 0.0;
        let drops = std::iter::once(&wanted.base).chain(&wanted.drops);
        for (level, (row, &drop)) in table.rows.iter().zip(drops).enumerate() {
            let bits = bits(table, row);
            if wanted.repeats.contains(&level) {
                assert_eq!(Some(row), table.rows.get(level - 1));
                continue;
            }
            assert!(
                bits - below >= f64::from(drop) - TOLERANCE_BITS - 1e-6,
                "{bits} on {below}"
            );
            below = bits;
        }
        assert_eq!(
            table.names(table.rows.len()),
            table.primes.keys().collect::<Vec<_>>()
        );
        for levels in 1..=table.rows.len() {
            check_digits(table, levels, alpha);
        }
    }

    fn check_digits(table: &Table, levels: usize, alpha: usize) {
        let digits = table.digits(levels, alpha);
        let mut all: Vec<Prime> = digits.concat();
        all.sort_unstable();
        assert_eq!(all, table.names(levels));
        let mut longest: f64 = 0.0;
        for (digit, row) in digits
            .iter()
            .flat_map(|d| table.rows.iter().take(levels).map(move |r| (d, r)))
        {
            let shared: Vec<Prime> = row.iter().filter(|p| digit.contains(p)).copied().collect();
            assert!(shared.len() <= alpha.max(2));
            longest = longest.max(bits(table, &shared));
        }
        assert!((longest - table.longest_digit(levels, alpha)).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn rows_exceed_each_other_by_what_is_wanted(
            log_n in 5u32..17,
            base in 20u32..99,
            drops in proptest::collection::vec(12u32..120, 0..30),
            alpha in 1usize..8,
            repeats in 1usize..40,
        ) {
            let levels = drops.len() + 1;
            let wanted = Wanted {
                repeats: Some(repeats).filter(|&level| level < levels).into_iter().collect(),
                ..wanted(log_n, base, drops)
            };
            check(&Table::chain(&wanted).unwrap(), &wanted, alpha);
            let tables = Table::granular(&wanted);
            prop_assert!(!tables.is_empty());
            for table in &tables {
                check(table, &wanted, alpha);
            }
        }
    }

    #[test]
    fn deep_tables_hold_what_is_wanted() {
        let drops = (0..200).map(|i| 26 + i * 7 % 45).collect();
        let wanted = wanted(16, 45, drops);
        for table in Table::granular(&wanted) {
            check(&table, &wanted, 12);
        }
    }

    #[test]
    fn short_primes_that_come_and_go_save_limbs() {
        let wanted = wanted(16, 40, vec![70, 26, 70, 26, 70, 26, 70, 26, 70, 26]);
        let limbs = |table: &Table| table.rows.iter().map(Vec::len).sum::<usize>();
        let (chain, granular) = (Table::chain(&wanted).unwrap(), Table::granular(&wanted));
        assert_eq!(limbs(&chain), 96);
        assert_eq!(granular.iter().map(limbs).min(), Some(71));
        let nested = |rows: &[Vec<Prime>]| rows[0].iter().all(|p| rows[1].contains(p));
        assert!(
            granular
                .iter()
                .any(|table| !table.rows.windows(2).all(nested))
        );
    }

    #[test]
    fn work_decides_where_limbs_are_saved() {
        let mut uneven = wanted(13, 30, vec![40, 75, 40, 75, 40, 75]);
        for level in 0..uneven.work.len() {
            uneven.work = vec![1.0; uneven.work.len()];
            uneven.work[level] = 1e6;
            let drops: u32 = uneven.drops[..level].iter().sum();
            let least = (f64::from(uneven.base + drops) / MAX_PRIME_BITS).ceil() as usize;
            let table = &Table::granular(&uneven)[0];
            assert!(
                table.rows[level].len() <= least + 1,
                "level {level}: {:?}",
                table.rows
            );
        }
    }
}
