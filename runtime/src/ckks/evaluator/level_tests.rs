//! Changing level: what a ciphertext holds stays.

use super::tests::{encode, for_each_ring, zip};
use crate::ckks::CkksError;
use crate::testing::SCALE;

#[test]
fn rescaling_reaches_any_level() {
    for_each_ring(&[], |s, bits| {
        // Prefixes, several primes at once, and rows that are not nested either way.
        for (from, to) in [
            (3, 2),
            (4, 2),
            (4, 1),
            (4, 5),
            (5, 6),
            (3, 5),
            (5, 2),
            (2, 6),
        ] {
            let x = s.slots(1);
            let p = encode(s, &x, s.params.row(from).unwrap());
            let a = s.encrypt(&x, from);
            let a = s.evaluator.mul_plain(&a, &p).unwrap();
            let scale = SCALE * SCALE * (s.level_bits(to) - s.level_bits(from)).exp2();
            let expected = zip(&x, &x, |x, y| x * y);
            let rescaled = s.evaluator.rescale(&a, to).unwrap();
            assert_eq!(rescaled.level(), to);
            let bits = bits.min(scale.log2() - 2.0 - f64::from(s.params.log_n()));
            s.assert_close(
                &format!("rescale {from} -> {to}"),
                &rescaled,
                scale,
                &expected,
                bits,
            );
        }
    });
}

#[test]
fn products_rescale_before_relinearization_too() {
    for_each_ring(&[], |s, bits| {
        let x = s.slots(1);
        let a = s.encrypt(&x, 3);
        let e = &s.evaluator;
        let scale = SCALE * SCALE * (s.level_bits(2) - s.level_bits(3)).exp2();
        let out = e
            .relinearize(&e.rescale(&e.square(&a).unwrap(), 2).unwrap())
            .unwrap();
        // Rounding is multiplied by the square of the secret.
        let bits = bits - f64::from(s.params.log_n()) / 2.0;
        s.assert_close(
            "square, rescale, relinearize",
            &out,
            scale,
            &zip(&x, &x, |x, y| x * y),
            bits,
        );
    });
}

#[test]
fn a_product_and_a_sum_are_relinearized_and_rescaled_at_once() {
    for_each_ring(&[], |s, bits| {
        // The primes of the lower level are some of the others, or there are new ones among them.
        for (from, to) in [(3, 2), (4, 1), (5, 2), (2, 6), (4, 5)] {
            let (x, y) = (s.slots(1), s.slots(2));
            let p = encode(s, &y, s.params.row(from).unwrap());
            let (a, b) = (s.encrypt(&x, from), s.encrypt(&y, from));
            let e = &s.evaluator;
            // Two parts are added to three.
            let sum = [e.mul(&a, &b).unwrap(), e.mul_plain(&b, &p).unwrap()];
            let sum = e.sum(&sum.each_ref()).unwrap();
            let at_once = e.relinearize_rescale(&sum, to).unwrap();
            assert_eq!(at_once.level(), to);
            let in_turn = e.rescale(&e.relinearize(&sum).unwrap(), to).unwrap();
            let digits = e.decompose(&sum).unwrap();
            let extended = e.relinearize_ext(&sum, &digits).unwrap();
            let extended = e.rescale(&extended, to).unwrap();
            // Only where the rounding is done differs: not at all here.
            assert!(at_once == extended);
            let scale = SCALE * SCALE * (s.level_bits(to) - s.level_bits(from)).exp2();
            let expected = zip(&zip(&x, &y, |x, y| x * y), &y, |xy, y| xy + y * y);
            let bits = bits.min(scale.log2() - 2.0 - f64::from(s.params.log_n()));
            for (what, found) in [("at once", &at_once), ("in turn", &in_turn)] {
                s.assert_close(
                    &format!("{from} -> {to}, {what}"),
                    found,
                    scale,
                    &expected,
                    bits,
                );
            }
        }
    });
}

#[test]
fn dropping_levels_changes_nothing() {
    for_each_ring(&[], |s, bits| {
        let x = s.slots(1);
        let a = s.encrypt(&x, 4);
        for to in [3, 1, 5, 6] {
            s.assert_close(
                "drop_level",
                &s.evaluator.drop_level(&a, to).unwrap(),
                SCALE,
                &x,
                bits,
            );
        }
        let b = s.encrypt(&x, 5);
        let error = s.evaluator.drop_level(&b, 6).unwrap_err();
        assert_eq!(
            error,
            CkksError::NotBelow {
                op: "drop_level",
                from: 5,
                to: 6
            }
        );
    });
}
