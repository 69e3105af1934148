//! Several sums of products over the same polynomials, which are read once for all of them.
//!
//! A single sum with factors that stand for many words each waits for memory: nothing but its operands is read. So all sums take a
//! tile of each operand while it is there, limb by limb. Factors that are different for each word are multiplied by afterwards,
//! sum by sum, because these are read or transformed for one sum anyway.

use super::dot_parts::{Begun, Term, TwoTerms};
use super::portable::Matrix;
use super::{Buffer, Ntt, Ring, RingError, RnsBasis, RnsPoly};
use rayon::prelude::*;

/// Words of a limb that have the same factors at most: a few operands and all results of a tile stay in the first cache.
const TILE: usize = 1 << 8;
/// Words of a limb that one thread works on.
const SEGMENT: usize = 1 << 13;
/// How many words in a row a factor stands for at least: those of the widest vector.
const LEAST_TIMES: usize = 8;

/// What a polynomial is multiplied by in one of several sums.
#[derive(Clone, Copy)]
pub(crate) enum Weight<'a> {
    /// 0: it is no part of this sum.
    None,
    /// A number, by its residues modulo the primes of the sum, in their order.
    Number(&'a [u64]),
    /// A polynomial of smaller degree in a power of X, over the primes of the sum at least; see [`Ring::is_short`].
    Short(&'a RnsPoly<Ntt>),
}

/// One of several sums over the same polynomials.
pub(crate) struct Row<'a> {
    /// For each of these polynomials.
    pub(crate) weights: &'a [Weight<'a>],
    /// Terms with other factors, two at a time.
    pub(crate) twos: &'a [TwoTerms<'a>],
    /// Terms with other factors.
    pub(crate) terms: &'a [Term<'a>],
}

impl Row<'_> {
    fn weight(&self, operand: usize) -> Weight<'_> {
        let weight = self.weights.get(operand);
        weight.copied().unwrap_or(Weight::None)
    }

    /// Whether there are other weights than 0.
    fn is_weighted(&self) -> bool {
        let mut weights = self.weights.iter();
        weights.any(|weight| !matches!(weight, Weight::None))
    }
}

/// Words of which each stands for a power of two in a row.
struct Repeated<'a> {
    words: &'a [u64],
    log_times: u32,
}

impl Ring {
    /// Whether each value of a polynomial of smaller degree stands for enough words of this ring to be the [`Weight`] of others.
    pub(crate) fn is_short(&self, a: &RnsPoly<Ntt>) -> bool {
        self.repeats(a).is_ok_and(|times| times >= LEAST_TIMES)
    }

