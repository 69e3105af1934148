//! Constants that are one number and constants with slots: each kind is for its own operation.

use crate::common::check_errors;
use crate::verifier::GOOD;
use peregrine_ir::{Operator, text, verify};

/// A circuit with a constant of either kind, of weights up to 3, and one more instruction.
fn check(instruction: &str) {
    let source = format!(
        r#"circuit %kinds security=none {{
    r0 = ring log_n=4
    D = scale 2^30
    q0 = prime 0x1fffffffff61
    q1 = prime 0x3ffffe81
    level 0 = [q0]
    level 1 = [q0, q1]
    digit 0 = [q0]
    digit 1 = [q1]
    n0 = node "gain" Mul
    l0 = layout gip shape=[8, 1, 1] phases=[1, 1] gaps=[1, 1] pitch=1 plane=1 replicas=1 skew=0
    w0 = tensor "gain" [1] = [3.0]
    op0 = scale w0 [8] l0 -> [8] l0
    c0 = uniform op0 in=0 out=0 rotation=0
    c1 = diagonal op0 in=0 out=0 rotation=0 pre=0
entry "x" [8] l0 (v0: ct<1, D>)
entry "z" [8] l0 (v1: ct<0, 1>)
@n0 v2 = {instruction}
    return "y" [8] l0 (v0)
}}"#
    );
    assert_eq!(check_errors(&source), Ok(()));
}

#[test]
fn one_number_multiplies() {
    check("dot_scalar [v0] [c0], 1 : ct<1, D>");
    check("dot_scalar [v0, v0] [c0, c0], 2^4 : ct<1, D*2^4>");
    check(
        "dot_scalar [v0] [c1], 1 : ct<1, D> ; error: v2 (Mul `gain`): dot_scalar: constant c1 has slots",
    );
    check("dot_scalar [v0] [c7], 1 : ct<1, D> ; error: dot_scalar: constant c7 does not exist");
}

#[test]
fn slots_are_encoded() {
    check("encode c1 : pt<1, D>");
    check("encode c0 : pt<1, D> ; error: v2 (Mul `gain`): encode: constant c0 is one number");
}

#[test]
fn sums_of_products_type() {
    check("dot_scalar [] [], 1 : ct<1, D> ; error: 0 operands, expected at least one product");
    check(
        "dot_scalar [v0, v0] [c0], 1 : ct<1, D> ; error: 1 operands, expected a constant per ciphertext",
    );
    check(
        "dot_scalar [v0, v1] [c0, c0], 1 : ct<1, D> ; error: levels differ: v0 is at level 1, v1 at level 0",
    );
    check("dot_scalar [v0] [c0], 1/2 : ct<1, D/2> ; error: (-1.0 bits) is below 1");
    check(
        "dot_scalar [v1] [c0], q0 : ct<0, q0> ; error: v2 (Mul `gain`): 3e0 at scale q0 has 46.6 bits, the modulus carries 45.0",
    );
}

#[test]
fn diagonals_repeat_after_a_power_of_two_of_slots_unfolded() {
    let changed = |fold: u32, period: u32| {
        let mut circuit = text::parse(GOOD).unwrap();
        let linear = circuit.operators.values_mut().find_map(|operator| {
            let Operator::Linear { fold, period, .. } = operator else {
                return None;
            };
            Some((fold, period))
        });
        let (old_fold, old_period) = linear.unwrap();
        (*old_fold, *old_period) = (fold, Some(period));
        verify(circuit).map_err(|errors| errors.to_string())
    };
    for period in [0, 3, 1 << 20] {
        let errors = changed(1, period).unwrap_err();
        let expected = format!("period={period} is not a power of two up to");
        assert!(errors.contains(&expected), "{errors}");
    }
    let errors = changed(2, 4).unwrap_err();
    assert!(errors.contains("has fold=2 and period=4"), "{errors}");
}
