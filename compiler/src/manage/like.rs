//! Parameters within those of another circuit, so that its keys serve the new circuit, too.
//!
//! Notation: the other circuit has rows of primes, ascending in bits. Each level here is one of these rows.
//!
//! 1. The lowest level is the lowest row that is long enough. Each level above is the lowest row that exceeds the one below by what
//!    its rescale drops, which may be several steps of the other circuit. Taking the lowest leaves most to the levels above, so if any
//!    choice of rows holds the demand, this one does.
//! 2. Rings are switched where the other circuit switches them.
//! 3. Primes that no level has are left out; digits keep those that are left, special primes all. A key of the other circuit covers
//!    what is used here at a level if it was made for the row of that level or a longer one.

use super::table::Wanted;
use crate::moduli::bits::precision_of;
use crate::moduli::primes::TOLERANCE_BITS;
use peregrine_ir::{
    Arena, Circuit, Entity, Interface, Key, KeyKind, KeyShape, Level, LevelSpec, Prime, Remark,
    RingId, RingSpec, RingTable, key_shape,
};
use std::collections::{BTreeMap, BTreeSet};

/// A circuit whose parameters a new one may share: its rings, and the keys that are made for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Like {
    name: String,
    ring: RingTable,
    keys: Vec<KeyShape>,
}

impl Like {
    /// The parameters of the circuit that an interface belongs to.
    pub fn new(interface: &Interface) -> Self {
        let ring = interface.rings().clone();
        let keys = interface.keys().levels.iter();
        let keys = keys.filter_map(|(&key, &level)| KeyShape::of(&ring, key, level));
        Self {
            name: interface.name().to_owned(),
            keys: keys.collect(),
            ring,
        }
    }

    /// The name of the circuit.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rings of the circuit.
    pub fn ring(&self) -> &RingTable {
        &self.ring
    }

    /// log2 of the degree of the ring of the circuit's highest level.
    pub fn log_n(&self) -> u32 {
        self.ring.view(self.ring.top_ring()).log_n()
    }

    /// Bits per operation for a new network with `headroom_bits` of headroom: those that the circuit has, unless it has less
    /// headroom.
    pub fn precision_bits(&self, headroom_bits: u32) -> u32 {
        let ring = &self.ring;
        let base = self.row_bits(0) + TOLERANCE_BITS;
        let unit = ring
            .unit_bits
            .min((base as u32).saturating_sub(headroom_bits));
        precision_of(unit, self.log_n())
    }

    /// Whether one of the circuit's keys serves as the key `key` of another table of rings for uses up to a level.
    pub fn has(&self, ring: &RingTable, key: Key, level: Level) -> bool {
        let wanted = KeyShape::of(ring, key, level);
        wanted.is_some_and(|wanted| self.keys.iter().any(|known| known.covers(&wanted)))
    }

    /// The keys that `circuit` declares and this one lacks.
    pub fn lacks(&self, circuit: &Circuit) -> Vec<KeyShape> {
        let (ring, keys) = (&circuit.rings, circuit.keys.levels.iter());
        let lacking = keys.filter(|&(&key, &level)| !self.has(ring, key, level));
        let shapes = lacking.filter_map(|(&key, &level)| KeyShape::of(ring, key, level));
        shapes.collect()
    }

    /// The remark of a circuit that was compiled within these parameters.
    pub fn remark(&self, circuit: &Circuit) -> Remark {
        let (all, lacking, name) = (circuit.keys.levels.len(), self.lacks(circuit), &self.name);
        let bytes: u64 = lacking.iter().map(KeyShape::bytes).sum();
        let text = match lacking.len() {
            0 => format!("made like `{name}`: its keys serve this circuit, too"),
            some => format!(
                "made like `{name}`: of {all} evaluation keys {some} are new, {:.1} MiB: {}",
                bytes as f64 / f64::from(1 << 20),
                key_shape::describe(&lacking)
            ),
        };
        Remark { node: None, text }
    }

    /// For each key that the circuit has, the highest level of the table `ring` up to which it serves there.
    pub fn levels(&self, ring: &RingTable) -> BTreeMap<Key, Level> {
        let mut levels = BTreeMap::new();
        let known = self.keys.iter().map(KeyShape::kind);
        let within = |id| known.clone().map(move |kind| (id, id, kind));
        for to in ring.rings.keys() {
            let from = ring.rings.keys().filter(|&from| from != to);
            let switching = from.map(|from| (to, from, KeyKind::RingSwitch));
            for (to, from, kind) in within(to).chain(switching) {
                let key = Key { to, kind, from };
                let covered = ring
                    .levels_of(to)
                    .filter(|&level| self.has(ring, key, level));
                if let Some(highest) = covered.last() {
                    levels.insert(key, highest);
                }
            }
        }
        levels
    }

