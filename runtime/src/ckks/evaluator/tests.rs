//! Every operation on real ciphertexts of toy rings, decrypted against its meaning on slots.

use super::*;
use crate::ckks::{Complex64, Plaintext};
use crate::ring::RnsBasis;
use crate::rlwe::{KeyKind, RlweError, StreamedKey, SwitchKey};
use crate::testing::{SCALE, Setup, rotated, toy_literal};

/// Rings the tests run on.
const LOG_N: [u32; 4] = [4, 5, 8, 11];

/// Bits below which an operation at [`SCALE`] is wrong in a ring: noise grows with N.
fn bits(log_n: u32) -> f64 {
    33.0 - f64::from(log_n)
}

pub(super) fn for_each_ring(rotations: &[u32], check: impl Fn(&mut Setup, f64)) {
    for log_n in LOG_N {
        check(
            &mut Setup::new(toy_literal(log_n), rotations, 4),
            bits(log_n),
        );
    }
}

pub(super) fn zip(
    a: &[Complex64],
    b: &[Complex64],
    f: impl Fn(Complex64, Complex64) -> Complex64,
) -> Vec<Complex64> {
    a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()
}

pub(super) fn encode(s: &Setup, slots: &[Complex64], basis: &RnsBasis) -> Plaintext {
    s.encoder.encode(slots, SCALE, basis).unwrap()
}

#[test]
fn encryption_is_undone_by_decryption_at_every_level() {
    for_each_ring(&[], |s, bits| {
        for level in 0..s.params.levels() {
            let z = s.slots(1);
            let ct = s.encrypt(&z, level);
            s.assert_close("encrypt", &ct, SCALE, &z, bits);
        }
    });
}

#[test]
fn linear_operations_act_on_slots() {
    for_each_ring(&[], |s, bits| {
        for level in [1, 4, 5] {
            let (x, y) = (s.slots(1), s.slots(2));
            let (a, b) = (s.encrypt(&x, level), s.encrypt(&y, level));
            let p = encode(s, &y, s.params.row(level).unwrap());
            let e = &s.evaluator;
            s.assert_close(
                "add",
                &e.add(&a, &b).unwrap(),
                SCALE,
                &zip(&x, &y, |x, y| x + y),
                bits,
            );
            s.assert_close(
                "sub",
                &e.sub(&a, &b).unwrap(),
                SCALE,
                &zip(&x, &y, |x, y| x - y),
                bits,
            );
            let sum = e.sum(&[&a, &b, &a]).unwrap();
            s.assert_close("sum", &sum, SCALE, &zip(&x, &y, |x, y| x * 2.0 + y), bits);
            s.assert_close(
                "negate",
                &e.negate(&a).unwrap(),
                SCALE,
                &zip(&x, &y, |x, _| -x),
                bits,
            );
            s.assert_close(
                "add_plain",
                &e.add_plain(&a, &p).unwrap(),
                SCALE,
                &zip(&x, &y, |x, y| x + y),
                bits,
            );
            let product = e.mul_plain(&a, &p).unwrap();
            s.assert_close(
                "mul_plain",
                &product,
                SCALE * SCALE,
                &zip(&x, &y, |x, y| x * y),
                bits,
            );
        }
    });
}

#[test]
fn scalars_of_any_size_multiply() {
    for_each_ring(&[], |s, bits| {
        let x = s.slots(1);
        let a = s.encrypt(&x, 4);
        for scale in [
            1.0,
            SCALE,
            SCALE * SCALE,
            SCALE * SCALE * 2f64.powi(20) / 3.0,
        ] {
            let r = -1.0 + 1.0 / 1024.0;
            let exact = (r * scale).round() / scale;
            let product = s.evaluator.mul_scalar(&a, r, scale).unwrap();
            s.assert_close(
                "mul_scalar",
                &product,
                SCALE * scale,
                &zip(&x, &x, |x, _| x * exact),
                bits,
            );
        }
        let e = s.evaluator.mul_scalar(&a, f64::NAN, 1.0).unwrap_err();
        assert!(matches!(e, CkksError::NotFinite { .. }));
        let e = s.evaluator.mul_scalar(&a, 1e300, 1.0).unwrap_err();
        assert!(matches!(e, CkksError::EncodeOverflow { .. }));
    });
}