    /// For each row its sum of products with the operands, which have as many parts each, and with other terms; as many parts.
    ///
    /// # Errors
    /// When there is nothing to sum, operands differ in the number of their parts or there are not as many weights, an operand
    /// lacks a prime, or a weight is not short.
    pub(crate) fn dots(
        &self,
        basis: &RnsBasis,
        operands: &[&[RnsPoly<Ntt>]],
        rows: &[Row<'_>],
    ) -> Result<Vec<Vec<RnsPoly<Ntt>>>, RingError> {
        let twos = rows.iter().flat_map(|row| row.twos).flat_map(|two| two.0);
        let terms = rows.iter().flat_map(|row| row.terms).map(|term| term.0);
        let all = operands.iter().copied().chain(twos).chain(terms);
        let parts = self.check_parts(basis, all)?;
        let parts = parts.ok_or(RingError::NoOperands)?;
        for row in rows {
            self.check_row(basis, operands.len(), row)?;
        }
        let weighted: Vec<&Row<'_>> = rows.iter().filter(|row| row.is_weighted()).collect();
        let used = |at: &usize| {
            weighted
                .iter()
                .any(|row| !matches!(row.weight(*at), Weight::None))
        };
        let used: Vec<usize> = (0..operands.len()).filter(used).collect();
        let made = basis.primes().par_iter().enumerate();
        let made = made.map(|(position, &prime)| {
            let factors = used.iter().flat_map(|&operand| {
                let rows = weighted.iter();
                rows.map(move |row| self.repeated(row.weight(operand), (position, prime)))
            });
            let factors: Vec<Repeated<'_>> = factors.collect();
            let part = |part: usize| {
                let limb = |&at: &usize| operands.get(at)?.get(part)?.residues(prime);
                let limbs: Vec<&[u64]> = used.iter().filter_map(limb).collect();
                let limbs = self.multiplied(prime, &limbs, &factors, weighted.len());
                limbs.into_iter()
            };
            (0..parts).into_par_iter().map(part).collect::<Vec<_>>()
        });
        // By prime and part, the limbs of all rows.
        let mut made: Vec<_> = made.collect();
        let begun = rows.iter().map(|row| {
            let begun = made.iter_mut().map(|parts| match row.is_weighted() {
                true => Begun {
                    limbs: parts.iter_mut().filter_map(Iterator::next).collect(),
                    started: true,
                },
                false => Begun::nothing(self, parts.len()),
            });
            (row, begun.collect())
        });
        let begun: Vec<(&Row<'_>, Vec<Begun>)> = begun.collect();
        let completed = begun.into_par_iter();
        let completed =
            completed.map(|(row, begun)| self.completed(basis, begun, (row.twos, row.terms)));
        Ok(completed.collect())
    }

    fn check_row(&self, basis: &RnsBasis, count: usize, row: &Row<'_>) -> Result<(), RingError> {
        let lengths = |expected, found| match expected == found {
            true => Ok(()),
            false => Err(RingError::Length { expected, found }),
        };
        lengths(count, row.weights.len())?;
        for weight in row.weights {
            match weight {
                Weight::None => {}
                Weight::Number(residues) => lengths(basis.len(), residues.len())?,
                Weight::Short(values) => {
                    self.check_covers(values.basis(), basis)?;
                    if !self.is_short(values) {
                        return Err(RingError::Degree {
                            expected: self.degree() / LEAST_TIMES,
                            found: values.degree(),
                        });
                    }
                }
            }
        }
        match row.is_weighted() || !row.twos.is_empty() || !row.terms.is_empty() {
            true => Ok(()),
            false => Err(RingError::NoOperands),
        }
    }

    /// The words of a weight modulo a prime.
    fn repeated<'a>(&self, weight: Weight<'a>, (position, prime): (usize, usize)) -> Repeated<'a> {
        let words = match weight {
            Weight::None => None,
            Weight::Number(residues) => residues.get(position).map(std::slice::from_ref),
            Weight::Short(values) => values.residues(prime),
        };
        let words = words.unwrap_or(&[0]);
        Repeated {
            words,
            log_times: (self.degree() / words.len()).ilog2(),
        }
    }

