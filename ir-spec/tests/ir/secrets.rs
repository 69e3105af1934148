//! The verifier's rules for rings with sparse secrets and raised moduli: a good circuit with some text replaced.

use crate::common::check_errors;
use peregrine_ir::{binary, text, verify};

/// Raises a modulus under a sparse secret, as a refresh does, and breaks no rule.
const GOOD: &str = r#"
circuit %good security=none {
    r0 = ring log_n=4 special_primes=[p0]
    r1 = ring log_n=4 secret_weight=5 special_primes=[p0]
    D = scale 2^20
    q0 = prime 0x1fffffffff61
    q1 = prime 0x3ffffe81
    p0 = special_prime 0xfffffffffa81
    level 0 r1 = [q0]
    level 1 = [q0]
    level 2 = [q0, q1]
    digit 0 = [q0]
    digit 1 = [q1]
    digit 0 r1 = [q0]
    ring_switching_key level=0 from=r0
    raising_keys level=2 from=r1 [0, 2]
    n0 = node "refresh" Refresh
    l0 = layout gip shape=[4, 1, 1] phases=[1, 1] gaps=[1, 1] pitch=1 plane=1 replicas=2 skew=0
entry "x" [1, 4] l0 (v0: ct<1, D>)
@n0 v1 = switch_ring v0 : ct<0, D>
@n0 v2 = raise_ext v1, 0 : ct<2, D, ext>
@n0 v3 = raise_ext v1, 2 : ct<2, D, ext>
@n0 v4 = add v2, v3 : ct<2, D, ext>
@n0 v5 = mod_down v4 : ct<2, D>
    return "y" [1, 4] l0 (v5)
}
"#;