#[test]
fn a_sum_of_scalar_products_is_that_of_its_terms() {
    for_each_ring(&[], |s, bits| {
        for (count, scale) in [(1, 1.0), (2, SCALE), (9, SCALE * SCALE), (30, SCALE)] {
            let slots: Vec<_> = (0..count).map(|i| s.slots(i + 1)).collect();
            let cts: Vec<_> = slots.iter().map(|x| s.encrypt(x, 4)).collect();
            let cts: Vec<_> = cts.iter().collect();
            let factors: Vec<f64> = (0..count).map(|i| 1.5 - (i as f64 * 0.7) % 3.0).collect();
            let e = &s.evaluator;
            let sum = e.dot_scalar(&cts, &factors, scale).unwrap();
            let terms: Vec<_> = (cts.iter().zip(&factors))
                .map(|(a, &r)| e.mul_scalar(a, r, scale).unwrap())
                .collect();
            assert_eq!(sum, e.sum(&terms.iter().collect::<Vec<_>>()).unwrap());
            let mut expected = vec![Complex64::ZERO; s.params.slots()];
            for (x, r) in slots.iter().zip(&factors) {
                let rounded = (r * scale).round() / scale;
                expected = zip(&expected, x, |sum, x| sum + x * rounded);
            }
            s.assert_close("dot_scalar", &sum, SCALE * scale, &expected, bits - 3.0);
        }
    });
}

#[test]
fn dot_is_a_sum_of_products() {
    for_each_ring(&[], |s, bits| {
        for count in [1, 2, 3, 4, 9] {
            let slots: Vec<_> = (0..2 * count).map(|i| s.slots(i + 1)).collect();
            let (xs, ps) = slots.split_at(count as usize);
            let cts: Vec<_> = xs.iter().map(|x| s.encrypt(x, 2)).collect();
            // Plaintexts over more primes than needed serve as well.
            let ps: Vec<_> = ps
                .iter()
                .map(|p| (p, encode(s, p, s.params.all_primes())))
                .collect();
            let mut expected = vec![Complex64::ZERO; s.params.slots()];
            for (x, (p, _)) in xs.iter().zip(&ps) {
                expected = zip(&expected, &zip(x, p, |x, p| x * p), |a, b| a + b);
            }
            let dot = s.evaluator.dot(
                &cts.iter().collect::<Vec<_>>(),
                &ps.iter().map(|p| &p.1).collect::<Vec<_>>(),
            );
            s.assert_close("dot", &dot.unwrap(), SCALE * SCALE, &expected, bits - 1.0);
        }
    });
}

#[test]
fn products_multiply_slots_with_and_without_relinearization() {
    for_each_ring(&[], |s, bits| {
        for level in [2, 4, 5] {
            let (x, y) = (s.slots(1), s.slots(2));
            let (a, b) = (s.encrypt(&x, level), s.encrypt(&y, level));
            let (xy, xx) = (zip(&x, &y, |x, y| x * y), zip(&x, &x, |x, y| x * y));
            let e = &s.evaluator;
            let product = e.mul(&a, &b).unwrap();
            s.assert_close("mul", &product, SCALE * SCALE, &xy, bits);
            s.assert_close(
                "relinearize",
                &e.relinearize(&product).unwrap(),
                SCALE * SCALE,
                &xy,
                bits,
            );
            let extended = e
                .relinearize_ext(&product, &e.decompose(&product).unwrap())
                .unwrap();
            s.assert_close(
                "relinearize_ext",
                &extended,
                SCALE * SCALE * s.special(),
                &xy,
                bits,
            );
            assert_eq!(
                e.mod_down(&extended).unwrap(),
                e.relinearize(&product).unwrap()
            );
            s.assert_close("square", &e.square(&a).unwrap(), SCALE * SCALE, &xx, bits);
        }
    });
}

#[test]
fn rotations_turn_slots_to_the_left() {
    for_each_ring(&[1, 3, 7], |s, bits| {
        for level in [0, 1, 2, 4, 5, 6] {
            let x = s.slots(1);
            let a = s.encrypt(&x, level);
            let e = &s.evaluator;
            for steps in [0, 1, 3, 7] {
                let turned = e.rotate(&a, steps).unwrap();
                s.assert_close("rotate", &turned, SCALE, &rotated(&x, steps as usize), bits);
            }
            let once_around = s.params.slots() as u32;
            s.assert_close(
                "rotate N/2 + 1",
                &e.rotate(&a, once_around + 1).unwrap(),
                SCALE,
                &rotated(&x, 1),
                bits,
            );
            let conjugated: Vec<_> = x.iter().map(|z| z.conj()).collect();
            s.assert_close(
                "conjugate",
                &e.conjugate(&a).unwrap(),
                SCALE,
                &conjugated,
                bits,
            );
        }
    });
}

#[test]
fn hoisted_rotations_equal_whole_ones() {
    for_each_ring(&[1, 3], |s, _| {
        let a = s.encrypt(&s.slots(1), 4);
        let e = &s.evaluator;
        let digits = e.decompose(&a).unwrap();
        for steps in [1, 3] {
            let extended = e.rotate_ext(&a, &digits, steps).unwrap();
            assert_eq!(e.mod_down(&extended).unwrap(), e.rotate(&a, steps).unwrap());
        }
        let conjugated = e.mod_down(&e.conjugate_ext(&a, &digits).unwrap()).unwrap();
        assert_eq!(conjugated, e.conjugate(&a).unwrap());
        assert_eq!(
            e.mod_down(&e.rotate_ext(&a, &digits, 0).unwrap()).unwrap(),
            a
        );
    });
}

