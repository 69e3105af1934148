//! Every circuit of `SPEC.md` is what the page says it is.

use crate::common::{announced, check_errors};
use peregrine_ir::{Security, binary, text, verify};

const SPEC: &str = include_str!("../../SPEC.md");

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let starts = SPEC.split(&fence).skip(1);
    let blocks: Vec<String> = starts
        .filter_map(|rest| Some(rest.split_once("```")?.0.to_string()))
        .collect();
    assert!(!blocks.is_empty(), "no {language} block");
    blocks
}

#[test]
fn circuits_are_canonical_and_verify() {
    for source in blocks("fhe") {
        let parsed = text::parse(&source).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(text::print(&parsed), source);
        let verified = verify(parsed).unwrap_or_else(|errors| panic!("{errors}\nin\n{source}"));
        let file = binary::write_circuit(&verified);
        assert_eq!(binary::read_circuit(&file).unwrap(), verified);
    }
}

#[test]
fn wrong_circuits_are_refused_as_announced() {
    for source in blocks("fhe-error") {
        assert!(!announced(&source).is_empty(), "{source}");
        check_errors(&source).unwrap();
    }
}

#[test]
fn the_security_table_is_that_of_the_code() {
    let row = SPEC.lines().find_map(|line| line.strip_prefix("| bits |"));
    let bits: Vec<Option<u32>> = row
        .unwrap()
        .trim_end_matches('|')
        .split('|')
        .map(|cell| cell.trim().parse().ok())
        .collect();
    let expected: Vec<Option<u32>> = (10..=17).map(Security::max_modulus_bits).collect();
    assert_eq!(bits, expected);
}

#[test]
fn every_operation_is_in_the_table() {
    for word in [
        "input",
        "encode",
        "add",
        "sub",
        "negate",
        "add_plain",
        "mul_plain",
        "mul_scalar",
        "dot",
        "dot_scalar",
        "mul",
        "square",
        "relinearize",
        "relinearize_ext",
        "rescale",
        "drop_level",
        "decompose",
        "rotate_ext",
        "mod_down",
        "rotate",
        "conjugate",
        "mul_monomial",
    ] {
        let row =
            |line: &str| line.starts_with(&format!("| `{word}")) && line.matches('|').count() == 4;
        assert!(SPEC.lines().any(row), "{word}");
    }
}
