//! The rings of a circuit: one, or a second one of smaller degree for the lowest levels.
//!
//! All parameters here number levels alike. Going from ring to ring is a key switch in the degree of the main ring with the digits
//! and the special primes of the small one; these are the parameters of the *bridge*, and its ring is the main one: tables and
//! numbers of primes are shared. The small ring numbers its primes anew, in the same order.

use super::{Parameters, ParametersError, ParametersLiteral, PerRing};
use crate::ring::Basis;
use std::sync::Arc;

/// [`Rings`] as written in a circuit or a file; unchecked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RingsLiteral {
    /// The main ring, with the rows of all levels.
    pub main: ParametersLiteral,
    /// The ring of the lowest levels, where it is another one.
    pub small: Option<SmallLiteral>,
}

/// The small ring of [`RingsLiteral`], in terms of the main one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SmallLiteral {
    /// log2 of its degree.
    pub log_n: u32,
    /// How many levels are in it, the lowest ones.
    pub levels: usize,
    /// How many of the special primes are its own, the first ones.
    pub special: usize,
    /// Partition of the indices of the primes of its levels; empty when there are no special primes.
    pub digits: Vec<Vec<usize>>,
}

/// Checked parameters of all rings.
#[derive(Debug)]
pub struct Rings {
    literal: RingsLiteral,
    params: PerRing<Arc<Parameters>>,
    bridge: Option<Arc<Parameters>>,
}

impl Rings {
    /// Checks a literal and plans every transform, those that two parameters share once.
    ///
    /// # Errors
    /// See [`ParametersError`].
    pub fn new(literal: RingsLiteral) -> Result<Arc<Self>, ParametersError> {
        let first = literal.small.as_ref().map_or(0, |small| small.levels);
        let main = Parameters::switching_from(literal.main.clone(), first)?;
        let (mut small, mut bridge) = (None, None);
        if let Some(of) = &literal.small {
            of.check(&literal.main)?;
            small = Some((of.levels, of.parameters(&main)?));
            bridge = Some(of.bridge(&main));
        }
        Ok(Arc::new(Self {
            literal,
            params: PerRing::new(main, small),
            bridge,
        }))
    }

    /// What they were made from.
    pub fn literal(&self) -> &RingsLiteral {
        &self.literal
    }

    /// The parameters of each ring.
    pub fn params(&self) -> &PerRing<Arc<Parameters>> {
        &self.params
    }

    /// The parameters of the ring of a level.
    pub fn at(&self, level: usize) -> &Arc<Parameters> {
        self.params.at(level)
    }

    /// Whether a level is in the small ring.
    pub fn is_small(&self, level: usize) -> bool {
        self.small().is_some_and(|small| level < small.levels())
    }

    /// The parameters of the main ring.
    pub fn main(&self) -> &Arc<Parameters> {
        self.params.main()
    }

    /// The parameters of the small ring.
    pub fn small(&self) -> Option<&Arc<Parameters>> {
        self.params.small()
    }

    /// The parameters of keys that lead from the main ring to the small one.
    pub fn bridge(&self) -> Option<&Arc<Parameters>> {
        self.bridge.as_ref()
    }
}

impl SmallLiteral {
    /// What is not checked where its parameters are made.
    fn check(&self, main: &ParametersLiteral) -> Result<(), ParametersError> {
        if self.log_n >= main.log_n {
            return Err(ParametersError::SmallDegree {
                log_n: self.log_n,
                main: main.log_n,
            });
        }
        for (what, found, count) in [
            ("levels", self.levels, main.rows.len()),
            ("special primes", self.special, main.special.len()),
        ] {
            if found > count {
                return Err(ParametersError::SmallCount { what, found, count });
            }
        }
        Ok(())
    }

    /// Parameters of its own ring, which has the primes of its levels only.
    fn parameters(&self, main: &Parameters) -> Result<Arc<Parameters>, ParametersError> {
        let literal = main.literal();
        let rows = literal.rows.iter().take(self.levels);
        let primes = Basis::new(rows.clone().flatten().copied());
        let renamed = |index: &usize| primes.position(*index);
        let digit = |(digit, indices): (usize, &Vec<usize>)| {
            let own = |index: &usize| {
                renamed(index).ok_or(ParametersError::NotInSmallRing {
                    digit,
                    index: *index,
                })
            };
            indices.iter().map(own).collect()
        };
        let digits = self.digits.iter().enumerate().map(digit);
        let pool = primes.primes().iter().filter_map(|&p| literal.pool.get(p));
        Parameters::new(ParametersLiteral {
            log_n: self.log_n,
            pool: pool.copied().collect(),
            special: literal.special.iter().copied().take(self.special).collect(),
            digits: digits.collect::<Result<_, _>>()?,
            rows: rows
                .map(|row| row.iter().filter_map(renamed).collect())
                .collect(),
        })
    }

