//! The rings of a circuit: a table of them, and of the levels that are in them.
//!
//! All parameters here number levels alike. Each ring numbers its primes anew, in the order of the pool: those of its levels and of
//! every ring of smaller degree, so that ciphertexts can be taken there. Going from a ring to another one is a key switch in the larger
//! degree with the digits and the special primes of the ring that it leads to; these are the parameters of a *bridge*, and its ring is the
//! larger one: tables and numbers of primes are shared.

use super::{Parameters, ParametersError, ParametersLiteral, PerRing, Switching};
use crate::ring::{RingError, RnsBasis};
use peregrine_ir::{SecretId, SecretKind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Parameters of all rings of a circuit as a circuit or a file states them; unchecked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RingsLiteral {
    /// The chain primes.
    pub pool: Vec<u64>,
    /// The special primes of all rings together.
    pub special: Vec<u64>,
    /// The rings, by number.
    pub rings: Vec<RingLiteral>,
    /// For each level, the number of its ring and the indices of its primes in the pool.
    pub levels: Vec<(usize, Vec<usize>)>,
}

/// The parameters of one ring as [`RingsLiteral`] states them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RingLiteral {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// How the ring's secret is drawn.
    pub secret: SecretKind,
    /// Indices of the ring's special primes; none when nothing is key-switched.
    pub special: Vec<usize>,
    /// Partition of the indices of the primes of the ring's levels; empty when there are no special primes.
    pub digits: Vec<Vec<usize>>,
}

/// Checked parameters of all rings of a circuit.
#[derive(Debug)]
pub struct Rings {
    literal: RingsLiteral,
    params: PerRing<Arc<Parameters>>,
    bridges: BTreeMap<(usize, usize), Arc<Parameters>>,
}

impl Rings {
    /// Checks stated parameters and plans every transform; a transform that two rings share is planned once.
    ///
    /// # Errors
    /// See [`ParametersError`].
    pub fn new(literal: RingsLiteral) -> Result<Arc<Self>, ParametersError> {
        literal.check()?;
        let mut params = Vec::with_capacity(literal.rings.len());
        for ring in 0..literal.rings.len() {
            params.push(literal.parameters(ring, &params)?);
        }
        let mut bridges = BTreeMap::new();
        for (from, own) in params.iter().enumerate() {
            for (to, other) in params.iter().enumerate() {
                if literal.leads(from, to) {
                    let larger = other.degree() > own.degree();
                    let bridge = if larger {
                        other.clone()
                    } else {
                        own.bridge(other)?
                    };
                    bridges.insert((from, to), bridge);
                }
            }
        }
        let levels = literal.levels.iter().map(|(ring, _)| *ring).collect();
        Ok(Arc::new(Self {
            params: PerRing::new(params, levels).ok_or(ParametersError::NoLevels)?,
            literal,
            bridges,
        }))
    }

    /// The stated parameters that these were made from.
    pub fn literal(&self) -> &RingsLiteral {
        &self.literal
    }

    /// The parameters of each ring.
    pub fn params(&self) -> &PerRing<Arc<Parameters>> {
        &self.params
    }

    /// The parameters of the ring of a level; of the first ring for a level that does not exist.
    pub fn at(&self, level: usize) -> &Arc<Parameters> {
        self.params.at(level)
    }

    /// The parameters of a ring, by its number.
    pub fn ring(&self, ring: usize) -> Option<&Arc<Parameters>> {
        self.params.get(ring)
    }

    /// The number of the ring of a level; 0 for a level that does not exist.
    pub fn ring_of(&self, level: usize) -> usize {
        self.params.ring_of(level)
    }

    /// The parameters of the keys that lead from one ring to another, by the rings' numbers.
    pub fn bridge(&self, from: usize, to: usize) -> Option<&Arc<Parameters>> {
        self.bridges.get(&(from, to))
    }
}

impl RingsLiteral {
    /// What is not checked where the parameters of each ring are made.
    fn check(&self) -> Result<(), ParametersError> {
        if self.levels.is_empty() {
            return Err(ParametersError::NoLevels);
        }
        for (level, &(ring, ref primes)) in self.levels.iter().enumerate() {
            if ring >= self.rings.len() {
                let count = self.rings.len();
                return Err(ParametersError::NoRing { level, ring, count });
            }
            let set = super::PrimeSet::Level(level);
            super::check_set(primes, self.pool.len(), set)?;
        }
        for (ring, spec) in self.rings.iter().enumerate() {
            let count = self.special.len();
            if let Some(&index) = spec.special.iter().find(|&&index| index >= count) {
                return Err(ParametersError::NoSpecial { ring, index, count });
            }
        }
        Ok(())
    }

    /// The secret of a ring.
    fn secret(&self, ring: usize) -> Option<SecretId> {
        let RingLiteral { log_n, secret, .. } = *self.rings.get(ring)?;
        Some(SecretId {
            log_n,
            kind: secret,
        })
    }