    /// A limb for each row: the sum of limbs times their factors, which are given limb by limb, for all rows each.
    fn multiplied(
        &self,
        prime: usize,
        limbs: &[&[u64]],
        factors: &[Repeated<'_>],
        rows: usize,
    ) -> Vec<Buffer> {
        let mut out: Vec<Buffer> = (0..rows).map(|_| self.buffer()).collect();
        if rows == 0 {
            return out;
        }
        let (degree, m) = (self.degree(), self.modulus(prime));
        let length = SEGMENT.min(degree);
        let mut segments: Vec<Vec<&mut [u64]>> = (0..degree / length).map(|_| Vec::new()).collect();
        for limb in &mut out {
            for (segment, words) in segments.iter_mut().zip(limb.chunks_mut(length)) {
                segment.push(words);
            }
        }
        let times = factors.iter().map(|factor| 1 << factor.log_times);
        let block = times.fold(TILE.min(degree), usize::min);
        let segments = segments.into_par_iter().enumerate();
        segments.for_each(|(at, mut out)| {
            let from = at * length;
            let x: Vec<&[u64]> = limbs.iter().map(|x| &x[from..from + length]).collect();
            let mut w = vec![0; factors.len()];
            for at in (0..length).step_by(block) {
                for (w, factor) in w.iter_mut().zip(factors) {
                    *w = factor.words[(from + at) >> factor.log_times];
                }
                let of = Matrix {
                    x: &x,
                    w: &w,
                    block: at..at + block,
                };
                self.kernels.matrix(&mut out, &of, m);
            }
        });
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::dot_parts::Multiplier;
    use crate::ring::kernels::Kernels;
    use crate::ring::{Modulus, Seed};
    use crate::testing::primes_below;
    use proptest::prelude::*;

    /// A factor in one sum, with what it multiplies by at every word.
    enum Factor {
        None,
        Number(Vec<u64>),
        Short(RnsPoly<Ntt>),
        /// Of too many values to be a weight.
        Long(RnsPoly<Ntt>),
        /// Words before their transform, the same for all primes.
        Coefficients(Vec<i64>),
    }

    /// A factor of any kind, the same for the same seed.
    fn factor(ring: &Ring, basis: &RnsBasis, seed: u64) -> Factor {
        let kind = Modulus::new(1_000_003).mul(seed % 1_000_003, 777_777) % 6;
        let log_n = ring.log_n();
        let values = |log_n: u32| {
            let small = ring.of_degree(log_n).unwrap();
            small.expand_uniform(basis, Seed(seed.into()), 0)
        };
        match kind {
            0 => Factor::None,
            1 => {
                let residue = |&p: &usize| seed.pow(3) % ring.modulus(p).value();
                Factor::Number(basis.primes().iter().map(residue).collect())
            }
            2 | 3 => Factor::Short(values((seed as u32 / 8) % (log_n - 5) + 3)),
            4 => Factor::Long(values(log_n - (seed as u32 / 8) % 3)),
            _ => Factor::Coefficients((0..1 << log_n).map(|i| i * seed as i64 - 5000).collect()),
        }
    }

    /// The polynomial of a factor.
    fn written(ring: &Ring, basis: &RnsBasis, factor: &Factor) -> RnsPoly<Ntt> {
        match factor {
            Factor::None => RnsPoly::zero(ring, basis),
            Factor::Number(residues) => {
                let limbs = residues.iter().flat_map(|&x| vec![x; ring.degree()]);
                RnsPoly::from_limbs(ring, basis, &limbs.collect::<Vec<_>>()).unwrap()
            }
            Factor::Short(values) | Factor::Long(values) => ring.written_out(values).unwrap(),
            Factor::Coefficients(integers) => ring.transformed(basis, |prime, out| {
                ring.reduce_signed(out, prime, integers);
            }),
        }
    }

    fn weight(factor: &Factor) -> Weight<'_> {
        match factor {
            Factor::Number(residues) => Weight::Number(residues),
            Factor::Short(values) => Weight::Short(values),
            _ => Weight::None,
        }
    }

    /// The sums of [`Ring::dots`] for these factors.
    fn found(
        ring: &Ring,
        basis: &RnsBasis,
        operands: &[&[RnsPoly<Ntt>]],
        factors: &[Vec<Factor>],
    ) -> Result<Vec<Vec<RnsPoly<Ntt>>>, RingError> {
        let writers = factors.iter().map(|row| {
            let row = row.iter().map(|factor| {
                move |prime: usize, out: &mut [u64]| match factor {
                    Factor::Coefficients(integers) => ring.reduce_signed(out, prime, integers),
                    _ => panic!("no coefficients"),
                }
            });
            row.collect()
        });
        let writers: Vec<Vec<_>> = writers.collect();
        let mut rows: Vec<(Vec<Weight<'_>>, Vec<Term<'_>>)> = Vec::new();
        for (row, writers) in factors.iter().zip(&writers) {
            let others = operands.iter().zip(row).zip(writers);
            let others = others.filter_map(|((x, factor), write)| match factor {
                Factor::Long(values) => Some((*x, Multiplier::Values(values))),
                Factor::Coefficients(_) => Some((*x, Multiplier::Coefficients(write))),
                _ => None,
            });
            rows.push((row.iter().map(weight).collect(), others.collect()));
        }
        let rows = rows.iter().map(|(weights, terms)| Row {
            weights,
            twos: &[],
            terms,
        });
        ring.dots(basis, operands, &rows.collect::<Vec<_>>())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn several_sums_are_those_of_each_alone(
            log_n in 7u32..11,
            bits in 30u32..=50,
            (count, sums, parts) in (1usize..30, 1usize..12, 1usize..4),
            seed in 1u64..1 << 20,
        ) {
            let primes = primes_below(bits, log_n, 3);
            let basis = RnsBasis::new([0, 2]);
            for kernels in Kernels::all(log_n) {
                let ring = Ring::with_kernels(log_n, &primes, kernels).unwrap();
                let operand = |at: usize| -> Vec<RnsPoly<Ntt>> {
                    let part = |part| ring.expand_uniform(&RnsBasis::new(0..3), Seed(seed.into()), 9 * (at * 3 + part) as u64);
                    (0..parts).map(part).collect()
                };
                let operands: Vec<_> = (0..count).map(operand).collect();
                let operands: Vec<&[RnsPoly<Ntt>]> = operands.iter().map(Vec::as_slice).collect();
                let row = |row: usize| -> Vec<Factor> {
                    (0..count).map(|at| factor(&ring, &basis, seed + (row * count + at) as u64)).collect()
                };
                let factors: Vec<Vec<Factor>> = (0..sums).map(row).collect();
                if factors.iter().any(|row| row.iter().all(|factor| matches!(factor, Factor::None))) {
                    prop_assert_eq!(found(&ring, &basis, &operands, &factors).unwrap_err(), RingError::NoOperands);
                    continue;
                }
                let found = found(&ring, &basis, &operands, &factors).unwrap();
                prop_assert_eq!(found.len(), sums);
                for (row, found) in factors.iter().zip(found) {
                    let written: Vec<_> = row.iter().map(|factor| written(&ring, &basis, factor)).collect();
                    let terms = operands.iter().zip(&written).map(|(x, y)| (*x, Multiplier::Values(y)));
                    let expected = ring.dot_parts(&basis, &[], &terms.collect::<Vec<_>>()).unwrap();
                    prop_assert!(found == expected, "{:?}", kernels);
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let ring = Ring::new(7, &primes_below(40, 7, 2)).unwrap();
        let (all, one) = (RnsBasis::new(0..2), RnsBasis::new([1]));
        let x = [RnsPoly::zero(&ring, &all)];
        let refused = |operands: &[&[RnsPoly<Ntt>]], weights: &[Weight<'_>]| {
            let row = Row {
                weights,
                twos: &[],
                terms: &[],
            };
            ring.dots(&all, operands, &[row]).unwrap_err()
        };
        let length = |expected, found| RingError::Length { expected, found };
        let number = Weight::Number(&[1, 1]);
        assert_eq!(refused(&[], &[]), RingError::NoOperands);
        assert_eq!(refused(&[&x], &[Weight::None]), RingError::NoOperands);
        assert_eq!(refused(&[&x], &[number, number]), length(1, 2));
        assert_eq!(refused(&[&x], &[Weight::Number(&[1])]), length(2, 1));
        assert_eq!(refused(&[&x, &[]], &[number, number]), length(1, 0));
        let small = ring.of_degree(5).unwrap();
        let long = RnsPoly::zero(&small, &all);
        let degree = RingError::Degree {
            expected: 16,
            found: 32,
        };
        assert_eq!(refused(&[&x], &[Weight::Short(&long)]), degree);
        let lacks = RnsPoly::zero(&ring.of_degree(4).unwrap(), &one);
        let prime = ring.modulus(0).value();
        let missing = RingError::MissingPrime { prime };
        assert_eq!(refused(&[&x], &[Weight::Short(&lacks)]), missing);
    }
}
