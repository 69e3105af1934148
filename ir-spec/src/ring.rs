//! The ring a circuit runs in: degree, prime pool, levels, gadget digits, and the security line it must respect.

use crate::entity::{Arena, Entity, Prime, SpecialPrime};
use crate::scale::Scale;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Index into the table of moduli; a higher level has more modulus left.
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

/// Which ring a level is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RingPart {
    /// That of the highest levels, or of all.
    Main,
    /// That of [`SmallRing`].
    Small,
}

/// The ring of a smaller degree in which a circuit goes on with its lowest levels, where `switch_ring` leads.
///
/// # References
/// - \[GHPS12\] Gentry, Halevi, Peikert, Smart, *Ring switching in BGV-style homomorphic encryption*.
///   <https://eprint.iacr.org/2012/240>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmallRing {
    /// log2 of its degree.
    pub log_n: u32,
    /// Levels `0 .. levels` are in it.
    pub levels: u32,
    /// How many of the special primes, the first ones, are its own P.
    pub special: u32,
    /// Partition of the primes of its levels into digits.
    pub digits: Vec<Vec<Prime>>,
}

/// One of the rings of a circuit: what a level computes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingView<'r> {
    /// log2 of the degree.
    pub log_n: u32,
    /// The primes of P.
    pub special: &'r [u64],
    /// The digits of key switching.
    pub digits: &'r [Vec<Prime>],
}

impl RingView<'_> {
    /// Degree.
    pub fn degree(&self) -> usize {
        1 << self.log_n
    }

    /// Slots per ciphertext, half the degree.
    pub fn slots(&self) -> u32 {
        1 << (self.log_n.max(1) - 1)
    }

    /// log2 of P.
    pub fn special_bits(&self) -> f64 {
        self.special.iter().map(|&p| (p as f64).log2()).sum()
    }
}

/// Degree and moduli of a circuit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ring {
    /// log2 of the degree N of `Z[X] / (X^N + 1)`; N / 2 slots. Of all levels but those of the small ring.
    pub log_n: u32,
    /// The unit `D = 2^unit_bits` in which the text form writes scales; no meaning beyond that.
    pub unit_bits: u32,
    /// The pool from which levels are drawn.
    pub primes: Arena<Prime, u64>,
    /// The primes of P, present in extended ciphertexts and in keys.
    pub special: Arena<SpecialPrime, u64>,
    /// The primes of each level's modulus Q_l, by level; rows need not be nested.
    pub levels: Vec<Vec<Prime>>,
    /// Partition of the pool into the digits of key switching.
    pub digits: Vec<Vec<Prime>>,
    /// The ring of the lowest levels, where it is another one.
    pub small: Option<SmallRing>,
}

impl Ring {
    /// Smallest and largest supported degree, as logarithms.
    pub const LOG_N: std::ops::RangeInclusive<u32> = 3..=17;
    /// Every prime is below this: the fast transforms need it, and some libraries are wrong above.
    pub const MAX_PRIME: u64 = 1 << 50;

    /// Degree N, of the main ring.
    pub fn degree(&self) -> usize {
        self.view(RingPart::Main).degree()
    }

    /// Slots per ciphertext of the main ring, N / 2.
    pub fn slots(&self) -> u32 {
        self.view(RingPart::Main).slots()
    }

    /// The ring that a level is in.
    pub fn part(&self, level: Level) -> RingPart {
        match &self.small {
            Some(small) if level.0 < small.levels => RingPart::Small,
            _ => RingPart::Main,
        }
    }

    /// One of the rings; the main one where there is no small one.
    pub fn view(&self, part: RingPart) -> RingView<'_> {
        let special = self.special.as_slice();
        match (part, &self.small) {
            (RingPart::Small, Some(small)) => RingView {
                log_n: small.log_n,
                special: special.get(..small.special as usize).unwrap_or(special),
                digits: &small.digits,
            },
            _ => RingView {
                log_n: self.log_n,
                special,
                digits: &self.digits,
            },
        }
    }

    /// The ring of a level.
    pub fn at(&self, level: Level) -> RingView<'_> {
        self.view(self.part(level))
    }

    /// The rings that its levels are in.
    pub fn parts(&self) -> impl Iterator<Item = RingPart> + use<> {
        let small = self.small.as_ref().map(|_| RingPart::Small);
        std::iter::once(RingPart::Main).chain(small)
    }

    /// Whether ciphertexts of one of its rings have so many slots.
    pub fn has_slots(&self, slots: u32) -> bool {
        self.parts().any(|part| self.view(part).slots() == slots)
    }

    /// The levels that are in a ring, ascending.
    pub fn levels_of(&self, part: RingPart) -> impl Iterator<Item = Level> + '_ {
        let levels = (0..self.levels.len() as u32).map(Level);
        levels.filter(move |&level| self.part(level) == part)
    }

    /// The primes of a level.
    pub fn row(&self, level: Level) -> Option<&[Prime]> {
        self.levels.get(level.0 as usize).map(Vec::as_slice)
    }

    /// The primes of an evaluation key for use at a level and at every level below, P excepted: rows need not be nested.
    /// Ascending; none at a level that does not exist.
    pub fn key_row(&self, level: Level) -> Vec<Prime> {
        let rows = self.levels.get(..=level.0 as usize).unwrap_or_default();
        let mut held = vec![false; self.primes.len()];
        // Of a ring that nobody has verified yet.
        let mut unknown = BTreeSet::new();
        for &prime in rows.iter().flatten() {
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

    /// log2 of the product of all primes that keys of a ring are modulo, its P included: what security depends on. Of the main
    /// ring these are the whole pool.
    pub fn total_bits(&self, part: RingPart) -> f64 {
        let bits = |&p: &u64| (p as f64).log2();
        let chain: f64 = match (part, &self.small) {
            (RingPart::Small, Some(small)) => {
                let row = self.key_row(Level(small.levels.saturating_sub(1)));
                row.iter()
                    .filter_map(|&p| self.primes.get(p))
                    .map(bits)
                    .sum()
            }
            _ => self.primes.values().map(bits).sum(),
        };
        chain + self.view(part).special_bits()
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