/// Babies 0, 1, 2 and giants 0, 3: each giant step sums its babies modulo QP, comes down once, and is turned and added modulo QP.
#[test]
fn double_hoisting_evaluates_a_linear_map_with_few_divisions() {
    for_each_ring(&[1, 2, 3], |s, bits| {
        let level = 3;
        let x = s.slots(1);
        let a = s.encrypt(&x, level);
        let e = &s.evaluator;
        let extended = s.params.extended_row(level).unwrap();
        let digits = e.decompose(&a).unwrap();
        let babies: Vec<_> = (0..3)
            .map(|k| e.rotate_ext(&a, &digits, k).unwrap())
            .collect();
        let babies: Vec<_> = babies.iter().collect();
        let mut expected = vec![Complex64::ZERO; x.len()];
        let mut sums = Vec::new();
        for giant in [0u32, 3] {
            let weights: Vec<_> = (0..3).map(|k| s.slots(u64::from(10 + giant + k))).collect();
            let plaintexts: Vec<_> = weights.iter().map(|w| encode(s, w, extended)).collect();
            let inner = e
                .mod_down(
                    &e.dot(&babies, &plaintexts.iter().collect::<Vec<_>>())
                        .unwrap(),
                )
                .unwrap();
            sums.push(
                e.rotate_ext(&inner, &e.decompose(&inner).unwrap(), giant)
                    .unwrap(),
            );
            for (k, w) in weights.iter().enumerate() {
                let term = rotated(&zip(&rotated(&x, k), w, |x, w| x * w), giant as usize);
                expected = zip(&expected, &term, |a, b| a + b);
            }
        }
        let out = e.mod_down(&e.add(&sums[0], &sums[1]).unwrap()).unwrap();
        s.assert_close(
            "double hoisting",
            &out,
            SCALE * SCALE,
            &expected,
            bits - 2.0,
        );
        let bias = s.slots(40);
        let biased = e
            .add_plain(
                &sums[0],
                &s.encoder.encode(&bias, SCALE * SCALE, extended).unwrap(),
            )
            .unwrap();
        let difference = e.mod_down(&e.sub(&biased, &sums[0]).unwrap()).unwrap();
        s.assert_close(
            "add_plain, extended",
            &difference,
            SCALE * SCALE,
            &bias,
            bits,
        );
    });
}

#[test]
fn the_middle_monomial_multiplies_by_i() {
    for_each_ring(&[], |s, bits| {
        let x = s.slots(1);
        let a = s.encrypt(&x, 2);
        let turned = s
            .evaluator
            .mul_monomial(&a, s.params.slots() as u64)
            .unwrap();
        s.assert_close(
            "X^(N/2)",
            &turned,
            SCALE,
            &zip(&x, &x, |x, _| x * Complex64::I),
            bits,
        );
        let around = s
            .evaluator
            .mul_monomial(&turned, 3 * s.params.slots() as u64)
            .unwrap();
        assert_eq!(around, a);
    });
}

#[test]
fn keys_trimmed_to_a_level_serve_it_and_its_subsets_only() {
    let mut s = Setup::new(toy_literal(5), &[1], 3);
    let x = s.slots(1);
    for level in [0, 1, 2, 3] {
        let a = s.encrypt(&x, level);
        s.assert_close(
            "trimmed",
            &s.evaluator.rotate(&a, 1).unwrap(),
            SCALE,
            &rotated(&x, 1),
            bits(5),
        );
    }
    let kind = KeyKind::Galois(5);
    for (level, index) in [(4, 4), (5, 5), (6, 4)] {
        let a = s.encrypt(&x, level);
        let prime = s.params.literal().pool[index];
        let expected = CkksError::Rlwe(RlweError::TrimmedTooFar { kind, prime });
        assert_eq!(s.evaluator.rotate(&a, 1).unwrap_err(), expected);
    }
}