    /// A table of rings with the levels that are wanted.
    pub(super) fn within(&self, wanted: &Wanted, unit_bits: u32) -> Result<RingTable, Misfit> {
        let rows = self.rows(wanted)?;
        // Levels: the chosen rows, each in its own ring below the switch and in the ring of the highest level above it.
        let level = |&row: &usize| self.ring.levels[row].clone();
        let highest = self.ring.top_ring();
        let below = wanted.repeats.first().copied().unwrap_or(0);
        let in_ring = |(i, row): (usize, &usize)| {
            let level = level(row);
            let ring = if i < below { level.ring } else { highest };
            LevelSpec { ring, ..level }
        };
        let levels: Vec<LevelSpec> = rows.iter().enumerate().map(in_ring).collect();
        // Primes: those that these levels have, numbered anew.
        let used = levels.iter().flat_map(|level| level.primes.iter().copied());
        let used: BTreeSet<Prime> = used.collect();
        let renamed: BTreeMap<Prime, Prime> = (0u32..)
            .zip(&used)
            .map(|(new, &old)| (old, Prime::new(new)))
            .collect();
        let primes: Arena<Prime, u64> = used.iter().map(|&old| self.ring.primes[old]).collect();
        // Digits also hold primes that no level has.
        let used_of = |digit: &Vec<Prime>| -> Vec<Prime> {
            let used = digit.iter().filter_map(|p| renamed.get(p));
            used.copied().collect()
        };
        // Of the other circuit's rings, those that levels are in.
        let ids: BTreeSet<RingId> = levels.iter().map(|level| level.ring).collect();
        let ring_named: BTreeMap<RingId, RingId> = (0u32..)
            .zip(&ids)
            .map(|(new, &old)| (old, RingId::new(new)))
            .collect();
        let spec = |&id: &RingId| {
            let spec = &self.ring.rings[id];
            RingSpec {
                digits: spec.digits.iter().map(used_of).collect(),
                ..spec.clone()
            }
        };
        let mut ring = RingTable {
            unit_bits,
            primes,
            special: self.ring.special.clone(),
            rings: ids.iter().map(spec).collect(),
            levels: levels
                .iter()
                .map(|level| LevelSpec {
                    ring: ring_named[&level.ring],
                    primes: level.primes.iter().map(|p| renamed[p]).collect(),
                })
                .collect(),
        };
        for id in ring.rings.keys() {
            ring.keep_own_digits(id);
        }
        Ok(ring)
    }

    /// Whether the ring of the highest level has a digit for every prime of a row, so that keys of that ring serve there.
    fn in_digits_of_highest(&self, row: usize) -> bool {
        let digits = self.ring.view(self.ring.top_ring()).digits();
        let mut primes = self.ring.levels[row].primes.iter();
        primes.all(|prime| digits.iter().any(|digit| digit.contains(prime)))
    }

    /// log2 of the modulus of a row.
    fn row_bits(&self, row: usize) -> f64 {
        let primes = self.ring.levels[row].primes.iter();
        let lengths = primes.map(|&p| (self.ring.primes[p] as f64).log2());
        lengths.fold(0.0, |bits, length| bits + length)
    }

    /// The number of levels, the lowest ones, that are not in the ring of the highest level; `None` where all are.
    fn small_levels(&self) -> Option<usize> {
        let highest = self.ring.top_ring();
        let mut levels = self.ring.levels.iter();
        levels
            .position(|level| level.ring == highest)
            .filter(|&small| small > 0)
    }

