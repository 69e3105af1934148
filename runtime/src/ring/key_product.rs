//! The inner product of a key switch: digits times the two halves of a key, and what is done in the same pass.

use super::convert::{Converted, tiles};
use super::kernels::KeyProduct;
use super::key_limb::{Halves, KeyLimb};
use super::{Buffer, Ntt, Permutation, Ring, RingError, RnsBasis, RnsPoly};
use rayon::prelude::*;
use std::ops::Deref;
use std::sync::Arc;

/// What follows an inner product: `M c` is added to each half, with `c` over `row` and M the product of the primes outside it
/// (see [`Ring::embed`]); then the automorphism of an exponent is applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Then<'a> {
    /// The addends of the two halves.
    pub(crate) add: [Option<&'a RnsPoly<Ntt>>; 2],
    /// The primes they are over.
    pub(crate) row: &'a RnsBasis,
    /// The exponent, none for the identity.
    pub(crate) exponent: Option<u64>,
}

/// One digit modulo one prime.
enum DigitLimb<'a> {
    Values(&'a [u64]),
    /// To be raised; with what was made of it.
    Raised(&'a Converted, Option<Buffer>),
}

/// What all limbs of an inner product share.
struct Product<'a> {
    ring: &'a Ring,
    keys: Vec<Halves<'a>>,
    add: [Option<&'a RnsPoly<Ntt>>; 2],
    added: RnsBasis,
    table: Option<Arc<Permutation>>,
}

impl Ring {
    /// `sum_d x_d (b_d, a_d)` modulo the primes of `basis`, then what follows: one pass for each limb.
    ///
    /// # Errors
    /// When there are no digits, an operand lacks a prime, a packed residue is not below its prime, or the exponent is not odd
    /// and below 2N.
    pub(crate) fn key_product(
        &self,
        basis: &RnsBasis,
        digits: &[(&RnsPoly<Ntt>, Halves<'_>)],
        then: Then<'_>,
    ) -> Result<[RnsPoly<Ntt>; 2], RingError> {
        for (digit, _) in digits {
            digit.check_superset(self, basis)?;
        }
        let product = self.product(basis, digits.iter().map(|&(_, halves)| halves), then)?;
        let limbs = basis.primes().par_iter().map(|&prime| {
            let values = digits.iter().filter_map(|(digit, _)| digit.residues(prime));
            let [b, a] = product.limb(prime, values.map(DigitLimb::Values))?;
            Ok((Arc::new(b), Arc::new(a)))
        });
        let limbs: Vec<_> = limbs.collect::<Result<_, RingError>>()?;
        let (b, a) = limbs.into_iter().unzip();
        let poly = |limbs| RnsPoly::from_shared(basis.clone(), self.degree(), limbs);
        Ok([poly(b), poly(a)])
    }

    /// [`Self::key_product`] of the digits of `a`, each raised from its own primes to `basis` (see [`Self::raise`]), and then
    /// [`Self::divide_out`] of both halves to `target`: a whole key switch. Neither digits nor the product are kept.
    ///
    /// # Errors
    /// As for [`Self::key_product`]; when `a` lacks a prime of a digit.
    pub(crate) fn key_switch(
        &self,
        a: &RnsPoly<Ntt>,
        (basis, target): (&RnsBasis, &RnsBasis),
        digits: &[(RnsBasis, Halves<'_>)],
        then: Then<'_>,
    ) -> Result<[RnsPoly<Ntt>; 2], RingError> {
        let product = self.product(basis, digits.iter().map(|&(_, halves)| halves), then)?;
        let raised = RaisedDigits::new(self, a, basis, digits)?;
        let divided = self.divided(
            basis,
            target,
            |tile| raised.limbs(self, tile),
            |prime, digits| product.limb(prime, digits),
        )?;
        let mut limbs = Vec::with_capacity(target.len());
        for tile in tiles(target) {
            // Primes that enter have no product.
            let digits = raised.limbs(self, tile).into_iter().zip(tile);
            let digits = digits.map(|(digits, &prime)| basis.contains(prime).then_some(digits));
            let digits: Vec<_> = digits.collect();
            let [b, a] = divided.each_ref().map(|half| half.blockwise(self, tile));
            let made = tile.par_iter().zip(digits).zip(b).zip(a);
            let made = made.map(|(((&prime, digits), b), a)| {
                let product = digits.map(|digits| product.limb(prime, digits));
                let product = product.transpose()?;
                let finished = |half: usize, made: Option<Buffer>| {
                    let mut limb = divided[half].limb(self, prime, made);
                    if let Some(product) = &product {
                        divided[half].add_kept(self, prime, &mut limb, &product[half]);
                    }
                    limb
                };
                Ok((finished(0, b), finished(1, a)))
            });
            limbs.extend(made.collect::<Result<Vec<_>, RingError>>()?);
        }
        let (b, a) = limbs.into_iter().unzip();
        let poly = |limbs| RnsPoly::from_buffers(target.clone(), self.degree(), limbs);
        Ok([poly(b), poly(a)])
    }

    fn product<'a>(
        &'a self,
        basis: &RnsBasis,
        keys: impl Iterator<Item = Halves<'a>>,
        then: Then<'a>,
    ) -> Result<Product<'a>, RingError> {
        let keys: Vec<Halves<'_>> = keys.collect();
        if keys.is_empty() {
            return Err(RingError::NoOperands);
        }
        for halves in &keys {
            halves.check_superset(self, basis)?;
        }
        for addend in then.add.into_iter().flatten() {
            addend.check_superset(self, then.row)?;
        }
        let table = then.exponent.map(|exponent| self.permutation(exponent));
        Ok(Product {
            ring: self,
            keys,
            add: then.add,
            added: basis.difference(then.row),
            table: table.transpose()?,
        })
    }
}

/// The digits of a polynomial, raised limb by limb.
struct RaisedDigits<'a> {
    a: &'a RnsPoly<Ntt>,
    digits: Vec<(RnsBasis, Converted)>,
}

impl<'a> RaisedDigits<'a> {
    fn new(
        ring: &Ring,
        a: &'a RnsPoly<Ntt>,
        basis: &RnsBasis,
        digits: &[(RnsBasis, Halves<'_>)],
    ) -> Result<Self, RingError> {
        let raise =
            |(from, _): &(RnsBasis, Halves<'_>)| Ok((from.clone(), ring.raised(a, from, basis)?));
        let digits = digits.par_iter().map(raise);
        Ok(Self {
            a,
            digits: digits.collect::<Result<_, RingError>>()?,
        })
    }

    /// All digits modulo each prime of a tile.
    fn limbs(&self, ring: &Ring, tile: &[usize]) -> Vec<Vec<DigitLimb<'_>>> {
        let mut limbs: Vec<Vec<DigitLimb<'_>>> = tile.iter().map(|_| Vec::new()).collect();
        for (from, converted) in &self.digits {
            let made = converted.blockwise(ring, tile);
            for ((limbs, &prime), made) in limbs.iter_mut().zip(tile).zip(made) {
                limbs.extend(if from.contains(prime) {
                    self.a.residues(prime).map(DigitLimb::Values)
                } else {
                    Some(DigitLimb::Raised(converted, made))
                });
            }
        }
        limbs
    }
}

impl Product<'_> {
    /// Both halves modulo one prime.
    fn limb<'l>(
        &self,
        prime: usize,
        digits: impl IntoIterator<Item = DigitLimb<'l>>,
    ) -> Result<[Buffer; 2], RingError> {
        let ring = self.ring;
        let digits: Vec<Words<'_>> = digits
            .into_iter()
            .map(|digit| digit.values(ring, prime))
            .collect();
        let digits: Vec<&[u64]> = digits.iter().map(|digit| &**digit).collect();
        let mut keys: Vec<KeyLimb<'_>> = self
            .keys
            .iter()
            .filter_map(|key| key.limb(ring, prime))
            .collect();
        let add = self
            .add
            .map(|add| add.filter(|_| !self.added.contains(prime))?.residues(prime));
        let m = ring.modulus(prime);
        let w = m.factor(ring.product_mod(&self.added, prime));
        let block = keys.iter().filter_map(KeyLimb::block_length).min();
        let length = block.unwrap_or(ring.degree());
        let (mut b, mut a) = (ring.buffer(), ring.buffer());
        for at in (0..ring.degree()).step_by(length) {
            keys.iter_mut().try_for_each(|key| key.expand(ring))?;
            let part = at..at + length;
            let (key0, key1): (Vec<&[u64]>, Vec<&[u64]>) =
                keys.iter().map(|key| key.words(part.clone())).unzip();
            let of = KeyProduct {
                at,
                digits: &digits,
                key: [&key0, &key1],
                add: add.map(|add| add.map(|add| &add[part.clone()])),
                w,
                table: self.table.as_deref(),
            };
            ring.kernels.key_product([&mut b, &mut a], &of, m);
        }
        Ok([b, a])
    }
}

/// Words lent or made.
enum Words<'a> {
    Lent(&'a [u64]),
    Made(Buffer),
}

impl Deref for Words<'_> {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        match self {
            Self::Lent(words) => words,
            Self::Made(words) => words,
        }
    }
}

impl<'a> DigitLimb<'a> {
    fn values(self, ring: &Ring, prime: usize) -> Words<'a> {
        match self {
            Self::Values(words) => Words::Lent(words),
            Self::Raised(digit, made) => Words::Made(digit.limb(ring, prime, made)),
        }
    }
}
