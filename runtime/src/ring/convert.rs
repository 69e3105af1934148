//! Moving between bases: raising residues to more primes, and dividing by primes with rounding.
//!
//! Notation: `D` is the product of the primes `q_i` converted from, `x_i` the residues of `x` modulo them, `p` a prime
//! converted to. With `y_i = x_i (D/q_i)^-1 mod q_i`,
//!
//! ```text
//! x = sum_i y_i (D/q_i) - v D,    v = round(sum_i y_i / q_i),
//! ```
//!
//! is the representative in `[-D/2, D/2]`. `v` is computed in double precision and is exact unless `x` is within about
//! `2^-50 D` of `+-D/2`, where either neighbour is as good. Two operations are built on it, both from NTT to NTT:
//!
//! - [`Ring::raise`] extends the residues modulo `D` to a larger basis: the digits of a key switch.
//! - [`Ring::divide_out`] replaces a basis by another, dividing by the primes that leave and multiplying by those that enter:
//!   rescaling between any two levels, and division by the special primes.
//!
//! 1. Each converted limb: inverse transform, one multiplication by a constant that merges `1/N` and `(D/q_i)^-1`.
//! 2. `v` for each coefficient.
//! 3. Each limb made: one weighted sum of the `y_i` and `v`. Where the sources outgrow the cache, the limbs of several primes are
//!    made together, block by block, so that each source is read once for all; otherwise each limb when it is needed.
//! 4. Each limb made: forward transform, and whatever its caller does while it is cached.
//!
//! Cost for `k` converted and `t` made limbs: `k + t` transforms, `k t` multiplications per coefficient.
//!
//! # References
//! - \[HPS18\] Halevi, Polyakov, Shoup, *An improved RNS variant of the BFV scheme*. <https://eprint.iacr.org/2018/117>

use super::modulus::Factor;
use super::{Buffer, Ntt, Ring, RingError, RnsBasis, RnsPoly};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Constants made on first use, by purpose, basis before and basis after.
#[derive(Default)]
pub(super) struct Conversions(RwLock<BTreeMap<(Purpose, RnsBasis, RnsBasis), Arc<Conversion>>>);

/// Sources of more bytes than this are read block by block.
const CACHED_BYTES: usize = 1 << 20;

/// Primes of a tile, on few threads.
const TILE: usize = 8;

/// Coefficients of one block.
const BLOCK: usize = 512;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Purpose {
    Raise,
    Divide,
}

/// The constants of one conversion.
struct Conversion {
    /// The primes converted from.
    from: RnsBasis,
    /// For each of them, what the output of its unscaled inverse transform is multiplied by.
    scalings: Vec<Factor>,
    /// For each of them, `1 / q_i`.
    reciprocals: Vec<f64>,
    /// By prime made: the constants of the weighted sum of the `y_i`, then of `v`, as the kernels want them.
    weights: BTreeMap<usize, Vec<u64>>,
    /// By prime kept, what its residues are multiplied by before the weighted sum is added. Empty when raising.
    kept: BTreeMap<usize, Factor>,
}

impl Ring {
    /// Base extension of `a` from the primes of `from` (those of its basis that are in `from`) to `to`, a superset of `from`:
    /// the result is the representative in `[-D/2, D/2]`, D being the product of `from`.
    ///
    /// # Errors
    /// When `a` lacks a prime of `from`.
    pub fn raise(
        &self,
        a: &RnsPoly<Ntt>,
        from: &RnsBasis,
        to: &RnsBasis,
    ) -> Result<RnsPoly<Ntt>, RingError> {
        let raised = self.raised(a, from, to)?;
        let mut limbs = Vec::with_capacity(to.len());
        for tile in tiles(to) {
            let made = tile.par_iter().zip(raised.blockwise(self, tile));
            limbs.par_extend(made.map(|(&prime, made)| match a.shared(prime) {
                Some(limb) if from.contains(prime) => limb,
                _ => Arc::new(raised.limb(self, prime, made)),
            }));
        }
        Ok(RnsPoly::from_shared(to.clone(), self.degree(), limbs))
    }