    /// The row of the circuit's table that each level gets.
    fn rows(&self, wanted: &Wanted) -> Result<Vec<usize>, Misfit> {
        let bits = |row: usize| self.row_bits(row);
        let count = self.ring.levels.len();
        let small = self.small_levels();
        // Where rings are switched: at level `at` here, at row `small` there.
        let switch = match (wanted.repeats.as_slice(), small) {
            ([], _) => None,
            (&[at], Some(small)) => Some((at, small)),
            _ => return Err(Misfit::OneRing),
        };
        let least = wanted.least_drop();
        let drops = std::iter::once(wanted.base).chain(wanted.drops.iter().map(|&d| d.max(least)));
        let (mut rows, mut below): (Vec<usize>, f64) = (Vec::new(), 0.0);
        // From the lowest level up, each level takes the lowest row that is long enough and that its ring allows.
        for (level, drop) in drops.enumerate() {
            let next = rows.last().map_or(0, |row| row + 1);
            // Levels of the small ring are rows of the small ring, and the last of them the last of these.
            let (from, to) = match switch {
                Some((at, small)) if level + 1 < at => (next, small.saturating_sub(1)),
                Some((at, small)) if level + 1 == at => (small.saturating_sub(1).max(next), small),
                Some((at, small)) if level == at => (small, small + 1),
                _ => (next, count),
            };
            let enough = below + f64::from(drop) - TOLERANCE_BITS;
            let repeats = wanted.repeats.contains(&level);
            let switched = switch.is_some_and(|(at, _)| level < at);
            let enough = |row: &usize| repeats || bits(*row) >= enough;
            let mut range = (from..to.min(count))
                .filter(enough)
                .filter(|row| switched || self.in_digits_of_highest(*row));
            let row = range.next().ok_or_else(|| {
                let left = (bits(to.min(count).saturating_sub(1)) - below).max(0.0);
                self.misfit(wanted, (below, level), (f64::from(drop), left))
            })?;
            below = bits(row);
            rows.push(row);
        }
        Ok(rows)
    }

    /// The error for a level of so many bits or more that has no row.
    fn misfit(
        &self,
        wanted: &Wanted,
        (below, level): (f64, usize),
        (needed, left): (f64, f64),
    ) -> Misfit {
        let least = wanted.least_drop();
        let drops = std::iter::once(wanted.base).chain(wanted.drops.iter().map(|&d| d.max(least)));
        let rest: f64 = drops.skip(level).map(f64::from).sum();
        let top = self.row_bits(self.ring.levels.len() - 1);
        let missing = (below + rest - top).max(1.0);
        let rescales = wanted.drops.len();
        match level {
            0 => Misfit::Base {
                needed,
                left,
                missing,
            },
            _ => Misfit::Rescale {
                rescale: rescales + 1 - level,
                rescales,
                node: None,
                needed,
                left,
                missing,
            },
        }
    }
}

/// Why the rows of another circuit's table do not hold a network.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Misfit {
    /// The other circuit has no second ring to switch to.
    #[error("it has no smaller ring to switch to")]
    OneRing,
    /// No row is long enough for the lowest level.
    #[error(
        "precision and headroom ask for a last modulus of {needed:.0} bits, its levels have at most {left:.0}"
    )]
    Base {
        /// Bits that the level must have.
        needed: f64,
        /// Bits that the longest row has.
        left: f64,
        /// Bits that this level and the ones above lack together.
        missing: f64,
    },
    /// No row is long enough for a higher level.
    #[error(
        "rescale {rescale} of {rescales}{} drops {needed:.0} bits, its levels leave {left:.0}; {missing:.0} bits are missing in all",
        at(node.as_deref())
    )]
    Rescale {
        /// The number of the rescale on the way from the inputs, the first being 1.
        rescale: usize,
        /// The number of rescales on that way.
        rescales: usize,
        /// The node that is rescaled there, if it is known.
        node: Option<String>,
        /// Bits that it must drop.
        needed: f64,
        /// Bits that it can drop.
        left: f64,
        /// Bits that it and the rescales before it lack together.
        missing: f64,
    },
    /// The other circuit promises no security, and the new one must.
    #[error(
        "its modulus of {bits:.0} bits is beyond the {limit:.0} that are secure at ring degree 2^{log_n}"
    )]
    Insecure {
        /// log2 of the ring degree.
        log_n: u32,
        /// Bits of the modulus.
        bits: f64,
        /// The security limit, in bits.
        limit: f64,
    },
}

fn at(node: Option<&str>) -> String {
    node.map_or(String::new(), |node| format!(" (node `{node}`)"))
}

impl Misfit {
    /// Bits that the network lacks, if it is too deep for the rows.
    pub fn missing_bits(&self) -> Option<f64> {
        match self {
            Self::Base { missing, .. } | Self::Rescale { missing, .. } => Some(*missing),
            Self::OneRing | Self::Insecure { .. } => None,
        }
    }

