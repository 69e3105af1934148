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
    level 3 r1 = [q0, q1]
    digit 0 = [q0]
    digit 1 = [q1]
    digit 0 r1 = [q0]
    digit 1 r1 = [q1]
    ring_switching_key level=2 from=r1
    ring_switching_key level=0 from=r0
    n0 = node "refresh" Refresh
    l0 = layout gip shape=[4, 1, 1] phases=[1, 1] gaps=[1, 1] pitch=1 plane=1 replicas=2 skew=0
entry "x" [1, 4] l0 (v0: ct<1, D>)
@n0 v1 = switch_ring v0 : ct<0, D>
@n0 v2 = raise_modulus v1 : ct<3, D>
@n0 v3 = switch_ring v2 : ct<2, D>
    return "y" [1, 4] l0 (v3)
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

#[test]
fn moduli_are_raised_within_a_ring() {
    check(&[
        (
            "raise_modulus v1 : ct<3, D>",
            "raise_modulus v1 : ct<0, D>   ; error: raise_modulus: level 0 has not more modulus than level 0, or lacks one of its primes",
        ),
        (
            "switch_ring v2 : ct<2, D>",
            "switch_ring v2 : ct<2, D>   ; error: switch_ring: level 2 has a prime that level 0 lacks",
        ),
    ]);
    check(&[
        (
            "raise_modulus v1 : ct<3, D>",
            "raise_modulus v1 : ct<2, D>   ; error: raise_modulus: level 0 and level 2 are of different rings: only switch_ring leads from one to another",
        ),
        (
            "switch_ring v2 : ct<2, D>",
            "switch_ring v2 : ct<2, D>   ; error: switch_ring: goes to a ring of another degree, or with a secret of another kind; that of level 2 is neither for level 2; error: no ring-switching key at level 2 is declared",
        ),
        (
            "    ring_switching_key level=2 from=r1",
            "    ring_switching_key level=2 from=r1   ; error: no instruction uses it",
        ),
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
    // Of one kind and degree, rings have one secret.
    check(&[
        (
            "    r1 = ring log_n=4 secret_weight=5 special_primes=[p0]",
            "    r1 = ring log_n=4 special_primes=[p0]",
        ),
        (
            "    ring_switching_key level=2 from=r1",
            "    ring_switching_key level=2 from=r1   ; error: it leads to a ring of the same degree and the same kind of secret",
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
            "switch_ring v2 : ct<2, D>",
            "switch_ring v2 : ct<2, D>   ; error: switch_ring: goes to a ring of another degree",
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
