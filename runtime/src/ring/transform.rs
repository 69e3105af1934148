//! The number-theoretic transform: `Z_p[X] / (X^n + 1)` to its values at the primitive `2n`-th roots of unity.
//!
//! Forward maps coefficients in natural order to values in bit-reversed order: position `i` holds `a(psi^(2 rev(i) + 1))`,
//! with `psi` a primitive `2n`-th root chosen by the implementation and `rev` the reversal of `log2 n` bits. The inverse
//! leaves a factor `n`, which callers merge into whatever scaling they do anyway.
//!
//! The implementation is `tfhe-ntt`'s plan for 64-bit primes; rings with `n < 16`, too small for it, are evaluated directly.
//! Each transform tests itself once when it is made, because a wrong one is silent: `tfhe-ntt` 0.7.1 builds twiddles for one
//! kernel and runs another for primes in `[1501199875790166, 2^51)` on machines with AVX-512 IFMA. All primes here are below
//! 2^50.

use super::kernels;
use super::modulus::{Factor, Modulus};
use tfhe_ntt::prime64::Plan;

/// Transforms modulo one prime.
pub(super) struct Transform {
    modulus: Modulus,
    method: Method,
    normalization: Factor,
}

enum Method {
    Plan(Box<Plan>),
    /// Matrices of the transform and its inverse times `n`, row by row.
    Direct {
        forward: Vec<u64>,
        inverse: Vec<u64>,
    },
}

/// Reverses the lowest `bits` bits of `i`.
pub(super) fn reverse_bits(i: usize, bits: u32) -> usize {
    if bits == 0 {
        0
    } else {
        i.reverse_bits() >> (usize::BITS - bits)
    }
}

impl Transform {
    /// Plans for degree `2^log_n`; `None` when there is no such root of unity or the transform fails its own test.
    pub(super) fn new(log_n: u32, modulus: Modulus) -> Option<Self> {
        let n = 1usize << log_n;
        let method = if n < 16 {
            direct(log_n, &modulus)?
        } else {
            Method::Plan(Box::new(Plan::try_new(n, modulus.value())?))
        };
        let normalization = modulus.factor(modulus.inverse(modulus.reduce(n as u64)));
        let transform = Self {
            modulus,
            method,
            normalization,
        };
        transform.passes_self_test(log_n).then_some(transform)
    }

    /// Coefficients to values, in place; reduced in and out.
    pub(super) fn forward(&self, words: &mut [u64]) {
        match &self.method {
            Method::Plan(plan) => plan.fwd(words),
            Method::Direct { forward, .. } => self.multiply(forward, words),
        }
    }

    /// Values to `n` times the coefficients, in place; reduced in and out.
    pub(super) fn inverse_unscaled(&self, words: &mut [u64]) {
        match &self.method {
            Method::Plan(plan) => plan.inv(words),
            Method::Direct { inverse, .. } => self.multiply(inverse, words),
        }
    }

    /// Values to coefficients times a factor that includes `1 / n`.
    pub(super) fn inverse_scaled(&self, words: &mut [u64], factor: Factor) {
        self.inverse_unscaled(words);
        kernels::scale_assign(words, factor, &self.modulus);
    }

    /// Values to coefficients.
    pub(super) fn inverse(&self, words: &mut [u64]) {
        self.inverse_scaled(words, self.normalization);
    }

    fn multiply(&self, matrix: &[u64], words: &mut [u64]) {
        let input = words.to_vec();
        for (out, row) in words.iter_mut().zip(matrix.chunks(input.len())) {
            let products = row
                .iter()
                .zip(&input)
                .map(|(&a, &b)| u128::from(a) * u128::from(b));
            *out = self.modulus.reduce_wide(products.sum());
        }
    }

    /// Whether the transform of X is the powers of a `2n`-th root in the stated order, a pseudo-random polynomial takes the
    /// right values at three points, its transform is reduced, and the inverse gives it back.
    fn passes_self_test(&self, log_n: u32) -> bool {
        let (n, m) = (1usize << log_n, &self.modulus);
        let mut x = vec![0; n];
        x[1] = 1;
        self.forward(&mut x);
        let psi = x[0];
        let mut powers = vec![1; 2 * n];
        for i in 1..2 * n {
            powers[i] = m.mul(powers[i - 1], psi);
        }
        let ordered = (0..n).all(|i| x[i] == powers[2 * reverse_bits(i, log_n) + 1]);

        let mut state = m.value();
        let polynomial: Vec<u64> = (0..n).map(|_| m.reduce(split_mix(&mut state))).collect();
        let mut values = polynomial.clone();
        self.forward(&mut values);
        let horner = |i: usize| {
            polynomial
                .iter()
                .rev()
                .fold(0, |acc, &c| m.add(m.mul(acc, x[i]), c))
        };
        let evaluated = [0, n / 3, n - 1].iter().all(|&i| values[i] == horner(i));
        let reduced = kernels::is_reduced(&values, m);
        self.inverse(&mut values);
        powers[n] == m.value() - 1 && ordered && evaluated && reduced && values == polynomial
    }
}

/// A cheap deterministic sequence for self-tests.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The matrices `psi^(e_i j)` and `psi^(-e_j i)`, `e_i = 2 rev(i) + 1`.
fn direct(log_n: u32, m: &Modulus) -> Option<Method> {
    let n = 1usize << log_n;
    let order = 2 * n as u64;
    if !(m.value() - 1).is_multiple_of(order) {
        return None;
    }
    let cofactor = (m.value() - 1) / order;
    let psi = (2..m.value())
        .map(|g| m.pow(g, cofactor))
        .find(|&psi| m.pow(psi, n as u64) == m.value() - 1)?;
    let exponent = |i: usize| 2 * reverse_bits(i, log_n) as u64 + 1;
    let entry = |e: u64| m.pow(psi, e % order);
    let forward = (0..n * n)
        .map(|at| entry(exponent(at / n) * (at % n) as u64))
        .collect();
    let inverse = (0..n * n)
        .map(|at| entry((order - exponent(at % n)) * (at / n) as u64))
        .collect();
    Some(Method::Direct { forward, inverse })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direct_and_planned_transforms_pass_the_same_test() {
        for (log_n, p) in [
            (3, 17),
            (3, 1_125_899_903_827_969),
            (4, 97),
            (9, 12289),
            (13, 1_125_899_903_827_969),
        ] {
            assert!(
                Transform::new(log_n, Modulus::new(p)).is_some(),
                "degree 2^{log_n} modulo {p}"
            );
        }
    }

    #[test]
    fn a_prime_without_the_root_of_unity_is_refused() {
        assert!(Transform::new(3, Modulus::new(19)).is_none());
        assert!(Transform::new(5, Modulus::new(97)).is_none());
    }
}
