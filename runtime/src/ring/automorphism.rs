//! The automorphisms `X -> X^g`, `g` odd.
//!
//! The value of `a(X^g)` at `psi^e` is the value of `a` at `psi^(e g)`, so in the NTT domain an automorphism permutes the
//! values and changes no sign: with `e_i = 2 rev(i) + 1`, `out[i] = in[rev((e_i g mod 2N - 1) / 2)]`, the same for every
//! prime. Tables are made on first use and kept.

use super::transform::reverse_bits;
use super::{Kernels, Ntt, Ring, RingError, RnsPoly};
use std::sync::{Arc, PoisonError};

/// Where each value of the result comes from.
///
/// The high bits of `rev((e_i g mod 2N - 1) / 2)` depend on the high bits of `i` alone, so a group of 8 comes from one group
/// of 8; and within it there are 8 orders at most, one for each carry into the highest three bits of `e_i g`.
#[derive(Debug)]
pub struct Permutation {
    groups: Vec<u32>,
    /// The inverse of `groups`.
    destinations: Vec<u32>,
    orders: Vec<u8>,
    patterns: Vec<[u64; 8]>,
}

impl Permutation {
    pub(super) fn new(log_n: u32, exponent: u64) -> Self {
        let n = 1usize << log_n;
        let length = n.min(8);
        let source = |i: usize| {
            let e = (2 * reverse_bits(i, log_n) + 1) as u64;
            let image = (e * exponent) as usize & (2 * n - 1);
            reverse_bits((image - 1) / 2, log_n)
        };
        let (mut groups, mut orders, mut patterns) = (Vec::new(), Vec::new(), Vec::new());
        for first in (0..n).step_by(length) {
            let pattern =
                std::array::from_fn(|lane| (source(first + lane % length) % length) as u64);
            let known = patterns.iter().position(|known| *known == pattern);
            let order = known.unwrap_or_else(|| {
                patterns.push(pattern);
                patterns.len() - 1
            });
            groups.push((source(first) / length) as u32);
            orders.push(order as u8);
        }
        let mut destinations = vec![0; groups.len()];
        for (to, &from) in (0..).zip(&groups) {
            destinations[from as usize] = to;
        }
        Self {
            groups,
            destinations,
            orders,
            patterns,
        }
    }

    /// For a group of 8 words: the group of the result they go to, and in which order.
    #[inline]
    pub(super) fn destination(&self, group: usize) -> (usize, &[u64; 8]) {
        let to = self.destinations[group] as usize;
        (to, &self.patterns[self.orders[to] as usize])
    }

    /// For each group of 8 words of the result (or fewer, all there are): the group they come from, and in which order.
    pub(super) fn groups(&self) -> impl Iterator<Item = (usize, &[u64; 8])> {
        let orders = self
            .orders
            .iter()
            .map(|&order| &self.patterns[order as usize]);
        self.groups.iter().map(|&group| group as usize).zip(orders)
    }

    pub(super) fn apply(&self, kernels: Kernels, out: &mut [u64], a: &[u64]) {
        kernels.permute(out, a, self);
    }
}

impl Ring {
    /// The permutation of values that the automorphism `X -> X^exponent` is; computed once for each exponent.
    ///
    /// # Errors
    /// Unless the exponent is odd and below 2N.
    pub fn permutation(&self, exponent: u64) -> Result<Arc<Permutation>, RingError> {
        let limit = 2 * self.degree() as u64;
        if exponent.is_multiple_of(2) || exponent >= limit {
            return Err(RingError::Exponent { exponent, limit });
        }
        let known = self
            .permutations
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&exponent)
            .cloned();
        if let Some(permutation) = known {
            return Ok(permutation);
        }
        let made = Arc::new(Permutation::new(self.log_n, exponent));
        let mut table = self
            .permutations
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(table.entry(exponent).or_insert(made).clone())
    }

    /// The polynomial `a(X^exponent)`: the automorphism `X -> X^exponent` applied to `a`.
    ///
    /// # Errors
    /// When the polynomial is of another degree. Unless the exponent is odd and below 2N.
    pub fn automorphism(&self, a: &RnsPoly<Ntt>, exponent: u64) -> Result<RnsPoly<Ntt>, RingError> {
        a.check_degree(self)?;
        let permutation = self.permutation(exponent)?;
        let mut out = RnsPoly::any(self, a.basis());
        out.par_limbs_mut(self, |prime, limb| {
            if let Some(a) = a.residues(prime) {
                permutation.apply(self.kernels, limb, a);
            }
        });
        Ok(out)
    }

    /// The exponent whose automorphism undoes that of the given exponent: its inverse modulo 2N.
    pub fn inverse_exponent(&self, exponent: u64) -> u64 {
        // The group of odd residues modulo 2N has exponent N / 2, so g^(N/2 - 1) inverts g.
        let mask = 2 * self.degree() as u64 - 1;
        power_modulo_mask(exponent, self.degree() as u64 / 2 - 1, mask)
    }

    /// The exponent of the automorphism that rotates slots to the left by `steps`: `5^steps mod 2N`.
    pub fn rotation_exponent(&self, steps: u32) -> u64 {
        let slots = self.degree() as u64 / 2;
        power_modulo_mask(5, u64::from(steps) % slots, 4 * slots - 1)
    }

    /// The exponent of the automorphism that conjugates the slots: `2N - 1`.
    pub fn conjugation_exponent(&self) -> u64 {
        2 * self.degree() as u64 - 1
    }
}

/// `base^exponent` modulo the power of two `mask + 1 <= 2^18`.
fn power_modulo_mask(base: u64, mut exponent: u64, mask: u64) -> u64 {
    let (mut square, mut result) = (base & mask, 1);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = (result * square) & mask;
        }
        square = (square * square) & mask;
        exponent >>= 1;
    }
    result
}