    /// [`Self::raise`], each limb to be made when it is needed.
    ///
    /// # Errors
    /// As for [`Self::raise`].
    pub(super) fn raised(
        &self,
        a: &RnsPoly<Ntt>,
        from: &RnsBasis,
        to: &RnsBasis,
    ) -> Result<Converted, RingError> {
        a.check_superset(self, from)?;
        self.check_basis(to)?;
        let conversion = self.conversion(Purpose::Raise, from, to, || self.raising(from, to));
        Ok(Converted::of(self, conversion, a))
    }

    /// Exact change of modulus: `round(a E / L)` over `target`, where L is the product of the primes of `a` that `target`
    /// lacks and E the product of the primes of `target` that `a` lacks. The error is at most 1/2 in every coefficient.
    ///
    /// # Errors
    /// When `target` is not a set of primes of this ring.
    pub fn divide_out(
        &self,
        a: &RnsPoly<Ntt>,
        target: &RnsBasis,
    ) -> Result<RnsPoly<Ntt>, RingError> {
        a.check_degree(self)?;
        self.check_basis(a.basis())?;
        self.check_basis(target)?;
        let conversion = self.conversion(Purpose::Divide, a.basis(), target, || {
            self.division(a.basis(), target)
        });
        let converted = Converted::of(self, conversion, a);
        let mut limbs = Vec::with_capacity(target.len());
        for tile in tiles(target) {
            let made = tile.par_iter().zip(converted.blockwise(self, tile));
            limbs.par_extend(made.map(|(&prime, made)| {
                let mut limb = converted.limb(self, prime, made);
                if let Some(residues) = a.residues(prime) {
                    converted.add_kept(self, prime, &mut limb, residues);
                }
                limb
            }));
        }
        Ok(RnsPoly::from_buffers(target.clone(), self.degree(), limbs))
    }

    /// [`Self::divide_out`], each limb to be made when it is needed, of two polynomials over `before`. For the primes that leave,
    /// `prepare` makes something for each of a tile, from which `leaving` makes the limbs of both, several at once.
    ///
    /// # Errors
    /// Those of `leaving`.
    pub(super) fn divided<T: Send>(
        &self,
        before: &RnsBasis,
        target: &RnsBasis,
        prepare: impl Fn(&[usize]) -> Vec<T>,
        leaving: impl Fn(usize, T) -> Result<[Buffer; 2], RingError> + Sync,
    ) -> Result<[Converted; 2], RingError> {
        let conversion = self.conversion(Purpose::Divide, before, target, || {
            self.division(before, target)
        });
        let scaled = |((&prime, &scaling), prepared): ((&usize, &Factor), T)| {
            let [b, a] = leaving(prime, prepared)?.map(|limb| {
                let mut scaled = self.buffer();
                self.transform(prime)
                    .inverse_scaled(&mut scaled, &limb, scaling);
                scaled
            });
            Ok((b, a))
        };
        let mut sources = Vec::with_capacity(conversion.from.len());
        let scalings = conversion.scalings.chunks(tile_length());
        for (tile, scalings) in tiles(&conversion.from).zip(scalings) {
            let limbs = tile.par_iter().zip(scalings).zip(prepare(tile));
            sources.extend(limbs.map(scaled).collect::<Result<Vec<_>, RingError>>()?);
        }
        let (b, a): (Vec<Buffer>, Vec<Buffer>) = sources.into_iter().unzip();
        Ok([b, a].map(|sources| Converted::new(self, conversion.clone(), sources)))
    }

    fn conversion(
        &self,
        purpose: Purpose,
        before: &RnsBasis,
        after: &RnsBasis,
        make: impl FnOnce() -> Conversion,
    ) -> Arc<Conversion> {
        let key = (purpose, before.clone(), after.clone());
        let known = self
            .conversions
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        if let Some(conversion) = known {
            return conversion;
        }
        let made = Arc::new(make());
        let mut table = self
            .conversions
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        table.entry(key).or_insert(made).clone()
    }

