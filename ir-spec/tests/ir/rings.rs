//! The verifier's rules for circuits of several rings: a good one with some text replaced.

use crate::common::check_errors;
use peregrine_ir::{text, verify};

/// Breaks no rule.
const GOOD: &str = r#"
circuit %good security=none {
    r0 = ring log_n=4 special_primes=[p0, p1]
    r1 = ring log_n=3 special_primes=[p0]
    D = scale 2^20
    q0 = prime 0x1fffffffff61
    q1 = prime 0x3ffffe81
    q2 = prime 0x3ffffb41
    p0 = special_prime 0xfffffffffa81
    p1 = special_prime 0x1ffffffffe01
    level 0 r1 = [q0]
    level 1 r1 = [q0, q1]
    level 2 = [q0, q1]
    level 3 = [q0, q1, q2]
    digit 0 = [q0, q1]
    digit 1 = [q2]
    digit 0 r1 = [q0]
    digit 1 r1 = [q1]
    relinearization_key level=1
    ring_switching_key level=1 from=r0
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
    let cases: [&[(&str, &str)]; 16] = [
        &[
            (
                "r1 = ring log_n=3 special_primes=[p0]",
                "r1 = ring log_n=4 special_primes=[p0]",
            ),
            (
                "    ring_switching_key level=1 from=r0",
                "    ring_switching_key level=1 from=r0   ; error: it leads to a ring of the same degree and the same kind of secret",
            ),
            (
                "switch_ring v4 : ct<1, D>",
                "switch_ring v4 : ct<1, D>   ; error: switch_ring: goes to a ring of another degree, or with a secret of another kind; that of level 1 is neither for level 2",
            ),
            (" log_slots=2 ", " log_slots=3 "),
        ],
        &[(
            "log_n=3 special_primes=[p0]",
            "log_n=3 special_primes=[p2]   ; error: names p2, which is not in the pool; error: key switching needs special primes, the ring has none",
        )],
        &[(
            "log_n=3 special_primes=[p0]",
            "log_n=3 special_primes=[p1, p0]   ; error: its special primes do not ascend",
        )],
        // Levels of one ring ascend strictly; another ring may have the same modulus once more.
        &[
            (
                "    level 3 = [q0, q1, q2]",
                "    level 3 = [q1, q2]   ; error: levels must ascend",
            ),
            (
                "drop_level v3 : ct<2, D>",
                "drop_level v3 : ct<2, D>   ; error: drop_level: level 2 has a prime that level 3 lacks",
            ),
        ],
        &[
            ("    digit 1 r1 = [q1]\n", "    digit 1 r1 = [q2]\n"),
            (
                "    q1 = prime 0x3ffffe81",
                "    q1 = prime 0x3ffffe81   ; error: q1: is in no digit of key switching of r1, which has it in a level",
            ),
            (
                "    q2 = prime 0x3ffffb41",
                "    q2 = prime 0x3ffffb41   ; error: q2: is in a digit of r1, none of whose levels has it",
            ),
        ],
        &[(
            "    digit 0 r1 = [q0]\n    digit 1 r1 = [q1]\n",
            "    digit 0 r1 = [q0, q1]   ; error: has 75.0 bits at some level, more than the special primes together (48.0): key switching would drown the message in noise\n",
        )],
        &[
            (
                "    ring_switching_key level=1 from=r0",
                "    ring_switching_key level=1 from=r1   ; error: it leads to a ring of the same degree and the same kind of secret; error: no instruction uses it",
            ),
            (
                "switch_ring v4 : ct<1, D>",
                "switch_ring v4 : ct<1, D>   ; error: switch_ring: no ring-switching key from r0 to r1 at level 1 is declared",
            ),
        ],
        &[
            (
                "    ring_switching_key level=1 from=r0",
                "    ring_switching_key level=1 from=r2   ; error: names r2, which is not in the table of rings; error: no instruction uses it",
            ),
            (
                "switch_ring v4 : ct<1, D>",
                "switch_ring v4 : ct<1, D>   ; error: switch_ring: no ring-switching key from r0 to r1 at level 1 is declared",
            ),
        ],
        &[
            (
                "switch_ring v4 : ct<1, D>",
                "drop_level v4 : ct<1, D>   ; error: drop_level: level 2 and level 1 are of different rings: only switch_ring and raise_ext lead from one to another",
            ),
            (
                "    ring_switching_key level=1 from=r0",
                "    ring_switching_key level=1 from=r0   ; error: no instruction uses it",
            ),
        ],
        &[(
            "drop_level v3 : ct<2, D>",
            "switch_ring v3 : ct<2, D>   ; error: switch_ring: goes to a ring of another degree, or with a secret of another kind; that of level 2 is neither for level 3; error: no ring-switching key at level 2 is declared",
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
            ("    ring_switching_key level=1 from=r0\n", ""),
            (
                "switch_ring v4 : ct<1, D>",
                "switch_ring v4 : ct<1, D>   ; error: switch_ring: no ring-switching key from r0 to r1 at level 1 is declared",
            ),
        ],
        &[
            ("    rotation_keys level=1 [3]\n", ""),
            (
                "rotate v7, 3 : ct<1, D>",
                "rotate v7, 3 : ct<1, D>   ; error: rotate: no rotation key 3 of r1 at level 1 is declared",
            ),
        ],
        &[
            (
                "    ring_switching_key level=1 from=r0\n",
                "    ring_switching_key level=2 from=r0   ; error: it leads to a ring of the same degree and the same kind of secret; error: no instruction uses it\n",
            ),
            (
                "switch_ring v4 : ct<1, D>",
                "switch_ring v4 : ct<1, D>   ; error: switch_ring: no ring-switching key from r0 to r1 at level 1 is declared",
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
        let degree = format!("r1 = ring log_n={log_n} ");
        let many: String = (2..400)
            .map(|i| format!("    digit {i} r1 = [q0]\n"))
            .collect();
        for more in [String::new(), many] {
            let text = GOOD.replace("r1 = ring log_n=3 ", &degree);
            let digit = "    digit 1 r1 = [q1]\n";
            let text = text.replace(digit, &format!("{digit}{more}"));
            let errors = verify(text::parse(&text).unwrap()).unwrap_err().to_string();
            assert!(
                errors.contains(&format!("ring r1: degree 2^{log_n} ")),
                "{errors}"
            );
        }
    }
}

/// Rings stand in the table in any order, and a circuit may go through as many as it likes.
#[test]
fn three_rings_in_any_order() {
    let text = r#"
circuit %three security=none {
    r0 = ring log_n=3 special_primes=[p0]
    r1 = ring log_n=5 special_primes=[p0, p1]
    r2 = ring log_n=4 special_primes=[p1]
    D = scale 2^20
    q0 = prime 0x1ffffffffe01
    q1 = prime 0x3ffffe81
    p0 = special_prime 0x1fffffffffd41
    p1 = special_prime 0xfffffffffa81
    level 0 = [q0]
    level 1 r2 = [q0]
    level 2 r2 = [q0, q1]
    level 3 r1 = [q0, q1]
    digit 0 = [q0]
    digit 0 r1 = [q0]
    digit 1 r1 = [q1]
    digit 0 r2 = [q0]
    digit 1 r2 = [q1]
    ring_switching_key level=0 from=r2
    rotation_keys level=3 [9]
    ring_switching_key level=2 from=r1
    n0 = node "x" Identity
    l0 = layout gip log_slots=4 shape=[4, 1, 1] phases=[1, 1] gaps=[1, 1] pitch=1 plane=1 replicas=4 skew=0
    l1 = layout gip shape=[4, 1, 1] phases=[1, 1] gaps=[1, 1] pitch=1 plane=1 replicas=1 skew=0
entry "x" [1, 4] l0 (v0: ct<3, D>)
@n0 v1 = rotate v0, 9 : ct<3, D>
@n0 v2 = switch_ring v1 : ct<2, D>
@n0 v3 = drop_level v2 : ct<1, D>
@n0 v4 = switch_ring v3 : ct<0, D>
    return "y" [1, 4] l1 (v4)
}
"#;
    let circuit = verify(text::parse(text).unwrap()).unwrap();
    let rings = circuit.rings.descent();
    let degrees: Vec<u32> = rings
        .iter()
        .map(|&ring| circuit.rings.view(ring).log_n())
        .collect();
    assert_eq!(degrees, [5, 4, 3]);
    assert_eq!(circuit.keys.levels.len(), 3);
    let again = text::parse(&text::print(&circuit)).unwrap();
    assert_eq!(again, *circuit);
    let read = peregrine_ir::binary::read_circuit(&peregrine_ir::binary::write_circuit(&circuit));
    assert_eq!(*read.unwrap(), *circuit);
}