    /// What [`Self::parameters`] has found sound, in the main ring.
    fn bridge(&self, main: &Parameters) -> Arc<Parameters> {
        let sets = |sets: &[Vec<usize>]| -> Vec<Basis> {
            let set = |indices: &Vec<usize>| Basis::new(indices.iter().copied());
            sets.iter().map(set).collect()
        };
        let mut literal = main.literal().clone();
        literal.special.truncate(self.special);
        literal.rows.truncate(self.levels);
        literal.digits.clone_from(&self.digits);
        let (digits, rows) = (sets(&literal.digits), sets(&literal.rows));
        Arc::new(Parameters::over(main.ring.clone(), literal, digits, rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Primes that are 1 modulo 2^10.
    fn literal() -> RingsLiteral {
        RingsLiteral {
            main: ParametersLiteral {
                log_n: 5,
                pool: vec![12289, 13313, 15361],
                special: vec![18433, 19457],
                digits: vec![vec![0, 1], vec![2]],
                rows: vec![vec![2], vec![1, 2], vec![1, 2], vec![0, 1, 2]],
            },
            small: Some(SmallLiteral {
                log_n: 4,
                levels: 2,
                special: 1,
                digits: vec![vec![1], vec![2]],
            }),
        }
    }

    fn refusal(change: impl FnOnce(&mut SmallLiteral)) -> ParametersError {
        let mut literal = literal();
        literal.small.as_mut().map(change).unwrap();
        Rings::new(literal).unwrap_err()
    }

    #[test]
    fn levels_and_primes_are_found_in_each_ring() {
        let rings = Rings::new(literal()).unwrap();
        let (small, bridge) = (rings.small().unwrap(), rings.bridge().unwrap());
        let degrees = [0, 1, 2, 3].map(|level| rings.at(level).degree());
        assert_eq!(degrees, [16, 16, 32, 32]);
        assert_eq!(small.literal().pool, [13313, 15361]);
        assert_eq!(small.extended_row(0).unwrap().primes(), [1, 2]);
        assert_eq!(bridge.extended_row(0).unwrap().primes(), [2, 3]);
        assert_eq!(bridge.key_row(1).unwrap().primes(), [1, 2]);
        assert_eq!((bridge.degree(), bridge.levels()), (32, 2));
        let value = |ring: &Parameters, p: usize| ring.ring().moduli().get(p).map(|m| m.value());
        assert_eq!(value(small, 2), value(bridge, 3));
        let digits = |ring: &Parameters| -> Vec<usize> {
            ring.digits_of(ring.row(1).unwrap())
                .map(|(digit, _)| digit)
                .collect()
        };
        assert_eq!(digits(small), digits(bridge));
    }

    #[test]
    fn each_refusal_says_what_is_wrong() {
        use ParametersError::*;
        let degree = |log_n| SmallDegree { log_n, main: 5 };
        assert_eq!(refusal(|l| l.log_n = 5), degree(5));
        assert_eq!(refusal(|l| l.log_n = 2), Degree { log_n: 2 });
        let count = |what, found, count| SmallCount { what, found, count };
        assert_eq!(refusal(|l| l.levels = 5), count("levels", 5, 4));
        assert_eq!(refusal(|l| l.special = 3), count("special primes", 3, 2));
        let foreign = NotInSmallRing { digit: 0, index: 0 };
        assert_eq!(refusal(|l| l.digits = vec![vec![0, 1], vec![2]]), foreign);
        assert_eq!(refusal(|l| l.digits.truncate(1)), NotInDigit { index: 1 });
        let small = refusal(|l| l.digits = vec![vec![1, 2]]);
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
        assert_eq!(
            refusal(|l| (l.levels, l.digits) = (0, Vec::new())),
            NoLevels
        );
    }

    /// The digits of the main ring need not suit the levels that are not in it.
    #[test]
    fn main_digits_are_checked_at_main_levels_only() {
        let mut literal = literal();
        literal.main.special = vec![18433];
        literal.main.rows = vec![vec![0], vec![0, 1], vec![0, 2], vec![1, 2]];
        literal.small.as_mut().unwrap().digits = vec![vec![0], vec![1]];
        Rings::new(literal.clone()).unwrap();
        literal.small = None;
        let refused = Rings::new(literal).unwrap_err();
        assert!(
            matches!(refused, ParametersError::SmallSpecial { level: 1, .. }),
            "{refused}"
        );
    }
}