    /// `1/N (D/q_i)^-1` times `extra(q_i)`.
    fn scalings(&self, from: &RnsBasis, extra: impl Fn(usize) -> u64) -> Vec<Factor> {
        let scaling = |&prime: &usize| {
            let m = self.modulus(prime);
            let others = RnsBasis::new(from.primes().iter().copied().filter(|&p| p != prime));
            let cofactor = m.inverse(self.product_mod(&others, prime));
            let degree = m.inverse(m.reduce(self.degree() as u64));
            m.factor(m.mul(m.mul(cofactor, degree), extra(prime)))
        };
        from.primes().iter().map(scaling).collect()
    }

    fn reciprocals(&self, from: &RnsBasis) -> Vec<f64> {
        from.primes()
            .iter()
            .map(|&p| 1.0 / self.modulus(p).value() as f64)
            .collect()
    }

    /// Weights `D/q_i` and `-D`.
    fn raising(&self, from: &RnsBasis, to: &RnsBasis) -> Conversion {
        let weights = |&prime: &usize| {
            let m = self.modulus(prime);
            let product = self.product_mod(from, prime);
            let cofactor =
                |&q: &usize| m.mul(product, m.inverse(m.reduce(self.modulus(q).value())));
            let weights = from
                .primes()
                .iter()
                .map(cofactor)
                .chain([m.neg(product)])
                .map(|weight| self.kernels.weight(weight, m))
                .collect();
            (prime, weights)
        };
        Conversion {
            from: from.clone(),
            scalings: self.scalings(from, |_| 1),
            reciprocals: self.reciprocals(from),
            weights: to.difference(from).primes().iter().map(weights).collect(),
            kept: BTreeMap::new(),
        }
    }

    /// `(a E - [a E]_L) / L`, where `[a E]_L = sum_i y_i (L/q_i) - v L`: weights `-1/q_i` and 1, and `E / L` for what is kept.
    fn division(&self, before: &RnsBasis, after: &RnsBasis) -> Conversion {
        let (from, entering) = (before.difference(after), after.difference(before));
        let weights = |&prime: &usize| {
            let m = self.modulus(prime);
            let weight = |&q: &usize| m.neg(m.inverse(m.reduce(self.modulus(q).value())));
            (
                prime,
                from.primes()
                    .iter()
                    .map(weight)
                    .chain([m.reduce(1)])
                    .map(|weight| self.kernels.weight(weight, m))
                    .collect(),
            )
        };
        let kept = |&prime: &usize| {
            let m = self.modulus(prime);
            let leaving = m.inverse(self.product_mod(&from, prime));
            (
                prime,
                m.factor(m.mul(self.product_mod(&entering, prime), leaving)),
            )
        };
        Conversion {
            scalings: self.scalings(&from, |prime| self.product_mod(&entering, prime)),
            reciprocals: self.reciprocals(&from),
            weights: after.primes().iter().map(weights).collect(),
            kept: before
                .intersection(after)
                .primes()
                .iter()
                .map(kept)
                .collect(),
            from,
        }
    }
}

/// Primes whose limbs are made together: few, so that what is made of them is still cached when it is used, enough for all
/// threads.
pub(super) fn tiles(basis: &RnsBasis) -> impl Iterator<Item = &[usize]> {
    basis.primes().chunks(tile_length())
}

fn tile_length() -> usize {
    TILE.max(2 * rayon::current_num_threads())
}

/// A conversion after steps 1 and 2.
pub(super) struct Converted {
    conversion: Arc<Conversion>,
    /// The `y_i`, then `v`.
    sources: Vec<Buffer>,
}