    /// Whether keys lead from a ring to another one.
    fn leads(&self, from: usize, to: usize) -> bool {
        let secrets = self.secret(from).zip(self.secret(to));
        secrets.is_some_and(|(from, to)| from.leads_to(to))
    }

    /// The primes of the levels of a ring, by their indices in the pool.
    fn primes_of(&self, ring: usize) -> RnsBasis {
        let levels = self.levels.iter().filter(|level| level.0 == ring);
        RnsBasis::new(levels.flat_map(|(_, primes)| primes.iter().copied()))
    }

    fn special_of(&self, ring: usize) -> RnsBasis {
        let spec = self.rings.get(ring);
        RnsBasis::new(
            spec.into_iter()
                .flat_map(|spec| spec.special.iter().copied()),
        )
    }

    /// Parameters of a ring: with the primes of its own levels, and after them those that lead to smaller rings.
    ///
    /// Rings of one degree have the primes of each other, too, and so the same numbers and tables: those of `known` parameters serve.
    fn parameters(
        &self,
        ring: usize,
        known: &[Arc<Parameters>],
    ) -> Result<Arc<Parameters>, ParametersError> {
        let Some(spec) = self.rings.get(ring) else {
            return Err(ParametersError::NoLevels);
        };
        let smaller = |other: &usize| {
            let other = self.rings.get(*other);
            other.is_some_and(|other| other.log_n <= spec.log_n)
        };
        let targets = (0..self.rings.len()).filter(smaller);
        let (own, own_special) = (self.primes_of(ring), self.special_of(ring));
        let (mut pool, mut special) = (own.clone(), own_special.clone());
        for target in targets {
            pool = pool.union(&self.primes_of(target));
            special = special.union(&self.special_of(target));
        }
        let renamed = |index: &usize| pool.position(*index);
        let digit = |(digit, indices): (usize, &Vec<usize>)| {
            let renamed = |index: &usize| {
                let own = own.contains(*index).then(|| renamed(index)).flatten();
                own.ok_or(ParametersError::NotInRing {
                    ring,
                    digit,
                    index: *index,
                })
            };
            indices.iter().map(renamed).collect()
        };
        let digits = spec.digits.iter().enumerate().map(digit);
        let value = |from: &[u64], index: &usize| from.get(*index).copied();
        let rows = self.levels.iter().map(|(of, primes)| match *of == ring {
            true => primes.iter().filter_map(renamed).collect(),
            false => Vec::new(),
        });
        let literal = ParametersLiteral {
            log_n: spec.log_n,
            pool: (pool.primes().iter())
                .filter_map(|p| value(&self.pool, p))
                .collect(),
            special: (special.primes().iter())
                .filter_map(|p| value(&self.special, p))
                .collect(),
            digits: digits.collect::<Result<_, _>>()?,
            rows: rows.collect(),
        };
        let end = literal.pool.len();
        let last = |index: usize| Some(end + special.position(index)?);
        let switching = Switching {
            own: RnsBasis::new(own.primes().iter().filter_map(renamed)),
            special: RnsBasis::new(own_special.primes().iter().filter_map(|&p| last(p))),
        };
        let tables = known.iter().find(|known| known.has_tables_for(&literal));
        let tables = tables.map(|known| known.ring.clone());
        Parameters::with(literal, switching, tables)
    }
}

impl Parameters {
    /// Whether the tables of these parameters serve others, too: degree and primes are the same.
    fn has_tables_for(&self, other: &ParametersLiteral) -> bool {
        let own = self.literal();
        (own.log_n, &own.pool, &own.special) == (other.log_n, &other.pool, &other.special)
    }

