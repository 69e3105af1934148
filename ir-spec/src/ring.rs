//! The rings a circuit runs in: degrees, prime pool, levels, gadget digits, and the security line they must respect.

use crate::entity::{Arena, Entity, Prime, RingId, SpecialPrime};
use crate::scale::Scale;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Index into the table of moduli; of two levels of one ring the higher one has more modulus left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Level(pub u32);

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Rotation of the slots to the left, `1 ..= slots - 1`; the automorphism `X -> X^(5^k)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Rotation(pub u32);

impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the parameters promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum Security {
    /// 128 bits against classical attacks, as [`Self::max_modulus_bits`] measures them; the verifier enforces it.
    #[serde(rename = "128")]
    Classical128,
    /// None: toy rings for tests. Every tool that meets it warns.
    #[serde(rename = "none")]
    None,
}

impl Security {
    /// The largest log2(Q P) that `128` allows for ring degree `2^log_n`: ternary secret, classical attacks.
    ///
    /// `None` for degrees the sources do not list (no modulus is secure enough to be of use below 2^10). The limits of 2^12 to
    /// 2^15 are those of \[ACC+18\], the others those of \[BCC+24\]. Where they differ, \[BCC+24\] is lower by 3 to 13 bits:
    /// `SECURITY.md` has both, and what attacks are estimated to cost at each.
    ///
    /// # References
    /// - \[ACC+18\] Albrecht et al., *Homomorphic Encryption Standard*, Table 1. <https://eprint.iacr.org/2019/939>
    /// - \[BCC+24\] Bossuat et al., *Security Guidelines for Implementing Homomorphic Encryption*, Table 5.2.
    ///   <https://eprint.iacr.org/2024/463>
    pub fn max_modulus_bits(log_n: u32) -> Option<u32> {
        match log_n {
            10 => Some(26),
            11 => Some(53),
            12 => Some(109),
            13 => Some(218),
            14 => Some(438),
            15 => Some(881),
            16 => Some(1747),
            17 => Some(3523),
            _ => None,
        }
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Classical128 => "128",
            Self::None => "none",
        })
    }
}

/// One ring of a circuit: the polynomials of a degree under the secret of that degree, and how keys are switched there.
///
/// Only [`Inst::SwitchRing`](crate::Inst::SwitchRing) leads from one ring to another, of smaller degree.
///
/// # References
/// - \[GHPS12\] Gentry, Halevi, Peikert, Smart, *Ring switching in BGV-style homomorphic encryption*.
///   <https://eprint.iacr.org/2012/240>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RingSpec {
    /// log2 of the degree N of `Z[X] / (X^N + 1)`; N / 2 slots.
    pub log_n: u32,
    /// The special primes of its P, ascending; none where nothing is key-switched.
    pub special: Vec<SpecialPrime>,
    /// Partition of the primes of its levels into the digits of key switching.
    pub digits: Vec<Vec<Prime>>,
}

/// A level: a modulus of a ring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LevelSpec {
    /// The ring.
    pub ring: RingId,
    /// The primes of its modulus Q_l, in the order of their limbs.
    pub primes: Vec<Prime>,
}

/// A ring of a circuit with the values of its special primes.
#[derive(Clone, Copy, Debug)]
pub struct RingView<'r> {
    spec: &'r RingSpec,
    special: &'r Arena<SpecialPrime, u64>,
}

impl<'r> RingView<'r> {
    /// log2 of the degree.
    pub fn log_n(&self) -> u32 {
        self.spec.log_n
    }

    /// Degree.
    pub fn degree(&self) -> usize {
        1 << self.spec.log_n
    }

    /// Slots of a ciphertext, half the degree.
    pub fn slots(&self) -> u32 {
        1 << (self.spec.log_n.max(1) - 1)
    }

    /// The digits of key switching.
    pub fn digits(&self) -> &'r [Vec<Prime>] {
        &self.spec.digits
    }

    /// How many primes P has.
    pub fn special_count(&self) -> usize {
        self.spec.special.len()
    }

    /// The values of the primes of P.
    pub fn special(&self) -> impl Iterator<Item = u64> + use<'r> {
        let pool = self.special;
        let primes = self.spec.special.iter();
        primes.filter_map(move |&p| pool.get(p).copied())
    }

    /// log2 of P.
    pub fn special_bits(&self) -> f64 {
        self.special().map(|p| (p as f64).log2()).sum()
    }
}

/// The rings of a circuit, their primes and the table of levels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RingTable {
    /// The unit `D = 2^unit_bits` in which the text form writes scales; no meaning beyond that.
    pub unit_bits: u32,
    /// The pool from which levels are drawn.
    pub primes: Arena<Prime, u64>,
    /// The pool from which rings draw the primes of their P, present in extended ciphertexts and in keys.
    pub special: Arena<SpecialPrime, u64>,
    /// The rings, in any order.
    pub rings: Arena<RingId, RingSpec>,
    /// The levels. Those of one ring ascend in modulus; rows need not be nested.
    pub levels: Vec<LevelSpec>,
}

/// A ring that is not in the table: what is asked of it is found wrong by whoever checks the table.
static NO_RING: RingSpec = RingSpec {
    log_n: *RingTable::LOG_N.start(),
    special: Vec::new(),
    digits: Vec::new(),
};

impl RingTable {
    /// Smallest and largest supported degree, as logarithms.
    pub const LOG_N: std::ops::RangeInclusive<u32> = 3..=17;
    /// Every prime is below this: the fast transforms need it, and some libraries are wrong above.
    pub const MAX_PRIME: u64 = 1 << 50;

    /// One ring `r0` of degree `2^log_n` with all special primes, which every level is in.
    pub fn of_one_ring(
        (log_n, unit_bits): (u32, u32),
        (primes, special): (Arena<Prime, u64>, Arena<SpecialPrime, u64>),
        rows: Vec<Vec<Prime>>,
        digits: Vec<Vec<Prime>>,
    ) -> Self {
        let spec = RingSpec {
            log_n,
            special: special.keys().collect(),
            digits,
        };
        let ring = RingId(0);
        let level = |primes| LevelSpec { ring, primes };
        Self {
            unit_bits,
            primes,
            special,
            rings: Arena::from_iter([spec]),
            levels: rows.into_iter().map(level).collect(),
        }
    }

    /// The same levels, the lowest `levels` of them in one more ring. From the digits of the other rings go the primes that only
    /// these levels had.
    #[must_use]
    pub fn with_lowest_in(mut self, levels: usize, ring: RingSpec) -> Self {
        let id = self.rings.push(ring);
        let lowest = self.levels.iter_mut().take(levels);
        lowest.for_each(|level| level.ring = id);
        let others: Vec<RingId> = self.rings.keys().filter(|&other| other != id).collect();
        others
            .into_iter()
            .for_each(|other| self.keep_own_digits(other));
        self
    }

    /// Takes the primes that none of its levels has out of the digits of a ring.
    pub fn keep_own_digits(&mut self, ring: RingId) {
        let own = self.primes_of(ring);
        if let Some(spec) = self.rings.get_mut(ring) {
            for digit in &mut spec.digits {
                digit.retain(|prime| own.binary_search(prime).is_ok());
            }
            spec.digits.retain(|digit| !digit.is_empty());
        }
    }

    /// The ring of a level; the first ring for a level that does not exist.
    pub fn ring_of(&self, level: Level) -> RingId {
        let level = self.levels.get(level.0 as usize);
        level.map_or(RingId(0), |level| level.ring)
    }

    /// A ring of the table.
    pub fn view(&self, ring: RingId) -> RingView<'_> {
        RingView {
            spec: self.rings.get(ring).unwrap_or(&NO_RING),
            special: &self.special,
        }
    }

    /// The ring of a level; the first ring for a level that does not exist.
    pub fn at(&self, level: Level) -> RingView<'_> {
        self.view(self.ring_of(level))
    }

    /// The ring of the highest level, where a circuit usually begins.
    pub fn top_ring(&self) -> RingId {
        self.top().map_or(RingId(0), |top| self.ring_of(top))
    }

    /// The rings that levels are in, each once, in the order of their highest levels, that of the highest level first.
    pub fn descent(&self) -> Vec<RingId> {
        let mut rings: Vec<RingId> = Vec::new();
        for level in self.levels.iter().rev() {
            if !rings.contains(&level.ring) {
                rings.push(level.ring);
            }
        }
        rings
    }

    /// log2 of the largest degree; 0 without rings.
    pub fn largest_log_n(&self) -> u32 {
        let degrees = self.rings.values().map(|ring| ring.log_n);
        degrees.max().unwrap_or(0)
    }

    /// Whether ciphertexts of one of the rings have so many slots.
    pub fn has_slots(&self, slots: u32) -> bool {
        self.rings
            .keys()
            .any(|ring| self.view(ring).slots() == slots)
    }

    /// The levels of a ring, ascending.
    pub fn levels_of(&self, ring: RingId) -> impl Iterator<Item = Level> + '_ {
        let levels = (0..).zip(&self.levels);
        levels.filter_map(move |(i, level)| (level.ring == ring).then_some(Level(i)))
    }

    /// The primes of a level.
    pub fn row(&self, level: Level) -> Option<&[Prime]> {
        let level = self.levels.get(level.0 as usize)?;
        Some(&level.primes)
    }

    /// The primes of an evaluation key for use at a level and at every lower level of its ring, P excepted: rows need not be
    /// nested. Ascending; none at a level that does not exist.
    pub fn key_row(&self, level: Level) -> Vec<Prime> {
        let ring = self.ring_of(level);
        let levels = self.levels.get(..=level.0 as usize).unwrap_or_default();
        let rows = levels.iter().filter(|level| level.ring == ring);
        let mut held = vec![false; self.primes.len()];
        // Of a ring that nobody has verified yet.
        let mut unknown = BTreeSet::new();
        for &prime in rows.flat_map(|level| &level.primes) {
            match held.get_mut(prime.index()) {
                Some(held) => *held = true,
                None => {
                    unknown.insert(prime);
                }
            }
        }
        let known = self.primes.keys().zip(held);
        let known = known.filter_map(|(prime, held)| held.then_some(prime));
        known.chain(unknown).collect()
    }

    /// The primes of all levels of a ring, ascending: those that its digits partition.
    pub fn primes_of(&self, ring: RingId) -> Vec<Prime> {
        let top = self.levels_of(ring).last();
        top.map_or_else(Vec::new, |top| self.key_row(top))
    }

    /// The highest level.
    pub fn top(&self) -> Option<Level> {
        (self.levels.len() as u32).checked_sub(1).map(Level)
    }

    /// log2 of Q_l.
    pub fn level_bits(&self, level: Level) -> Option<f64> {
        self.row(level)?.iter().try_fold(0.0, |bits, &p| {
            Some(bits + (*self.primes.get(p)? as f64).log2())
        })
    }

    /// log2 of the product of all primes that keys of a ring are modulo, its P included: what its security depends on.
    pub fn total_bits(&self, ring: RingId) -> f64 {
        let primes = self.primes_of(ring);
        let values = primes.iter().filter_map(|&p| self.primes.get(p));
        let chain: f64 = values.map(|&p| (p as f64).log2()).sum();
        chain + self.view(ring).special_bits()
    }

    /// Q_from / Q_to as a scale: what a rescale divides by. `None` when a level does not exist.
    pub fn ratio(&self, from: Level, to: Level) -> Option<Scale> {
        let mut exponents: BTreeMap<Prime, i32> = BTreeMap::new();
        let (from, to) = (self.row(from)?, self.row(to)?);
        let common = from.iter().zip(to).take_while(|(a, b)| a == b).count();
        for (row, sign) in [(from, 1), (to, -1)] {
            for &prime in row.iter().skip(common) {
                *exponents.entry(prime).or_default() += sign;
            }
        }
        Scale::new(0, exponents.into_iter().filter(|&(_, e)| e != 0))
    }

    /// Whether every prime of level `inner` is one of level `outer`.
    pub fn contains(&self, outer: Level, inner: Level) -> bool {
        match (self.row(outer), self.row(inner)) {
            (Some(outer), Some(inner)) => inner.iter().all(|p| outer.contains(p)),
            _ => false,
        }
    }
}
