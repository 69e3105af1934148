//! The verifier's rules for circuits that go on in a smaller ring: a good one with some text replaced.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::check_errors;
use peregrine_ir::{text, verify};

/// Breaks no rule.
const GOOD: &str = r#"
circuit %good security=none {
    ring log_n=4
    D = scale 2^20
    q0 = prime 0x1fffffffff61
    q1 = prime 0x3ffffe81
    q2 = prime 0x3ffffb41
    p0 = special_prime 0xfffffffffa81
    p1 = special_prime 0x1ffffffffe01
    level 0 = [q0]
    level 1 = [q0, q1]
    level 2 = [q0, q1]
    level 3 = [q0, q1, q2]
    digit 0 = [q0, q1]
    digit 1 = [q2]
    small_ring log_n=3 levels=2 special_primes=1
    small_digit 0 = [q0]
    small_digit 1 = [q1]
    relinearization_key level=1
    ring_switching_key level=1
    rotation_keys level=3 [5]
    rotation_keys level=1 [3]
    n0 = node "fc" Gemm
    l0 = layout gip shape=[4, 1, 1] phases=[1, 1] gaps=[1, 1] pitch=1 plane=1 replicas=2 skew=0
    l1 = layout gip log_slots=2 shape=[4, 1, 1] phases=[1, 1] gaps=[1, 1] pitch=1 plane=1 replicas=1 skew=0
    w0 = tensor "bias" [4] = [0.5, 1.0, 2.0, 3.0]
    op0 = broadcast w0 [1, 4] l0
    op1 = broadcast w0 [1, 4] l1
    c0 = fill op0 part=0
    c1 = fill op1 part=0
entry "x" [1, 4] l0 (v0: ct<3, D>)
@n0 v1 = encode c0 : pt<3, D>
@n0 v2 = add_plain v0, v1 : ct<3, D>
@n0 v3 = rotate v2, 5 : ct<3, D>
@n0 v4 = drop_level v3 : ct<2, D>
@n0 v5 = switch_ring v4 : ct<1, D>
@n0 v6 = encode c1 : pt<1, D>
@n0 v7 = add_plain v5, v6 : ct<1, D>
@n0 v8 = rotate v7, 3 : ct<1, D>
@n0 v9 = square v8 : ct<1, D^2, deg 2>
@n0 v10 = relinearize v9 : ct<1, D^2>
    return "y" [1, 4] l1 (v10)
}
"#;

#[test]
fn the_good_circuit_is_good() {
    check_errors(GOOD).unwrap();
}

#[test]
fn every_rule_is_enforced() {
    let cases: [&[(&str, &str)]; 14] = [
        &[(
            "small_ring log_n=3 levels=2 special_primes=1",
            "small_ring log_n=4 levels=2 special_primes=1   ; error: degree 2^4 of the small ring is not from 2^3 to below that of the main ring, 2^4",
        )],
        &[(
            "levels=2 special_primes=1",
            "levels=5 special_primes=1   ; error: the small ring has 5 levels, expected 1 to 4",
        )],
        &[(
            "levels=2 special_primes=1",
            "levels=2 special_primes=3   ; error: the small ring has 3 special primes, expected 0 to 2",
        )],
        // Below the boundary levels ascend strictly.
        &[(
            "    level 3 = [q0, q1, q2]",
            "    level 3 = [q0, q1]   ; error: levels must ascend",
        )],
        &[
            ("    small_digit 1 = [q1]\n", "    small_digit 1 = [q2]\n"),
            (
                "    q1 = prime 0x3ffffe81",
                "    q1 = prime 0x3ffffe81   ; error: q1: is in no digit of key switching",
            ),
            (
                "    q2 = prime 0x3ffffb41",
                "    q2 = prime 0x3ffffb41   ; error: q2: is in a digit of the small ring, none of whose levels has it",
            ),
        ],
        &[(
            "    small_digit 0 = [q0]\n    small_digit 1 = [q1]\n",
            "    small_digit 0 = [q0, q1]   ; error: has 75.0 bits at some level, more than the special primes together (48.0): key switching would drown the message in noise\n",
        )],
        &[
            (
                "switch_ring v4 : ct<1, D>",
                "drop_level v4 : ct<1, D>   ; error: drop_level: level 2 is of the main ring, level 1 of the small one: only switch_ring leads there",
            ),
            (
                "    ring_switching_key level=1",
                "    ring_switching_key level=1   ; error: no instruction uses it",
            ),
        ],
        &[(
            "drop_level v3 : ct<2, D>",
            "switch_ring v3 : ct<2, D>   ; error: switch_ring: goes from a level of the main ring to one of the small ring, level 3 and level 2 are not such; error: no ring-switching key at level 2 is declared",
        )],
        &[
            ("rotate v7, 3", "rotate v7, 5"),
            (
                "level=1 [3]",
                "level=1 [5]   ; error: rotation 5 is not in 1..4",
            ),
            (
                ": ct<1, D>\n@n0 v9",
                ": ct<1, D>   ; error: rotate: rotation 5 is not in 1..4\n@n0 v9",
            ),
        ],
        &[(
            "encode c1 : pt<1, D>",
            "encode c0 : pt<1, D>   ; error: encode: constant c0 is for 8 slots, a ciphertext of level 1 has 4",
        )],
        &[(
            "    return \"y\" [1, 4] l1 (v10)",
            "    return \"y\" [1, 4] l0 (v10)   ; error: has 8 slots per ciphertext, the ring has 4",
        )],
        &[
            ("    ring_switching_key level=1\n", ""),
            (
                "switch_ring v4 : ct<1, D>",
                "switch_ring v4 : ct<1, D>   ; error: switch_ring: no ring-switching key at level 1 is declared",
            ),
        ],
        &[
            ("    rotation_keys level=1 [3]\n", ""),
            (
                "rotate v7, 3 : ct<1, D>",
                "rotate v7, 3 : ct<1, D>   ; error: rotate: no small-ring rotation key 3 at level 1 is declared",
            ),
        ],
        &[
            (
                "    ring_switching_key level=1\n",
                "    ring_switching_key level=2   ; error: level 2 is not of the ring that the key is for; error: no instruction uses it\n",
            ),
            (
                "switch_ring v4 : ct<1, D>",
                "switch_ring v4 : ct<1, D>   ; error: switch_ring: no ring-switching key at level 1 is declared",
            ),
        ],
    ];
    for case in cases {
        let broken = case.iter().fold(GOOD.to_string(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1)
        });
        check_errors(&broken).unwrap();
    }
}

/// Whatever else is wrong, a degree that no ring has is seen before anyone computes with it.
#[test]
fn a_degree_that_no_ring_has_is_refused_first() {
    for log_n in [0, 2, 64, 200, u32::MAX] {
        let degree = format!("small_ring log_n={log_n} levels");
        let many: String = (2..400)
            .map(|i| format!("    small_digit {i} = [q0]\n"))
            .collect();
        for more in [String::new(), many] {
            let text = GOOD.replace("small_ring log_n=3 levels", &degree);
            let digit = "    small_digit 1 = [q1]\n";
            let text = text.replace(digit, &format!("{digit}{more}"));
            let errors = verify(text::parse(&text).unwrap()).unwrap_err().to_string();
            assert!(
                errors.contains(&format!("small ring: degree 2^{log_n} ")),
                "{errors}"
            );
        }
    }
}
