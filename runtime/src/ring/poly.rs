//! Polynomials of `Z_Q[X] / (X^N + 1)` as residues modulo the primes of a basis.
//!
//! The domain is part of the type: [`Coefficient`] for coefficients in natural order, [`Ntt`] for values in bit-reversed
//! order (see the `transform` module). Each limb is a buffer of the ring's pool; clones and restrictions share limbs until one
//! of them is written to.

use super::pool::Buffer;
use super::{Ring, RingError, RnsBasis};
use rayon::prelude::*;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// Words handled by one task of a cheap element-wise loop, so that small rings are not slowed by scheduling.
const WORDS_PER_TASK: usize = 1 << 15;

/// The coefficient domain: coefficients in natural order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coefficient {}

/// The NTT domain: values at the roots of unity, in bit-reversed order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ntt {}

/// A polynomial in RNS form: one limb of N words modulo each prime of a basis, in one domain; every word is below its prime.
pub struct RnsPoly<Domain> {
    basis: RnsBasis,
    degree: usize,
    limbs: Vec<Arc<Buffer>>,
    domain: PhantomData<Domain>,
}

/// Shares the limbs.
impl<Domain> Clone for RnsPoly<Domain> {
    fn clone(&self) -> Self {
        let Self {
            basis,
            degree,
            limbs,
            domain,
        } = self;
        Self {
            basis: basis.clone(),
            degree: *degree,
            limbs: limbs.clone(),
            domain: *domain,
        }
    }
}

impl<Domain> PartialEq for RnsPoly<Domain> {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            basis,
            degree,
            limbs,
            domain: _,
        } = self;
        let equal = |(a, b): (&Arc<Buffer>, &Arc<Buffer>)| a[..] == b[..];
        *basis == other.basis
            && *degree == other.degree
            && limbs.iter().zip(&other.limbs).all(equal)
    }
}

/// Shape only: the words may be secret.
impl<Domain> fmt::Debug for RnsPoly<Domain> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RnsPoly")
            .field("basis", &self.basis)
            .field("degree", &self.degree)
            .finish_non_exhaustive()
    }
}

/// Limbs shared with another polynomial are left to it.
impl<Domain> Zeroize for RnsPoly<Domain> {
    fn zeroize(&mut self) {
        for limb in &mut self.limbs {
            if let Some(words) = Arc::get_mut(limb) {
                words.zeroize();
            }
        }
    }
}

impl<Domain: Sync> RnsPoly<Domain> {
    /// The zero polynomial over a basis.
    pub fn zero(ring: &Ring, basis: &RnsBasis) -> Self {
        let mut zero = Self::any(ring, basis);
        zero.par_limbs_mut(ring, |_, limb| limb.fill(0));
        zero
    }

    /// Some polynomial, every word of which is about to be overwritten.
    pub(crate) fn any(ring: &Ring, basis: &RnsBasis) -> Self {
        let limbs = basis.primes().iter().map(|_| ring.buffer()).collect();
        Self::from_buffers(basis.clone(), ring.degree(), limbs)
    }

    /// A polynomial of reduced limbs.
    pub(super) fn from_buffers(basis: RnsBasis, degree: usize, limbs: Vec<Buffer>) -> Self {
        let limbs = limbs.into_iter().map(Arc::new).collect();
        Self::from_shared(basis, degree, limbs)
    }

    /// A polynomial from limbs that lie one after the other, in the order of the basis.
    ///
    /// # Errors
    /// Unless there are exactly N words for each prime, each below that prime.
    pub fn from_limbs(ring: &Ring, basis: &RnsBasis, words: &[u64]) -> Result<Self, RingError> {
        ring.check_basis(basis)?;
        let expected = basis.len() * ring.degree();
        if words.len() != expected {
            return Err(RingError::Length {
                expected,
                found: words.len(),
            });
        }
        let mut limbs = Vec::with_capacity(basis.len());
        for (&prime, words) in basis.primes().iter().zip(words.chunks(ring.degree())) {
            if !ring.kernels.is_reduced(words, ring.modulus(prime)) {
                return Err(RingError::Unreduced {
                    prime: ring.modulus(prime).value(),
                });
            }
            let mut limb = ring.buffer();
            limb.copy_from_slice(words);
            limbs.push(limb);
        }
        Ok(Self::from_buffers(basis.clone(), ring.degree(), limbs))
    }

    /// A polynomial of reduced limbs that others may hold too.
    pub(super) fn from_shared(basis: RnsBasis, degree: usize, limbs: Vec<Arc<Buffer>>) -> Self {
        Self {
            basis,
            degree,
            limbs,
            domain: PhantomData,
        }
    }

    /// The limb of a prime, to be shared.
    pub(super) fn shared(&self, prime: usize) -> Option<Arc<Buffer>> {
        self.basis.position(prime).map(|i| self.limbs[i].clone())
    }

    /// The basis: the primes that the polynomial is modulo.
    pub fn basis(&self) -> &RnsBasis {
        &self.basis
    }

    /// The indices of the primes of the basis, one per limb, ascending.
    pub fn primes(&self) -> &[usize] {
        self.basis.primes()
    }

    /// The ring degree N.
    pub fn degree(&self) -> usize {
        self.degree
    }

    /// The limb of the `i`-th prime of the basis: N residues.
    pub fn limb(&self, i: usize) -> &[u64] {
        &self.limbs[i]
    }

    /// The limbs in the order of the basis.
    pub fn limbs(&self) -> impl ExactSizeIterator<Item = &[u64]> {
        self.limbs.iter().map(|limb| &limb[..])
    }