    /// The error with the name of the node that is rescaled, which `name` gives by the number of the rescale.
    #[must_use]
    pub fn at(mut self, name: impl FnOnce(usize) -> Option<String>) -> Self {
        if let Self::Rescale { rescale, node, .. } = &mut self {
            *node = name(*rescale);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manage::table::Table;
    use peregrine_ir::SecretKind;
    use proptest::prelude::*;

    fn wanted(base: u32, drops: Vec<u32>, repeats: Option<usize>) -> Wanted {
        let repeats = repeats.into_iter().collect();
        let work = vec![1.0; drops.len() + 1];
        Wanted {
            log_n: 13,
            base,
            drops,
            work,
            repeats,
        }
    }

    /// A ring with the levels of a table.
    fn like(table: &Table, small: Option<u32>) -> Like {
        let digits = table.digits(table.rows.len(), 2);
        let pools = (table.primes.clone(), table.special(13, 2, 49.0).unwrap());
        let ring = RingTable::of_one_ring((13, 30), pools, table.rows.clone(), digits);
        let ring = match small {
            None => ring,
            Some(levels) => {
                let spec = RingSpec {
                    secret: SecretKind::Ternary,
                    log_n: 12,
                    special: ring.special.keys().take(1).collect(),
                    digits: table.digits(levels as usize, 1),
                };
                ring.with_lowest_in(levels as usize, spec)
            }
        };
        Like {
            name: "other".to_owned(),
            keys: Vec::new(),
            ring,
        }
    }

    fn bits(ring: &RingTable) -> Vec<f64> {
        let levels = (0..ring.levels.len() as u32).map(Level);
        levels
            .map(|level| ring.level_bits(level).unwrap())
            .collect()
    }

    fn holds(ring: &RingTable, wanted: &Wanted) -> bool {
        let mut below = 0.0;
        let drops = std::iter::once(&wanted.base).chain(&wanted.drops);
        let mut levels = bits(ring).into_iter().zip(drops).enumerate();
        levels.all(|(level, (bits, &drop))| {
            let repeats = wanted.repeats.contains(&level);
            let enough = bits - below >= f64::from(drop) - TOLERANCE_BITS - 1e-6;
            below = bits;
            repeats || enough
        })
    }

    proptest! {
        #[test]
        fn what_a_ring_was_made_for_fits_it_and_uses_all_of_it(
            base in 25u32..60,
            drops in proptest::collection::vec(20u32..80, 1..12),
            at in 1usize..12,
            switches: bool,
        ) {
            let repeats = Some(at).filter(|&at| switches && at <= drops.len());
            let wanted = wanted(base, drops, repeats);
            for table in [Table::chain(&wanted).unwrap()].into_iter().chain(Table::granular(&wanted)) {
                let like = like(&table, repeats.map(|at| at as u32));
                let ring = like.within(&wanted, 30).unwrap();
                prop_assert_eq!(&ring.levels, &like.ring.levels);
                prop_assert_eq!(&ring, &like.ring);
            }
        }

        #[test]
        fn rows_are_found_whenever_there_are_any(
            base in 25u32..60,
            drops in proptest::collection::vec(20u32..80, 1..8),
            others in proptest::collection::vec(20u32..80, 1..8),
            lower in 0u32..10,
        ) {
            let made = wanted(base, drops, None);
            let like = like(&Table::granular(&made)[0], None);
            let asked = wanted(base.saturating_sub(lower), others, None);
            // Every choice of rows, by its bits.
            let rows = bits(&like.ring);
            let levels = asked.drops.len() + 1;
            let fits = (0u32..1 << rows.len()).filter(|set| set.count_ones() as usize == levels).any(|set| {
                let chosen: Vec<f64> = (0..).zip(&rows).filter(|(i, _)| set >> i & 1 == 1).map(|(_, &b)| b).collect();
                let mut below = 0.0;
                let drops = std::iter::once(&asked.base).chain(&asked.drops);
                chosen.iter().zip(drops).all(|(&bits, &drop)| {
                    let enough = bits >= below + f64::from(drop.max(if below == 0.0 { 0 } else { asked.least_drop() })) - TOLERANCE_BITS;
                    below = bits;
                    enough
                })
            });
            match like.within(&asked, 30) {
                Ok(ring) => {
                    prop_assert!(holds(&ring, &asked));
                    let known: BTreeSet<u64> = like.ring.primes.values().copied().collect();
                    prop_assert!(ring.primes.values().all(|prime| known.contains(prime)));
                }
                Err(misfit) => {
                    prop_assert!(!fits, "{misfit:?}");
                    prop_assert!(misfit.missing_bits() >= Some(1.0));
                }
            }
        }
    }

    #[test]
    fn a_ring_without_a_small_one_has_nowhere_to_switch_to() {
        let made = wanted(40, vec![40; 3], None);
        let like = like(&Table::chain(&made).unwrap(), None);
        let switching = wanted(40, vec![40; 3], Some(1));
        assert_eq!(like.within(&switching, 30), Err(Misfit::OneRing));
    }
}
