//! The ring against arithmetic on wide integers and schoolbook polynomials.

use super::*;
use crate::testing::primes_below;
use proptest::prelude::*;

/// Five primes of 25 bits: all integers here fit in an `i128`.
fn ring(log_n: u32) -> Ring {
    Ring::new(log_n, &primes_below(25, log_n, 5)).unwrap()
}

fn product(ring: &Ring, basis: &RnsBasis) -> i128 {
    basis
        .primes()
        .iter()
        .map(|&p| i128::from(ring.modulus(p).value()))
        .product()
}

/// Residues of wide coefficients.
fn from_wide(ring: &Ring, basis: &RnsBasis, coefficients: &[i128]) -> RnsPoly<Coefficient> {
    let mut words = Vec::new();
    for &prime in basis.primes() {
        let p = i128::from(ring.modulus(prime).value());
        words.extend(coefficients.iter().map(|c| c.rem_euclid(p) as u64));
    }
    RnsPoly::from_limbs(ring, basis, &words).unwrap()
}

/// Whether the polynomial has the given coefficients modulo each of its primes.
fn congruent(ring: &Ring, poly: RnsPoly<Ntt>, coefficients: &[i128]) -> bool {
    let basis = poly.basis().clone();
    poly.to_coefficients(ring) == from_wide(ring, &basis, coefficients)
}

/// `floor(a / b + 1/2)`.
fn rounded(a: i128, b: i128) -> i128 {
    (2 * a + b).div_euclid(2 * b)
}

/// `a(X^g)` modulo `X^N + 1`.
fn substituted(a: &[i128], g: usize) -> Vec<i128> {
    let n = a.len();
    let mut out = vec![0; n];
    for (i, &c) in a.iter().enumerate() {
        let j = i * g % (2 * n);
        out[j % n] = if j < n { c } else { -c };
    }
    out
}

/// A set of primes that is not empty.
fn some_basis() -> impl Strategy<Value = RnsBasis> {
    (1usize..32).prop_map(|mask| RnsBasis::new((0..5).filter(|i| mask >> i & 1 == 1)))
}