    /// Bytes of all limbs in memory.
    pub fn bytes(&self) -> usize {
        self.limbs.len() * self.degree * size_of::<u64>()
    }

    /// The residues modulo a prime of the basis.
    pub(crate) fn residues(&self, prime: usize) -> Option<&[u64]> {
        self.basis.position(prime).map(|i| self.limb(i))
    }

    /// The residues modulo a subset of the primes of this polynomial, as a polynomial that shares its limbs.
    ///
    /// # Errors
    /// When a prime of `basis` is missing.
    pub fn restrict(&self, ring: &Ring, basis: &RnsBasis) -> Result<Self, RingError> {
        self.check_superset(ring, basis)?;
        let kept = basis
            .primes()
            .iter()
            .filter_map(|&p| self.basis.position(p));
        Ok(Self {
            basis: basis.clone(),
            degree: self.degree,
            limbs: kept.map(|i| self.limbs[i].clone()).collect(),
            domain: PhantomData,
        })
    }

    /// Some of the limbs, by position, under the numbers that another ring of the degree gives to their primes; shares them.
    pub(crate) fn renumbered(&self, basis: RnsBasis, positions: &[usize]) -> Self {
        debug_assert_eq!(basis.len(), positions.len(), "a limb for each prime");
        let limbs = positions.iter().filter_map(|&i| self.limbs.get(i)).cloned();
        let limbs = limbs.collect();
        Self::from_shared(basis, self.degree, limbs)
    }

    /// # Errors
    /// When the polynomial is of another degree than the ring.
    pub(crate) fn check_degree(&self, ring: &Ring) -> Result<(), RingError> {
        if self.degree == ring.degree() {
            return Ok(());
        }
        Err(RingError::Degree {
            expected: ring.degree(),
            found: self.degree,
        })
    }

    /// # Errors
    /// When the polynomial is of another degree, or a prime of `basis` has no limb here; names it.
    pub(super) fn check_superset(&self, ring: &Ring, basis: &RnsBasis) -> Result<(), RingError> {
        self.check_degree(ring)?;
        ring.check_covers(&self.basis, basis)
    }

    /// Calls `f(prime, limb)` for every limb, several at once; for loops without a transform.
    pub(super) fn par_limbs_mut(&mut self, ring: &Ring, f: impl Fn(usize, &mut [u64]) + Sync) {
        self.par_limbs_mut_grouped(ring.degree(), (WORDS_PER_TASK / ring.degree()).max(1), f);
    }

    /// Calls `f(prime, limb)` for every limb, all at once; for loops with a transform or several passes.
    pub(crate) fn par_limbs_mut_heavy(
        &mut self,
        ring: &Ring,
        f: impl Fn(usize, &mut [u64]) + Sync,
    ) {
        self.par_limbs_mut_grouped(
            ring.degree(),
            (WORDS_PER_TASK / 16 / ring.degree()).max(1),
            f,
        );
    }

    fn par_limbs_mut_grouped(
        &mut self,
        degree: usize,
        group: usize,
        f: impl Fn(usize, &mut [u64]) + Sync,
    ) {
        debug_assert_eq!(degree, self.degree, "a ring of another degree");
        let Self { basis, limbs, .. } = self;
        limbs
            .par_iter_mut()
            .with_min_len(group)
            .zip(basis.primes())
            .for_each(|(limb, &prime)| f(prime, &mut *Arc::<Buffer>::make_mut(limb)));
    }

    /// The words of this polynomial, declared to be in another domain.
    fn retype<Other>(self) -> RnsPoly<Other> {
        let Self {
            basis,
            degree,
            limbs,
            domain: _,
        } = self;
        RnsPoly {
            basis,
            degree,
            limbs,
            domain: PhantomData,
        }
    }
}

impl RnsPoly<Coefficient> {
    /// A polynomial with signed coefficients, each reduced modulo every prime of the basis.
    ///
    /// # Errors
    /// Unless there are N coefficients.
    pub fn from_signed(
        ring: &Ring,
        basis: &RnsBasis,
        coefficients: &[i64],
    ) -> Result<Self, RingError> {
        if coefficients.len() != ring.degree() {
            return Err(RingError::Length {
                expected: ring.degree(),
                found: coefficients.len(),
            });
        }
        let mut poly = Self::any(ring, basis);
        poly.par_limbs_mut(ring, |prime, limb| {
            ring.kernels
                .reduce_signed(limb, coefficients, ring.modulus(prime))
        });
        Ok(poly)
    }

    /// The NTT of a polynomial in coefficients, in place. One transform per limb.
    pub fn into_ntt(mut self, ring: &Ring) -> RnsPoly<Ntt> {
        self.par_limbs_mut_heavy(ring, |prime, limb| ring.transform(prime).forward(limb));
        self.retype()
    }
}

impl RnsPoly<Ntt> {
    /// The inverse NTT: the coefficients of a polynomial. One transform per limb.
    pub fn to_coefficients(&self, ring: &Ring) -> RnsPoly<Coefficient> {
        let mut out = RnsPoly::any(ring, &self.basis);
        out.par_limbs_mut_heavy(ring, |prime, limb| {
            if let Some(values) = self.residues(prime) {
                ring.transform(prime).inverse(limb, values);
            }
        });
        out
    }
}

/// A polynomial in the NTT domain that depends on a secret; wiped when dropped.
pub type SecretPoly = Zeroizing<RnsPoly<Ntt>>;