#[test]
fn keys_survive_taking_apart() {
    let s = Setup::new(toy_literal(5), &[1], 3);
    let SwitchKey::Expanded(key) = s.evaluator.keys().get(KeyKind::Galois(5)).unwrap() else {
        panic!("a key that was just made is expanded");
    };
    let stored = StreamedKey::pack(&s.params, key).unwrap();
    assert_eq!(&stored.expanded(s.params.ring()).unwrap(), key);
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut s = Setup::new(toy_literal(4), &[], 2);
    let x = s.slots(1);
    let (a, b) = (s.encrypt(&x, 2), s.encrypt(&x, 1));
    let e = &s.evaluator;
    assert_eq!(
        e.add(&a, &b).unwrap_err(),
        CkksError::Level {
            op: "add",
            left: 2,
            right: 1
        }
    );
    let product = e.mul(&a, &a).unwrap();
    let form = |op, expected, found| CkksError::CiphertextForm {
        op,
        expected,
        found,
    };
    assert_eq!(
        e.mul(&product, &product).unwrap_err(),
        form("mul", CiphertextForm::Normal, CiphertextForm::Product)
    );
    assert_eq!(
        e.add(&a, &product).unwrap_err(),
        form("add", CiphertextForm::Normal, CiphertextForm::Product)
    );
    assert_eq!(
        e.relinearize(&a).unwrap_err(),
        form(
            "relinearize",
            CiphertextForm::Product,
            CiphertextForm::Normal
        )
    );
    assert_eq!(
        e.mod_down(&a).unwrap_err(),
        form("mod_down", CiphertextForm::Extended, CiphertextForm::Normal)
    );
    let extended = e.extend(&a).unwrap();
    assert_eq!(
        e.drop_level(&extended, 1).unwrap_err(),
        form(
            "drop_level",
            CiphertextForm::Normal,
            CiphertextForm::Extended
        )
    );
    let product = e.mul(&a, &a).unwrap();
    assert_eq!(
        e.sum(&[&a, &product]).unwrap_err(),
        form("add", CiphertextForm::Normal, CiphertextForm::Product)
    );
    assert_eq!(
        e.decompose(&extended).unwrap_err(),
        form(
            "decompose",
            CiphertextForm::Normal,
            CiphertextForm::Extended
        )
    );
    let digits = e.decompose(&b).unwrap();
    assert_eq!(
        e.conjugate_ext(&a, &digits).unwrap_err(),
        CkksError::Level {
            op: "rotate",
            left: 2,
            right: 1
        }
    );
    let missing = RlweError::MissingKey {
        kind: KeyKind::Galois(25),
    };
    assert_eq!(e.rotate(&a, 2).unwrap_err(), CkksError::Rlwe(missing));
    assert_eq!(e.sum(&[]).unwrap_err(), CkksError::NoOperands { op: "add" });
    assert_eq!(
        e.dot::<&Plaintext>(&[&a], &[]).unwrap_err(),
        CkksError::DotLengths {
            ciphertexts: 1,
            plaintexts: 0
        }
    );
    assert_eq!(
        e.dot_scalar(&[&a], &[], 1.0).unwrap_err(),
        CkksError::ScalarLengths {
            ciphertexts: 1,
            scalars: 0
        }
    );
    assert!(matches!(
        e.dot_scalar(&[&a, &a], &[1.0, 1e300], 1.0).unwrap_err(),
        CkksError::EncodeOverflow { .. }
    ));
    let small = encode(&s, &x, s.params.row(0).unwrap());
    let prime = s.params.literal().pool[1];
    let missing = CkksError::Ring(crate::ring::RingError::MissingPrime { prime });
    assert_eq!(e.mul_plain(&a, &small).unwrap_err(), missing);
    assert!(matches!(
        e.rescale(&a, 99).unwrap_err(),
        CkksError::Parameters(_)
    ));
    let one = Ciphertext::from_parts(
        &s.params,
        vec![small.poly(s.params.ring()).unwrap().into_owned()],
        0,
        false,
    );
    assert_eq!(one.unwrap_err(), CkksError::Parts { found: 1 });
    let parts = vec![
        small.poly(s.params.ring()).unwrap().into_owned(),
        small.poly(s.params.ring()).unwrap().into_owned(),
    ];
    assert_eq!(
        Ciphertext::from_parts(&s.params, parts, 1, false).unwrap_err(),
        CkksError::PartBasis { level: 1 }
    );
    let other = Setup::new(toy_literal(5), &[], 2);
    assert_eq!(
        other.evaluator.negate(&a).unwrap_err(),
        CkksError::PartBasis { level: 2 }
    );
    let row = other.params.row(2).unwrap();
    let foreign = encode(&other, &other.slots(1), row);
    let degree = CkksError::Ring(crate::ring::RingError::Degree {
        expected: 16,
        found: 32,
    });
    assert_eq!(e.mul_plain(&a, &foreign).unwrap_err(), degree);
    assert_eq!(e.dot(&[&a, &a], &[&foreign, &foreign]).unwrap_err(), degree);
    let foreign_key = Evaluator::new(&s.params, other.evaluator.keys());
    assert_eq!(
        foreign_key.relinearize(&product).unwrap_err(),
        CkksError::Rlwe(RlweError::Ring(crate::ring::RingError::Degree {
            expected: 16,
            found: 32
        },))
    );
}
