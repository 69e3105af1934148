//! Sums of products of several polynomials each with one factor, the factors transformed where they are used.
//!
//! A factor that is used once need not be in memory as a whole: limb by limb, a few factors are transformed and multiplied by while
//! they are in the caches.

use super::{Buffer, Ntt, Ring, RingError, RnsBasis, RnsPoly, subring};
use rayon::prelude::*;

/// Factors transformed before they are used: a cache of a few MiB holds them.
pub(crate) const FACTORS_AT_ONCE: usize = 4;

/// Words of a limb for which factors of fewer words are written out at a time: the first cache holds those of all factors.
const TILE: usize = 1 << 10;

/// What polynomials are multiplied by.
#[derive(Clone, Copy)]
pub(crate) enum Multiplier<'a> {
    /// Values, over the primes of the product at least; those of a polynomial of smaller degree for one in a power of X.
    Values(&'a RnsPoly<Ntt>),
    /// What writes the coefficients modulo a prime.
    Coefficients(&'a (dyn Fn(usize, &mut [u64]) + Sync)),
}

/// Polynomials, as many in each term, with what they are multiplied by.
pub(crate) type Term<'a> = (&'a [RnsPoly<Ntt>], Multiplier<'a>);

/// Two terms with factors a and b that are equal to their conjugates, and the coefficients of `a + X^(n/2) b`, below 2^62: one
/// transform for both.
pub(crate) type TwoTerms<'a> = ([&'a [RnsPoly<Ntt>]; 2], &'a [i64]);

impl Ring {
    /// The polynomial of given coefficients modulo the primes of `basis`.
    pub(crate) fn transformed(
        &self,
        basis: &RnsBasis,
        coefficients: impl Fn(usize, &mut [u64]) + Sync,
    ) -> RnsPoly<Ntt> {
        let mut out = RnsPoly::any(self, basis);
        out.par_limbs_mut_heavy(self, |prime, limb| {
            coefficients(prime, limb);
            self.transform(prime).forward(limb);
        });
        out
    }