fn check(replaced: &[(&str, &str)]) {
    let broken = replaced.iter().fold(GOOD.to_string(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    check_errors(&broken).unwrap();
}

#[test]
fn the_good_circuit_is_good_and_read_again() {
    check(&[]);
    let circuit = verify(text::parse(GOOD).unwrap()).unwrap();
    assert_eq!(text::parse(&text::print(&circuit)).unwrap(), *circuit);
    let read = binary::read_circuit(&binary::write_circuit(&circuit)).unwrap();
    assert_eq!(*read, *circuit);
}

#[test]
fn weights_are_those_of_some_secret() {
    for weight in ["0", "17", "4294967295"] {
        let ring = format!("secret_weight={weight} special_primes=[p0]");
        let error = format!(
            "{ring}   ; error: a secret of weight {weight} is not supported, expected 1 to 16"
        );
        check(&[("secret_weight=5 special_primes=[p0]", &error)]);
    }
}

const FIRST: &str = "@n0 v2 = raise_ext v1, 0 : ct<2, D, ext>";
const KEYS: &str = "    raising_keys level=2 from=r1 [0, 2]";

#[test]
fn moduli_are_raised_on_the_way_to_another_ring() {
    let to = |level: u32, error: &str| {
        let other = format!("@n0 v2 = raise_ext v1, 0 : ct<{level}, D, ext>   ; error: {error}");
        let keys = format!("{KEYS}   ; error: raising key 0 from r1 to r0: no instruction uses it");
        let sum = "@n0 v4 = add v2, v3 : ct<2, D, ext>";
        let differ = format!("{sum}   ; error: operand levels differ: v2 is at level {level}");
        check(&[(FIRST, &other), (KEYS, &keys), (sum, &differ)]);
    };
    to(
        0,
        "raise_ext: goes to a ring with another secret, of no smaller degree; that of level 0 is none for level 0; error: no raising key 0 of r1 at level 0 is declared",
    );
    let keys = format!("{KEYS}   ; error: declared at level 2, its highest use is at level 1");
    check(&[
        (
            FIRST,
            "@n0 v2 = raise_ext v1, 0 : ct<1, D, ext>   ; error: raise_ext: level 1 has not more modulus than level 0, or lacks one of its primes",
        ),
        (
            "@n0 v4 = add v2, v3 : ct<2, D, ext>",
            "@n0 v4 = add v2, v3 : ct<2, D, ext>   ; error: operand levels differ",
        ),
        (KEYS, &keys),
    ]);
}

#[test]
fn rotations_behind_a_raise_are_those_of_the_smaller_ring() {
    check(&[
        (
            FIRST,
            "@n0 v2 = raise_ext v1, 8 : ct<2, D, ext>   ; error: raise_ext: rotation 8 is not in 0..8",
        ),
        (
            KEYS,
            "    raising_keys level=2 from=r1 [8, 2]   ; error: rotation 8 is not in 0..8",
        ),
    ]);
}

#[test]
fn what_is_raised_is_smaller_than_the_special_primes() {
    let small = "error: raise_ext: the modulus of level 0 is larger than the special primes";
    let second = "@n0 v3 = raise_ext v1, 2 : ct<2, D, ext>";
    let refused = [FIRST, second].map(|raise| format!("{raise}   ; {small}"));
    check(&[
        (
            "    q1 = prime 0x3ffffe81",
            "    q1 = prime 0x3ffffe81\n    q2 = prime 0x3ffffb41",
        ),
        ("level 0 r1 = [q0]", "level 0 r1 = [q0, q1]"),
        ("level 1 = [q0]", "level 1 = [q0, q1]"),
        ("level 2 = [q0, q1]", "level 2 = [q0, q1, q2]"),
        ("digit 1 = [q1]", "digit 1 = [q1]\n    digit 2 = [q2]"),
        (
            "digit 0 r1 = [q0]",
            "digit 0 r1 = [q0]\n    digit 1 r1 = [q1]",
        ),
        (FIRST, &refused[0]),
        (second, &refused[1]),
    ]);
}

#[test]
fn a_secret_is_reached_by_its_key_only() {
    check(&[
        ("    ring_switching_key level=0 from=r0\n", ""),
        (
            "switch_ring v0 : ct<0, D>",
            "switch_ring v0 : ct<0, D>   ; error: switch_ring: no ring-switching key from r0 to r1 at level 0 is declared",
        ),
    ]);
    check(&[
        (KEYS, "    raising_keys level=2 from=r1 [2]"),
        (
            FIRST,
            "@n0 v2 = raise_ext v1, 0 : ct<2, D, ext>   ; error: raise_ext: no raising key 0 from r1 to r0 at level 2 is declared",
        ),
    ]);
    // Of one kind and degree, rings have one secret.
    check(&[
        (
            "    r1 = ring log_n=4 secret_weight=5 special_primes=[p0]",
            "    r1 = ring log_n=4 special_primes=[p0]",
        ),
        (
            KEYS,
            "    raising_keys level=2 from=r1 [0, 2]   ; error: raising key 0 from r1 to r0: it leads to a ring of the same degree; error: raising key 2 from r1 to r0: it leads to a ring of the same degree",
        ),
        (
            "    ring_switching_key level=0 from=r0",
            "    ring_switching_key level=0 from=r0   ; error: it leads to a ring of the same degree and the same kind of secret",
        ),
        (
            "switch_ring v0 : ct<0, D>",
            "switch_ring v0 : ct<0, D>   ; error: switch_ring: goes to a ring of another degree",
        ),
        (
            FIRST,
            "@n0 v2 = raise_ext v1, 0 : ct<2, D, ext>   ; error: raise_ext: goes to a ring with another secret",
        ),
        (
            "@n0 v3 = raise_ext v1, 2 : ct<2, D, ext>",
            "@n0 v3 = raise_ext v1, 2 : ct<2, D, ext>   ; error: raise_ext: goes to a ring with another secret",
        ),
    ]);
}

#[test]
fn nothing_is_encrypted_under_a_sparse_secret() {
    check(&[
        (
            "entry \"x\" [1, 4] l0 (v0: ct<1, D>)\n@n0 v1 = switch_ring v0 : ct<0, D>",
            "entry \"x\" [1, 4] l0 (v0: ct<0, D>)   ; error: is encrypted at degree 2^4 with a sparse secret of weight 5: inputs are encrypted under ternary secrets\n@n0 v1 = drop_level v0 : ct<0, D>   ; error: drop_level",
        ),
        (
            "    ring_switching_key level=0 from=r0",
            "    ring_switching_key level=0 from=r0   ; error: no instruction uses it",
        ),
    ]);
}

/// The promise of 128 bits bounds the modulus of the key that leads to a sparse secret, not that of what is raised there.
#[test]
fn a_sparse_secret_is_secure_for_a_short_modulus_only() {
    let secure = GOOD
        .replace("security=none", "security=128")
        .replace("log_n=4", "log_n=16")
        .replace("secret_weight=5", "secret_weight=32")
        .replace("0x1fffffffff61", "0xfff00001")
        .replace("0x3ffffe81", "0x1fffffc20001")
        .replace("0xfffffffffa81", "0x1ffffffea0001");
    check_errors(&secure).unwrap();
    let error = |from: &str, to: &str| {
        assert!(secure.contains(from), "{from}");
        check_errors(&secure.replacen(from, to, 1)).unwrap();
    };
    let ring = "r1 = ring log_n=16 secret_weight=32 special_primes=[p0]\n";
    let prime = "p0 = special_prime 0x1ffffffea0001\n";
    error(
        ring,
        "r1 = ring log_n=16 secret_weight=31 special_primes=[p0]   ; error: no modulus is 128-bit secure at degree 2^16 with a sparse secret of weight 31\n",
    );
    let two = secure.replacen(
        prime,
        &format!("{prime}    p1 = special_prime 0x1ffffffd40001\n"),
        1,
    );
    let two = two.replacen(
        ring,
        "r1 = ring log_n=16 secret_weight=32 special_primes=[p0, p1]   ; error: log2(Q P) is 130.0, above the 100 bits that degree 2^16 with a sparse secret of weight 32 carries at 128-bit security\n",
        1,
    );
    check_errors(&two).unwrap();
}
