//! The rings of a circuit: degrees, primes, levels, gadget digits, and the limits that security sets.

use crate::circuit::Keys;
use crate::entity::{Arena, Entity, Prime, RingId, SpecialPrime};
use crate::scale::Scale;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A level: index into the table of levels. Of two levels of one ring the higher index has the larger modulus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Level(pub u32);

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A rotation of the slots to the left by `1 ..= slots - 1`; the automorphism `X -> X^(5^k)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Rotation(pub u32);

impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The security that a circuit's parameters promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum Security {
    /// 128 bits against classical attacks, as [`Self::max_modulus_bits`] measures them; the verifier enforces it.
    #[serde(rename = "128")]
    Classical128,
    /// No promise: toy rings for tests. Every tool warns of it.
    #[serde(rename = "none")]
    None,
}

impl Security {
    /// The largest log2(Q P) that the promise allows for ring degree `2^log_n`, with ternary secrets against classical attacks.
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

    /// The largest log2(Q P) that the promise allows for a sparse secret of degree `2^log_n`.
    ///
    /// `None` for degrees and weights that were not estimated. `SECURITY.md` has the estimates.
    pub fn max_sparse_bits(log_n: u32, weight: u32) -> Option<u32> {
        match (log_n, weight) {
            (15 | 16, 32..) => Some(100),
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

/// How the coefficients of a secret are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum SecretKind {
    /// Ternary: each coefficient is -1, 0 or 1 with the same probability.
    #[default]
    Ternary,
    /// Sparse: `weight` coefficients at random places are 1 or -1, all others are 0. A message under it wraps rarely when its modulus
    /// is raised; it is secure for a short modulus only.
    ///
    /// # References
    /// - \[BTH22\] Bossuat, Troncoso-Pastoriza, Hubaux, *Bootstrapping for approximate homomorphic encryption with negligible
    ///   failure-probability by using sparse-secret encapsulation*. <https://eprint.iacr.org/2022/024>
    Sparse {
        /// The number of coefficients that are not 0.
        weight: u32,
    },
}

/// One of the secrets of a key pair, which has one for each degree and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct SecretId {
    /// log2 of the degree.
    pub log_n: u32,
    /// How its coefficients are drawn.
    pub kind: SecretKind,
}

impl SecretId {
    /// The ternary secret of degree `2^log_n`.
    pub const fn ternary(log_n: u32) -> Self {
        let kind = SecretKind::Ternary;
        Self { log_n, kind }
    }

    /// The weights that a sparse secret of this degree may have.
    pub fn weights(self) -> std::ops::RangeInclusive<u32> {
        1..=1u32.checked_shl(self.log_n).unwrap_or(u32::MAX)
    }

    /// Whether a key may lead from this secret to another one: one of another degree or another kind.
    pub fn leads_to(self, other: Self) -> bool {
        other != self
    }

    /// Whether a raise of the modulus may lead from this secret to another one: one that keys lead to, of the same degree or a larger one.
    pub fn raises_to(self, other: Self) -> bool {
        self.leads_to(other) && self.log_n <= other.log_n
    }

    /// The largest log2(Q P) of what is published under the secret that a promise allows; `None` where no modulus is secure.
    pub fn max_modulus_bits(self) -> Option<u32> {
        match self.kind {
            SecretKind::Ternary => Security::max_modulus_bits(self.log_n),
            SecretKind::Sparse { weight } => Security::max_sparse_bits(self.log_n, weight),
        }
    }
}

impl fmt::Display for SecretId {
    /// Prints the secret as part of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "degree 2^{}", self.log_n)?;
        match self.kind {
            SecretKind::Ternary => Ok(()),
            SecretKind::Sparse { weight } => write!(f, " with a sparse secret of weight {weight}"),
        }
    }
}

/// A ring of a circuit: the polynomials of a degree under a secret of that degree, and the gadget of its key switching.
///
/// Only [`Inst::SwitchRing`](crate::Inst::SwitchRing) and [`Inst::RaiseExt`](crate::Inst::RaiseExt) lead from one ring to another: of another degree, or of the same degree under a
/// secret of another kind.
///
/// # References
/// - \[GHPS12\] Gentry, Halevi, Peikert, Smart, *Ring switching in BGV-style homomorphic encryption*.
///   <https://eprint.iacr.org/2012/240>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RingSpec {
    /// log2 of the degree N of `Z[X] / (X^N + 1)`; N / 2 slots.
    pub log_n: u32,
    /// How the coefficients of its secret are drawn.
    pub secret: SecretKind,
    /// The special primes, whose product is the ring's P, ascending; empty where no key is switched.
    pub special: Vec<SpecialPrime>,
    /// Partition into gadget digits of the primes of the ring's levels.
    pub digits: Vec<Vec<Prime>>,
}

/// A row of the table of levels: a modulus of a ring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LevelSpec {
    /// The ring of the level.
    pub ring: RingId,
    /// The primes of its modulus Q_l, in the order of their limbs.
    pub primes: Vec<Prime>,
}

/// A ring of a circuit together with the values of its special primes.
#[derive(Clone, Copy, Debug)]
pub struct RingView<'r> {
    spec: &'r RingSpec,
    special: &'r Arena<SpecialPrime, u64>,
}

impl<'r> RingView<'r> {
    /// log2 of the degree N.
    pub fn log_n(&self) -> u32 {
        self.spec.log_n
    }

    /// The secret of the ring.
    pub fn secret(&self) -> SecretId {
        SecretId {
            log_n: self.spec.log_n,
            kind: self.spec.secret,
        }
    }

    /// The degree N.
    pub fn degree(&self) -> usize {
        1 << self.spec.log_n
    }

    /// Slots of a ciphertext, `N / 2`.
    pub fn slots(&self) -> u32 {
        1 << (self.spec.log_n.max(1) - 1)
    }

    /// The gadget digits of key switching.
    pub fn digits(&self) -> &'r [Vec<Prime>] {
        &self.spec.digits
    }

    /// The number of special primes.
    pub fn special_count(&self) -> usize {
        self.spec.special.len()
    }

    /// The values of the special primes, whose product is P.
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

/// The rings of a circuit, their primes and the levels of their moduli.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RingTable {
    /// The unit `D = 2^unit_bits` in which the text form writes scales; no meaning beyond that.
    pub unit_bits: u32,
    /// The primes from which levels are drawn.
    pub primes: Arena<Prime, u64>,
    /// The special primes from which rings draw those of their P; they are in the moduli of extended ciphertexts and of keys.
    pub special: Arena<SpecialPrime, u64>,
    /// The rings, in any order.
    pub rings: Arena<RingId, RingSpec>,
    /// The levels. Those of one ring ascend in modulus; rows need not be nested.
    pub levels: Vec<LevelSpec>,
}

/// The ring that stands for one that is not in the table: every check of the table refuses it.
static NO_RING: RingSpec = RingSpec {
    log_n: *RingTable::LOG_N.start(),
    secret: SecretKind::Ternary,
    special: Vec::new(),
    digits: Vec::new(),
};

impl RingTable {
    /// log2 of the supported degrees, smallest and largest included.
    pub const LOG_N: std::ops::RangeInclusive<u32> = 3..=17;
    /// Every prime is below this: the fast transforms need it, and some libraries are wrong above.
    pub const MAX_PRIME: u64 = 1 << 50;

    /// A table with one ring `r0` of degree `2^log_n`, which has all special primes and all levels.
    pub fn of_one_ring(
        (log_n, unit_bits): (u32, u32),
        (primes, special): (Arena<Prime, u64>, Arena<SpecialPrime, u64>),
        rows: Vec<Vec<Prime>>,
        digits: Vec<Vec<Prime>>,
    ) -> Self {
        let spec = RingSpec {
            log_n,
            secret: SecretKind::Ternary,
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

    /// The table with one more ring, in which the lowest `levels` levels are. The digits of the other rings lose the primes that
    /// only these levels have.
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

    /// Removes from the digits of a ring the primes that none of its levels has.
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

    /// The ring `ring` with its primes; for a ring that is not in the table, one that every check refuses.
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

    /// The ring of the highest level, in which a circuit usually begins.
    pub fn top_ring(&self) -> RingId {
        self.top().map_or(RingId(0), |top| self.ring_of(top))
    }

    /// The rings with a ternary secret that levels are in, each once, in descending order of their highest levels.
    pub fn descent(&self) -> Vec<RingId> {
        let mut rings: Vec<RingId> = Vec::new();
        for level in self.levels.iter().rev() {
            let ternary = self.view(level.ring).secret().kind == SecretKind::Ternary;
            if ternary && !rings.contains(&level.ring) {
                rings.push(level.ring);
            }
        }
        rings
    }

    /// Whether a ring has a sparse secret, so that moduli may be raised.
    pub fn has_sparse(&self) -> bool {
        let mut rings = self.rings.values();
        rings.any(|ring| ring.secret != SecretKind::Ternary)
    }

    /// log2 of the largest degree; 0 without rings.
    pub fn largest_log_n(&self) -> u32 {
        let degrees = self.rings.values().map(|ring| ring.log_n);
        degrees.max().unwrap_or(0)
    }

    /// Whether ciphertexts of one of the rings have `slots` slots.
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

    /// The primes of a level; `None` where the level does not exist.
    pub fn row(&self, level: Level) -> Option<&[Prime]> {
        let level = self.levels.get(level.0 as usize)?;
        Some(&level.primes)
    }

    /// The primes, without special ones, of an evaluation key for uses at `level` and at all lower levels of its ring (the
    /// primes of these need not be among those of `level`). Ascending; empty for a level that does not exist.
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

    /// The primes of all levels of a ring, ascending, which its digits partition.
    pub fn primes_of(&self, ring: RingId) -> Vec<Prime> {
        let top = self.levels_of(ring).last();
        top.map_or_else(Vec::new, |top| self.key_row(top))
    }

    /// The highest level; `None` without levels.
    pub fn top(&self) -> Option<Level> {
        (self.levels.len() as u32).checked_sub(1).map(Level)
    }

    /// log2 of the modulus Q_l of a level.
    pub fn level_bits(&self, level: Level) -> Option<f64> {
        self.row(level)?.iter().try_fold(0.0, |bits, &p| {
            Some(bits + (*self.primes.get(p)? as f64).log2())
        })
    }

    /// log2 of the product of all primes of a ring's keys, its P included, on which its security depends.
    pub fn total_bits(&self, ring: RingId) -> f64 {
        let primes = self.primes_of(ring);
        let values = primes.iter().filter_map(|&p| self.primes.get(p));
        let chain: f64 = values.map(|&p| (p as f64).log2()).sum();
        chain + self.view(ring).special_bits()
    }

    /// log2 of the longest modulus of what is published under the secret of a ring, on which its security depends: the product of all
    /// primes of its keys and ciphertexts. Under a sparse secret only the keys that lead there are: what is in the ring otherwise
    /// follows from what they made.
    pub fn published_bits(&self, ring: RingId, keys: &Keys) -> f64 {
        match self.view(ring).secret().kind {
            SecretKind::Ternary => self.total_bits(ring),
            SecretKind::Sparse { .. } => {
                let there = keys.levels.iter().filter(|(key, _)| key.to == ring);
                let bits = there.filter_map(|(_, &level)| {
                    let row = self.key_row(level);
                    let values = row.iter().map(|&p| self.primes.get(p));
                    let values: Option<Vec<&u64>> = values.collect();
                    Some(values?.into_iter().map(|&p| (p as f64).log2()).sum::<f64>())
                });
                bits.fold(0.0, f64::max) + self.view(ring).special_bits()
            }
        }
    }

    /// `Q_from / Q_to` as a scale, by which a rescale divides; `None` when a level does not exist.
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

    /// Whether the primes of level `inner` are all among those of level `outer`.
    pub fn contains(&self, outer: Level, inner: Level) -> bool {
        match (self.row(outer), self.row(inner)) {
            (Some(outer), Some(inner)) => inner.iter().all(|p| outer.contains(p)),
            _ => false,
        }
    }
}