    /// The parameters of keys that lead from this ring to a smaller one whose primes it has.
    fn bridge(&self, to: &Self) -> Result<Arc<Self>, ParametersError> {
        let index = |own: &usize| {
            let prime = to.ring.modulus(*own).value();
            let index = self.ring.moduli().iter().position(|m| m.value() == prime);
            index.ok_or(RingError::MissingPrime { prime })
        };
        let set = |set: &RnsBasis| -> Result<RnsBasis, ParametersError> {
            let indices = set.primes().iter().map(index);
            Ok(RnsBasis::new(indices.collect::<Result<Vec<_>, _>>()?))
        };
        let sets = |sets: &[RnsBasis]| sets.iter().map(set).collect::<Result<Vec<_>, _>>();
        let (digits, rows, special) = (sets(&to.digits)?, sets(&to.rows)?, set(&to.special)?);
        let ring = self.ring.clone();
        Ok(Arc::new(Self::over(
            ring,
            self.literal.clone(),
            (digits, rows, special),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Primes that are 1 modulo 2^10.
    fn literal() -> RingsLiteral {
        RingsLiteral {
            pool: vec![12289, 13313, 15361],
            special: vec![18433, 19457],
            rings: vec![
                RingLiteral {
                    log_n: 5,
                    secret: SecretKind::Ternary,
                    special: vec![0, 1],
                    digits: vec![vec![0, 1], vec![2]],
                },
                RingLiteral {
                    log_n: 4,
                    secret: SecretKind::Ternary,
                    special: vec![0],
                    digits: vec![vec![1], vec![2]],
                },
            ],
            levels: vec![
                (1, vec![2]),
                (1, vec![1, 2]),
                (0, vec![1, 2]),
                (0, vec![0, 1, 2]),
            ],
        }
    }

    fn refusal(change: impl FnOnce(&mut RingsLiteral)) -> ParametersError {
        let mut literal = literal();
        change(&mut literal);
        Rings::new(literal).unwrap_err()
    }

    #[test]
    fn levels_and_primes_are_found_in_each_ring() {
        let rings = Rings::new(literal()).unwrap();
        let (small, bridge) = (rings.ring(1).unwrap(), rings.bridge(0, 1).unwrap());
        let degrees = [0, 1, 2, 3].map(|level| rings.at(level).degree());
        assert_eq!(degrees, [16, 16, 32, 32]);
        assert_eq!([0, 2].map(|level| rings.ring_of(level)), [1, 0]);
        assert!(rings.bridge(2, 0).is_none() && rings.bridge(0, 0).is_none());
        let (main, back) = (rings.ring(0).unwrap(), rings.bridge(1, 0).unwrap());
        assert!(Arc::ptr_eq(main, back));
        assert_eq!(small.literal().pool, [13313, 15361]);
        assert_eq!(small.extended_row(0).unwrap().primes(), [1, 2]);
        assert_eq!(bridge.extended_row(0).unwrap().primes(), [2, 3]);
        assert_eq!(bridge.key_row(1).unwrap().primes(), [1, 2]);
        assert_eq!((bridge.degree(), bridge.levels()), (32, 4));
        let (level, count) = (2, 4);
        let refused = small.row(level).unwrap_err();
        assert_eq!(refused, ParametersError::Level { level, count });
        let value = |ring: &Parameters, p: usize| ring.ring().moduli().get(p).map(|m| m.value());
        assert_eq!(value(small, 2), value(bridge, 3));
        let digits = |ring: &Parameters| -> Vec<usize> {
            ring.digits_of(ring.row(1).unwrap())
                .map(|(digit, _)| digit)
                .collect()
        };
        assert_eq!(digits(small), digits(bridge));
    }

    /// A ring has the primes of every ring that it leads to; the special primes of a ring need not be the first.
    #[test]
    fn rings_come_in_any_order_with_special_primes_of_their_own() {
        let mut literal = literal();
        literal.rings.swap(0, 1);
        literal.rings[0].special = vec![1];
        literal.rings[0].digits = vec![vec![2]];
        literal.rings[1].special = vec![0];
        literal.rings[1].digits = vec![vec![0], vec![1]];
        literal.levels = vec![(0, vec![2]), (1, vec![0]), (1, vec![0, 1])];
        let rings = Rings::new(literal).unwrap();
        let (small, large) = (rings.ring(0).unwrap(), rings.ring(1).unwrap());
        assert_eq!((small.degree(), large.degree()), (16, 32));
        assert_eq!(large.literal().pool, [12289, 13313, 15361]);
        assert_eq!(large.special().primes(), [3]);
        let bridge = rings.bridge(1, 0).unwrap();
        assert_eq!(bridge.special().primes(), [4]);
        assert_eq!(bridge.row(0).unwrap().primes(), [2]);
        assert_eq!(small.special().primes(), [1]);
    }

    #[test]
    fn each_refusal_says_what_is_wrong() {
        use ParametersError::*;
        assert_eq!(refusal(|l| l.rings[1].log_n = 2), Degree { log_n: 2 });
        let (level, ring, count) = (3, 2, 2);
        assert_eq!(
            refusal(|l| l.levels[3].0 = 2),
            NoRing { level, ring, count }
        );
        let (ring, index) = (1, 2);
        assert_eq!(
            refusal(|l| l.rings[1].special = vec![2]),
            NoSpecial { ring, index, count }
        );
        let (digit, index) = (0, 0);
        assert_eq!(
            refusal(|l| l.rings[1].digits = vec![vec![0, 1], vec![2]]),
            NotInRing { ring, digit, index }
        );
        assert_eq!(
            refusal(|l| l.rings[1].digits.truncate(1)),
            NotInDigit { index: 1 }
        );
        let small = refusal(|l| l.rings[1].digits = vec![vec![1, 2]]);
        assert!(
            matches!(
                small,
                SmallSpecial {
                    digit: 0,
                    level: 1,
                    ..
                }
            ),
            "{small}"
        );
        assert_eq!(refusal(|l| l.levels.clear()), NoLevels);
        let set = super::super::PrimeSet::Level(0);
        assert_eq!(refusal(|l| l.levels[0].1.clear()), EmptySet { set });
    }
}