/// Coefficients up to 120 bits, of many sizes.
fn coefficients(n: usize) -> impl Strategy<Value = Vec<i128>> {
    let coefficient = (-(1i128 << 120)..1 << 120, 0..120).prop_map(|(x, shift)| x >> shift);
    prop::collection::vec(coefficient, n)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn products_are_negacyclic(log_n in 3u32..7, seed in any::<i64>()) {
        let ring = ring(log_n);
        let n = ring.degree();
        let basis = RnsBasis::new(0..2);
        let a: Vec<i128> = (0..n as i128).map(|i| (i * i * i128::from(seed)) % 1009).collect();
        let b: Vec<i128> = (0..n as i128).map(|i| (i * i128::from(seed >> 7) + 5) % 997).collect();
        let mut expected = vec![0; n];
        for (i, x) in a.iter().enumerate() {
            for (j, y) in b.iter().enumerate() {
                expected[(i + j) % n] += if i + j < n { x * y } else { -x * y };
            }
        }
        let (a, b) = (from_wide(&ring, &basis, &a).into_ntt(&ring), from_wide(&ring, &basis, &b).into_ntt(&ring));
        prop_assert!(congruent(&ring, ring.mul(&a, &b).unwrap(), &expected));
    }

    #[test]
    fn linear_operations_are_those_of_coefficients(a in coefficients(16), b in coefficients(16), basis in some_basis()) {
        let ring = ring(4);
        let (pa, pb) = (from_wide(&ring, &basis, &a).into_ntt(&ring), from_wide(&ring, &basis, &b).into_ntt(&ring));
        let zip = |f: fn(i128, i128) -> i128| a.iter().zip(&b).map(|(&a, &b)| f(a, b)).collect::<Vec<_>>();
        prop_assert!(congruent(&ring, ring.add(&pa, &pb).unwrap(), &zip(|a, b| a + b)));
        prop_assert!(congruent(&ring, ring.sub(&pa, &pb).unwrap(), &zip(|a, b| a - b)));
        prop_assert!(congruent(&ring, ring.neg(&pa), &zip(|a, _| -a)));
        prop_assert!(congruent(&ring, ring.sum(&[&pa, &pb, &pa]).unwrap(), &zip(|a, b| 2 * a + b)));
        let constants = |count: usize| move |_| (7..).take(count).collect();
        prop_assert!(congruent(&ring, ring.dot_constants(&[&pa], constants(1)).unwrap(), &zip(|a, _| 7 * a)));
        let sum = ring.dot_constants(&[&pa, &pb, &pa], constants(3)).unwrap();
        prop_assert!(congruent(&ring, sum, &zip(|a, b| 16 * a + 8 * b)));
    }

    #[test]
    fn automorphisms_substitute_powers(a in coefficients(16), g in 0usize..16) {
        let ring = ring(4);
        let (basis, g) = (RnsBasis::new([0, 3]), 2 * g + 1);
        let poly = from_wide(&ring, &basis, &a).into_ntt(&ring);
        let image = ring.automorphism(&poly, g as u64).unwrap();
        prop_assert_eq!(&ring.automorphism(&image, ring.inverse_exponent(g as u64)).unwrap(), &poly);
        prop_assert!(congruent(&ring, image, &substituted(&a, g)));
    }

    #[test]
    fn raising_gives_the_centred_representative(a in coefficients(16), from in some_basis()) {
        let ring = ring(4);
        let all = RnsBasis::new(0..5);
        let modulus = product(&ring, &from);
        let centred: Vec<i128> = a.iter().map(|&c| c - rounded(c, modulus) * modulus).collect();
        let poly = from_wide(&ring, &all, &a).into_ntt(&ring);
        let raised = ring.raise(&poly, &from, &all).unwrap();
        prop_assert!(congruent(&ring, raised, &centred));
    }

    #[test]
    fn dividing_out_rounds_between_any_two_bases(a in coefficients(16), before in some_basis(), after in some_basis()) {
        let ring = ring(4);
        let leaving = product(&ring, &before.difference(&after));
        let entering = product(&ring, &after.difference(&before));
        let modulus = product(&ring, &before);
        // Away from half the modulus, where the sign of the representative is free.
        let a: Vec<i128> = a.iter().map(|c| c % (modulus / 3)).collect();
        let expected: Vec<i128> = a.iter().map(|c| rounded(c * entering, leaving)).collect();
        let poly = from_wide(&ring, &before, &a).into_ntt(&ring);
        let out = ring.divide_out(&poly, &after).unwrap();
        prop_assert!(congruent(&ring, out, &expected));
    }
}

#[test]
fn embedding_is_undone_by_division() {
    let ring = ring(5);
    let (small, large) = (RnsBasis::new([1, 3]), RnsBasis::new(0..5));
    let a = ring.expand_uniform(&small, Seed(7), 0);
    let embedded = ring.embed(&a, &large).unwrap();
    assert_eq!(ring.divide_out(&embedded, &small).unwrap(), a);
    assert_eq!(embedded.residues(0).unwrap(), vec![0; 32]);
}

#[test]
fn monomials_shift_coefficients() {
    let ring = ring(4);
    let basis = RnsBasis::new([2]);
    for k in [0, 1, 15, 16, 31, 33] {
        let mut expected = vec![0; 16];
        expected[k % 16] = if k / 16 % 2 == 0 { 1 } else { -1 };
        assert!(
            congruent(&ring, ring.monomial(&basis, k as u64), &expected),
            "X^{k}"
        );
    }
}

#[test]
fn sums_of_products_are_reduced_however_long() {
    let ring = Ring::new(4, &primes_below(50, 4, 1)).unwrap();
    let basis = RnsBasis::new([0]);
    let p = ring.modulus(0).value();
    let largest = RnsPoly::<Ntt>::from_limbs(&ring, &basis, &[p - 1; 16]).unwrap();
    for count in 1..20 {
        let sum = ring
            .dot(&basis, &vec![(&largest, &largest); count])
            .unwrap();
        assert_eq!(sum.limb(0), [count as u64; 16]);
    }
    let count = 3 * Modulus::MAX_PRODUCTS;
    let sum = ring
        .dot(&basis, &vec![(&largest, &largest); count])
        .unwrap();
    assert_eq!(sum.limb(0), [count as u64; 16]);
}

