//! The number-theoretic transform: `Z_p[X] / (X^n + 1)` to its values at the primitive `2n`-th roots of unity.
//!
//! Forward maps coefficients in natural order to values in bit-reversed order: position `i` holds `a(psi^(2 rev(i) + 1))`,
//! with `psi` the root that Tonelli and Shanks's square roots lead to from -1 (see [`root_of_unity`]) and `rev` the reversal of
//! `log2 n` bits. The inverse leaves a factor `n`, which is merged into whatever scaling is done anyway.
//!
//! Four implementations give the same words: the vector transforms of `ifma` or of `fma`, where the processor has them; `tfhe-ntt`'s
//! plan for 64-bit primes; and for rings with `n < 16`, too small for it, direct evaluation. The order of values is part of the file
//! formats, and so is the root.
//!
//! Each transform tests itself once when it is made, because a wrong one is silent: `tfhe-ntt` 0.7.1 builds twiddles for one
//! kernel and runs another for primes in `[1501199875790166, 2^51)` on machines with AVX-512 IFMA. All primes here are below
//! 2^50.

use super::modulus::{Factor, Modulus};
use super::{Kernels, portable};
#[cfg(target_arch = "x86_64")]
use super::{fma, ifma};
use std::ops::RangeInclusive;
use tfhe_ntt::prime64::Plan;

/// Degrees that vector transforms work for, as logarithms.
pub(super) const VECTOR_LOG_N: RangeInclusive<u32> = 7..=20;

/// Transforms modulo one prime.
pub(super) struct Transform {
    modulus: Modulus,
    kernels: Kernels,
    method: Method,
    normalization: Factor,
    /// `1 / (2 psi^(n/2))`; `psi^(n/2)` is the root whose square is -1.
    odd: Factor,
}

enum Method {
    #[cfg(target_arch = "x86_64")]
    Doubles(fma::ntt::Tables),
    #[cfg(target_arch = "x86_64")]
    Vector(ifma::ntt::Tables),
    Plan(Box<Plan>),
    /// Matrices of the transform and its inverse times `n`, row by row.
    Direct {
        forward: Vec<u64>,
        inverse: Vec<u64>,
    },
}

/// Bytes of the tables for one prime and degree `2^log_n`, with the transform that is chosen here.
pub(crate) fn table_bytes(log_n: u32) -> usize {
    let words = match Kernels::detect(log_n) {
        #[cfg(target_arch = "x86_64")]
        Kernels::Fma(_) => return fma::ntt::Tables::bytes(log_n),
        #[cfg(target_arch = "x86_64")]
        Kernels::Ifma(_) => return ifma::ntt::Tables::bytes(log_n),
        // Two matrices.
        Kernels::Portable if log_n < 4 => 2 << (2 * log_n),
        // Twiddles both ways, each with its quotient.
        Kernels::Portable => 4 << log_n,
    };
    words * size_of::<u64>()
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
    pub(super) fn new(log_n: u32, modulus: Modulus, kernels: Kernels) -> Option<Self> {
        let n = 1usize << log_n;
        let method = match kernels {
            #[cfg(target_arch = "x86_64")]
            Kernels::Fma(fma) => {
                let psi = root_of_unity(&modulus, log_n + 1)?;
                Method::Doubles(fma::ntt::Tables::new(fma, log_n, modulus, psi))
            }
            #[cfg(target_arch = "x86_64")]
            Kernels::Ifma(ifma) => {
                let psi = root_of_unity(&modulus, log_n + 1)?;
                Method::Vector(ifma::ntt::Tables::new(ifma, log_n, modulus, psi))
            }
            Kernels::Portable if n < 16 => direct(log_n, &modulus)?,
            Kernels::Portable => Method::Plan(Box::new(Plan::try_new(n, modulus.value())?)),
        };
        let normalization = modulus.factor(modulus.inverse(modulus.reduce(n as u64)));
        let root = root_of_unity(&modulus, 2)?;
        let odd = modulus.factor(modulus.inverse(modulus.add(root, root)));
        let transform = Self {
            modulus,
            kernels,
            method,
            normalization,
            odd,
        };
        transform.passes_self_test(log_n).then_some(transform)
    }

    /// Coefficients to values, in place; reduced out. In, what [`Kernels::weighted_sum`] leaves is reduced enough.
    pub(super) fn forward(&self, words: &mut [u64]) {
        match &self.method {
            #[cfg(target_arch = "x86_64")]
            Method::Doubles(tables) => tables.forward(words),
            #[cfg(target_arch = "x86_64")]
            Method::Vector(tables) => tables.forward(words),
            Method::Plan(plan) => plan.fwd(words),
            Method::Direct { forward, .. } => self.multiply(forward, words),
        }
    }

    /// The coefficients of `a + X^(n/2) b` to the values of a, in place, and of b: two transforms for the price of one where `a(1/X) = a`
    /// and `b(1/X) = b`, as in encodings of real slots. What is in `b` before does not matter.
    pub(super) fn forward_two(&self, a: &mut [u64], b: &mut [u64]) {
        self.forward(a);
        self.kernels.separate(a, b, self.odd, &self.modulus);
    }

    /// Values to coefficients times a factor that includes `1 / n`; reduced in and out.
    pub(super) fn inverse_scaled(&self, out: &mut [u64], values: &[u64], factor: Factor) {
        match &self.method {
            #[cfg(target_arch = "x86_64")]
            Method::Doubles(tables) => return tables.inverse_scaled(out, values, factor),
            #[cfg(target_arch = "x86_64")]
            Method::Vector(tables) => return tables.inverse_scaled(out, values, factor),
            Method::Plan(plan) => {
                out.copy_from_slice(values);
                plan.inv(out);
            }
            Method::Direct { inverse, .. } => {
                out.copy_from_slice(values);
                self.multiply(inverse, out);
            }
        }
        portable::scale_assign(out, factor, &self.modulus);
    }

    /// Values to coefficients.
    pub(super) fn inverse(&self, out: &mut [u64], values: &[u64]) {
        self.inverse_scaled(out, values, self.normalization);
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
        let reduced = self.kernels.is_reduced(&values, m);
        let mut back = vec![0; n];
        self.inverse(&mut back, &values);
        powers[n] == m.value() - 1 && ordered && evaluated && reduced && back == polynomial
    }
}