    /// `sum_k x_(k,j) y_k` modulo the primes of `basis`, for each part `j`.
    ///
    /// # Errors
    /// When there are no terms, they differ in the number of their parts, or an operand lacks a prime.
    pub(crate) fn dot_parts(
        &self,
        basis: &RnsBasis,
        twos: &[TwoTerms<'_>],
        terms: &[Term<'_>],
    ) -> Result<Vec<RnsPoly<Ntt>>, RingError> {
        let polys = twos.iter().flat_map(|(polys, _)| *polys);
        let polys = polys.chain(terms.iter().map(|(polys, _)| *polys));
        let parts = self.check_parts(basis, polys)?;
        for (_, multiplier) in terms {
            if let Multiplier::Values(values) = multiplier {
                self.repeats(values)?;
                self.check_covers(values.basis(), basis)?;
            }
        }
        let parts = parts.ok_or(RingError::NoOperands)?;
        let begun = basis.primes().iter().map(|_| Begun::nothing(self, parts));
        Ok(self.completed(basis, begun.collect(), (twos, terms)))
    }

    /// How many parts each of the operands has, if there are any.
    ///
    /// # Errors
    /// When they differ in that, or an operand lacks a prime.
    pub(super) fn check_parts<'a>(
        &self,
        basis: &RnsBasis,
        operands: impl IntoIterator<Item = &'a [RnsPoly<Ntt>]>,
    ) -> Result<Option<usize>, RingError> {
        let mut parts = None;
        for polys in operands {
            let (expected, found) = (*parts.get_or_insert(polys.len()), polys.len());
            if found != expected {
                return Err(RingError::Length { expected, found });
            }
            for poly in polys {
                poly.check_superset(self, basis)?;
            }
        }
        Ok(parts)
    }

    /// Sums of which something may be there, one for each prime, with the rest of their terms added; as polynomials.
    pub(super) fn completed(
        &self,
        basis: &RnsBasis,
        begun: Vec<Begun>,
        (twos, terms): (&[TwoTerms<'_>], &[Term<'_>]),
    ) -> Vec<RnsPoly<Ntt>> {
        let parts = begun.first().map_or(0, |begun| begun.limbs.len());
        let limbs = begun.into_par_iter().zip(basis.primes());
        let limbs = limbs.map(|(begun, &prime)| self.dot_limbs(prime, begun, twos, terms));
        let mut polys: Vec<Vec<Buffer>> = (0..parts).map(|_| Vec::new()).collect();
        for limbs in limbs.collect::<Vec<_>>() {
            for (poly, limb) in polys.iter_mut().zip(limbs) {
                poly.push(limb);
            }
        }
        let poly = |limbs| RnsPoly::from_buffers(basis.clone(), self.degree(), limbs);
        polys.into_iter().map(poly).collect()
    }

    /// The sums modulo one prime.
    fn dot_limbs(
        &self,
        prime: usize,
        Begun { limbs, started }: Begun,
        twos: &[TwoTerms<'_>],
        terms: &[Term<'_>],
    ) -> Vec<Buffer> {
        let mut sums = Sums {
            ring: self,
            prime,
            limbs,
            started,
        };
        for twos in twos.chunks(FACTORS_AT_ONCE / 2) {
            let made = twos.iter().map(|(_, integers)| {
                let (mut a, mut b) = (self.buffer(), self.buffer());
                self.reduce_signed(&mut a, prime, integers);
                self.transform(prime).forward_two(&mut a, &mut b);
                [a, b]
            });
            let made: Vec<[Buffer; 2]> = made.collect();
            let factors = made.iter().flatten().map(|words| &**words);
            let polys = twos.iter().flat_map(|(polys, _)| *polys);
            sums.add(&polys.zip(factors).collect::<Vec<_>>());
        }
        for terms in terms.chunks(FACTORS_AT_ONCE) {
            let made = terms.iter().map(|(_, y)| self.made(prime, y));
            let made: Vec<Option<Buffer>> = made.collect();
            let factors = terms.iter().zip(&made).filter_map(|((x, y), made)| {
                Some(match (y, made) {
                    (_, Some(made)) => (*x, &**made),
                    (Multiplier::Values(values), _) => (*x, values.residues(prime)?),
                    _ => return None,
                })
            });
            sums.add(&factors.collect::<Vec<_>>());
        }
        sums.limbs
    }

    /// The values of a multiplier modulo a prime, unless they are there.
    fn made(&self, prime: usize, multiplier: &Multiplier<'_>) -> Option<Buffer> {
        let Multiplier::Coefficients(write) = multiplier else {
            return None;
        };
        let mut words = self.buffer();
        write(prime, &mut words);
        self.transform(prime).forward(&mut words);
        Some(words)
    }
}

/// What there is of sums modulo one prime before their terms are added.
pub(super) struct Begun {
    /// A limb for each part.
    pub(super) limbs: Vec<Buffer>,
    /// Whether there is something in the limbs.
    pub(super) started: bool,
}

impl Begun {
    /// Nothing yet, for so many parts.
    pub(super) fn nothing(ring: &Ring, parts: usize) -> Self {
        Self {
            limbs: (0..parts).map(|_| ring.buffer()).collect(),
            started: false,
        }
    }
}

/// Sums of products modulo one prime, for each part.
struct Sums<'r> {
    ring: &'r Ring,
    prime: usize,
    limbs: Vec<Buffer>,
    /// Whether there is something in the limbs.
    started: bool,
}

impl Sums<'_> {
    /// Adds products with factors of all words, or of fewer that stand for several each.
    fn add(&mut self, terms: &[(&[RnsPoly<Ntt>], &[u64])]) {
        let (kernels, m) = (self.ring.kernels, self.ring.modulus(self.prime));
        let degree = self.ring.degree();
        let tile = match terms.iter().all(|(_, y)| y.len() == degree) {
            true => degree,
            false => TILE.min(degree),
        };
        let mut written = [[0; TILE]; FACTORS_AT_ONCE];
        for at in (0..degree).step_by(tile) {
            let tile = at..at + tile;
            let factors = terms.iter().zip(&mut written).map(|((_, y), written)| {
                match y.get(tile.clone()).filter(|_| y.len() == degree) {
                    Some(all) => all,
                    None => repeated(&mut written[..tile.len()], y, degree / y.len(), at),
                }
            });
            let factors: Vec<&[u64]> = factors.collect();
            for (part, sum) in self.limbs.iter_mut().enumerate() {
                let pairs = terms.iter().zip(&factors).filter_map(|((x, _), y)| {
                    let x = x.get(part)?.residues(self.prime)?;
                    Some((x.get(tile.clone())?, *y))
                });
                let pairs: Vec<(&[u64], &[u64])> = pairs.collect();
                let sum = &mut sum[tile.clone()];
                match self.started {
                    true => kernels.add_dot(sum, &pairs, m),
                    false => kernels.dot(sum, &pairs, m),
                }
            }
        }
        self.started = true;
    }
}

/// Writes a part of a factor of fewer words, each of which stands for several.
fn repeated<'o>(out: &'o mut [u64], y: &[u64], times: usize, at: usize) -> &'o [u64] {
    if times >= out.len() {
        out.fill(y.get(at / times).copied().unwrap_or_default());
        return out;
    }
    let from = y.get(at / times..).unwrap_or_default();
    subring::repeat(out, from, times);
    out
}