impl Converted {
    /// Steps 1 and 2 for a polynomial that has all primes converted from.
    fn of(ring: &Ring, conversion: Arc<Conversion>, a: &RnsPoly<Ntt>) -> Self {
        let scaled = |i: usize| {
            let mut limb = ring.buffer();
            let prime = conversion.from.primes()[i];
            match a.residues(prime) {
                Some(residues) => {
                    let scaling = conversion.scalings[i];
                    ring.transform(prime)
                        .inverse_scaled(&mut limb, residues, scaling);
                }
                None => limb.fill(0),
            }
            limb
        };
        let sources = (0..conversion.from.len())
            .into_par_iter()
            .map(scaled)
            .collect();
        Self::new(ring, conversion, sources)
    }

    /// Step 2.
    fn new(ring: &Ring, conversion: Arc<Conversion>, mut sources: Vec<Buffer>) -> Self {
        let mut quotients = ring.buffer();
        let blockwise = quotients.par_chunks_mut(BLOCK).enumerate();
        blockwise.for_each(|(at, out)| {
            let reciprocals = conversion.reciprocals.iter().copied();
            let terms: Vec<(&[u64], f64)> = block(&sources, at).zip(reciprocals).collect();
            ring.kernels.rounded_sum(out, &terms);
        });
        sources.push(quotients);
        Self {
            conversion,
            sources,
        }
    }

    /// Step 3 for the given primes, if that is better done for all at once; one result for each.
    pub(super) fn blockwise(&self, ring: &Ring, primes: &[usize]) -> Vec<Option<Buffer>> {
        if size_of::<u64>() * ring.degree() * self.sources.len() <= CACHED_BYTES {
            return primes.iter().map(|_| None).collect();
        }
        let made = |prime| {
            self.conversion
                .weights
                .contains_key(prime)
                .then(|| ring.buffer())
        };
        let mut limbs: Vec<Option<Buffer>> = primes.iter().map(made).collect();
        let mut blocks: Vec<Vec<(usize, &mut [u64])>> = Vec::new();
        blocks.resize_with(ring.degree().div_ceil(BLOCK), || {
            Vec::with_capacity(primes.len())
        });
        for (limb, &prime) in limbs.iter_mut().zip(primes) {
            for (part, block) in limb
                .iter_mut()
                .flat_map(|l| l.chunks_mut(BLOCK))
                .zip(&mut blocks)
            {
                block.push((prime, part));
            }
        }
        blocks.into_par_iter().enumerate().for_each(|(at, outs)| {
            let sources: Vec<&[u64]> = block(&self.sources, at).collect();
            for (prime, out) in outs {
                self.weighted_sum(ring, prime, out, &sources);
            }
        });
        limbs
    }

    /// Steps 3, unless it was done, and 4: values modulo a prime that is made.
    pub(super) fn limb(&self, ring: &Ring, prime: usize, made: Option<Buffer>) -> Buffer {
        let mut limb = made.unwrap_or_else(|| {
            let mut limb = ring.buffer();
            let sources: Vec<&[u64]> = self.sources.iter().map(|source| &source[..]).collect();
            self.weighted_sum(ring, prime, &mut limb, &sources);
            limb
        });
        if !self.conversion.from.is_empty() {
            ring.transform(prime).forward(&mut limb);
        }
        limb
    }

    /// Adds what becomes of the residues modulo a prime that is kept.
    pub(super) fn add_kept(&self, ring: &Ring, prime: usize, limb: &mut [u64], residues: &[u64]) {
        if let Some(&factor) = self.conversion.kept.get(&prime) {
            ring.kernels
                .scale_add_assign(limb, residues, factor, ring.modulus(prime));
        }
    }

    fn weighted_sum(&self, ring: &Ring, prime: usize, out: &mut [u64], sources: &[&[u64]]) {
        match self.conversion.weights.get(&prime) {
            Some(weights) if !self.conversion.from.is_empty() => {
                ring.kernels
                    .weighted_sum(out, sources, weights, ring.modulus(prime));
            }
            _ => out.fill(0),
        }
    }
}

/// One block of each limb.
fn block(limbs: &[Buffer], at: usize) -> impl Iterator<Item = &[u64]> {
    limbs
        .iter()
        .filter_map(move |limb| limb.chunks(BLOCK).nth(at))
}