/// A cheap deterministic sequence for self-tests.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A primitive root of unity of order `2^log_order`: from -1, as often as needed, the square root that Tonelli and Shanks's
/// algorithm finds with the least quadratic non-residue. It is the root that `tfhe-ntt` uses.
///
/// `None` when there is none. Time depends on the prime only.
fn root_of_unity(m: &Modulus, log_order: u32) -> Option<u64> {
    let p = m.value();
    let twos = (p - 1).trailing_zeros();
    if log_order > twos || log_order == 0 {
        return None;
    }
    let odd = (p - 1) >> twos;
    let non_residue = (2..p).find(|&z| m.pow(z, (p - 1) / 2) == p - 1)?;
    let square_root = |n: u64| {
        // Invariant: r^2 = n t, and t and c are of orders 2^i and 2^k with i < k.
        let (mut k, mut c) = (twos, m.pow(non_residue, odd));
        let (mut t, mut r) = (m.pow(n, odd), m.pow(n, odd.div_ceil(2)));
        while t != 1 {
            let i = (0..k).find(|&i| m.pow(t, 1 << i) == 1)?;
            let b = m.pow(c, 1 << (k.checked_sub(i + 1)?));
            (k, c) = (i, m.mul(b, b));
            (t, r) = (m.mul(t, c), m.mul(r, b));
        }
        Some(r)
    };
    (1..log_order).try_fold(p - 1, |root, _| square_root(root))
}

/// The matrices `psi^(e_i j)` and `psi^(-e_j i)`, `e_i = 2 rev(i) + 1`.
fn direct(log_n: u32, m: &Modulus) -> Option<Method> {
    let n = 1usize << log_n;
    let order = 2 * n as u64;
    let psi = root_of_unity(m, log_n + 1)?;
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
    use crate::testing::primes_below;
    use proptest::prelude::*;

    #[test]
    fn direct_and_planned_transforms_pass_the_same_test() {
        for (log_n, p) in [
            (3, 17),
            (3, 1_125_899_903_827_969),
            (4, 97),
            (9, 12289),
            (13, 1_125_899_903_827_969),
        ] {
            for kernels in Kernels::all(log_n) {
                let transform = Transform::new(log_n, Modulus::new(p), kernels);
                assert!(
                    transform.is_some(),
                    "degree 2^{log_n} modulo {p}, {kernels:?}"
                );
            }
        }
    }

    #[test]
    fn a_prime_without_the_root_of_unity_is_refused() {
        assert!(Transform::new(3, Modulus::new(19), Kernels::Portable).is_none());
        assert!(Transform::new(5, Modulus::new(97), Kernels::Portable).is_none());
        assert_eq!(root_of_unity(&Modulus::new(97), 6), None);
        assert_eq!(root_of_unity(&Modulus::new(97), 1), Some(96));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Of words below `4p`, of which many are as large as they may be, where transforms take them.
        #[test]
        fn all_processors_compute_the_same_words(log_n in 7u32..=17, bits in 32u32..=50, skip in 0usize..4, seed: u64) {
            let p = primes_below(bits, log_n, skip + 1)[skip];
            let m = Modulus::new(p);
            let mut state = seed;
            let word = |_| match split_mix(&mut state) % 4 {
                0 => 4 * p - 1,
                _ => split_mix(&mut state) % (4 * p),
            };
            let words: Vec<u64> = (0..1 << log_n).map(word).collect();
            let reduced: Vec<u64> = words.iter().map(|&x| m.reduce(x)).collect();
            let factor = m.factor(m.reduce(split_mix(&mut state)));
            let portable = Transform::new(log_n, m, Kernels::Portable).unwrap();
            let (mut values, mut coefficients) = (reduced.clone(), vec![0; 1 << log_n]);
            portable.forward(&mut values);
            portable.inverse_scaled(&mut coefficients, &reduced, factor);
            for kernels in Kernels::all(log_n).into_iter().filter(|&k| k != Kernels::Portable) {
                let transform = Transform::new(log_n, m, kernels).unwrap();
                let mut found = words.clone();
                transform.forward(&mut found);
                prop_assert!(found == values, "forward, {:?}", kernels);
                let mut found = vec![0; 1 << log_n];
                transform.inverse_scaled(&mut found, &reduced, factor);
                prop_assert!(found == coefficients, "inverse, {:?}", kernels);
            }
        }
    }
}