#[test]
fn uniform_residues_do_not_depend_on_the_basis_around_them() {
    let ring = ring(6);
    let all = ring.expand_uniform(&RnsBasis::new(0..5), Seed(1), 40);
    let some = ring.expand_uniform(&RnsBasis::new([1, 4]), Seed(1), 40);
    assert_eq!(all.residues(4), some.residues(4));
    assert_ne!(
        all.residues(1),
        ring.expand_uniform(&RnsBasis::new([1]), Seed(2), 40)
            .residues(1)
    );
    assert_ne!(
        all.residues(1),
        ring.expand_uniform(&RnsBasis::new([1]), Seed(1), 41)
            .residues(1)
    );
}

/// Mean and standard deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64;
    (mean, variance.sqrt())
}

#[test]
fn samplers_have_the_stated_moments() {
    let ring = Ring::new(14, &primes_below(45, 14, 2)).unwrap();
    let basis = RnsBasis::new(0..2);
    let p = ring.modulus(0).value();
    let uniform = ring.expand_uniform(&basis, Seed(3), 0);
    let (mean, deviation) = moments(
        &uniform
            .limb(0)
            .iter()
            .map(|&x| x as f64 / p as f64)
            .collect::<Vec<_>>(),
    );
    assert!((mean - 0.5).abs() < 0.01 && (deviation - 12f64.sqrt().recip()).abs() < 0.01);

    let ternary = ring.sample_ternary(Seed(4));
    let (mean, deviation) = moments(&ternary.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
    assert!(mean.abs() < 0.03 && (deviation.powi(2) - 2.0 / 3.0).abs() < 0.02);

    let noise = ring.sample_noise(&basis, Seed(5));
    let centred = |limb: usize| -> Vec<f64> {
        let p = ring.modulus(limb).value();
        noise
            .limb(limb)
            .iter()
            .map(|&x| {
                if x > p / 2 {
                    x as f64 - p as f64
                } else {
                    x as f64
                }
            })
            .collect()
    };
    let (mean, deviation) = moments(&centred(0));
    assert!(
        mean.abs() < 0.1 && (deviation - NOISE_DEVIATION).abs() < 0.1,
        "{mean} {deviation}"
    );
    assert_eq!(centred(0), centred(1));
}

#[test]
fn randomness_is_fresh_unless_seeded() {
    let draw = |mut r: Randomness| (r.seed(), r.fork().seed());
    assert_eq!(
        draw(Randomness::from_seed_for_tests(1)),
        draw(Randomness::from_seed_for_tests(1))
    );
    assert_ne!(draw(Randomness::from_os()), draw(Randomness::from_os()));
}

#[test]
fn foreign_words_are_refused() {
    let ring = ring(3);
    let p = ring.modulus(1).value();
    let make = |basis: RnsBasis, words: &[u64]| {
        RnsPoly::<Ntt>::from_limbs(&ring, &basis, words).unwrap_err()
    };
    assert_eq!(
        make(RnsBasis::new([1]), &[0; 7]),
        RingError::Length {
            expected: 8,
            found: 7
        }
    );
    assert_eq!(
        make(RnsBasis::new([1]), &[p; 8]),
        RingError::Unreduced { prime: p }
    );
    assert_eq!(
        make(RnsBasis::new([5]), &[0; 8]),
        RingError::PrimeIndex { index: 5, count: 5 }
    );
}

#[test]
fn operands_over_other_primes_are_refused() {
    let ring = ring(3);
    let [a, b] = [0, 1].map(|i| RnsPoly::<Ntt>::zero(&ring, &RnsBasis::new([i])));
    assert_eq!(
        ring.add(&a, &b).unwrap_err(),
        RingError::Basis {
            left: vec![0],
            right: vec![1]
        }
    );
    let missing = RingError::MissingPrime {
        prime: ring.modulus(0).value(),
    };
    assert_eq!(ring.mul(&a, &b).unwrap_err(), missing);
    assert_eq!(ring.raise(&b, a.basis(), b.basis()).unwrap_err(), missing);
    assert_eq!(ring.sum(&[]).unwrap_err(), RingError::NoOperands);
    assert_eq!(
        ring.permutation(4).unwrap_err(),
        RingError::Exponent {
            exponent: 4,
            limit: 16
        }
    );
    assert_eq!(
        ring.permutation(17).unwrap_err(),
        RingError::Exponent {
            exponent: 17,
            limit: 16
        }
    );
}
