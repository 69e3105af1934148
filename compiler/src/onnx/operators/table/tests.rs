//! The table of operators against the definitions of operators and against the README.

use super::*;
use crate::onnx::schema;
use std::collections::BTreeSet;

#[test]
fn every_operator_is_registered_once_and_defined() {
    let rows: Vec<Operator> = FAMILIES.iter().flat_map(|operators| operators()).collect();
    let mut seen = BTreeSet::new();
    for row in &rows {
        let (domain, name) = (row.domain, row.name);
        assert!(
            seen.insert((domain, name)),
            "{name} is registered by two families"
        );
        // Nothing would check its attributes.
        assert!(
            schema::is_known(domain, name),
            "{name} has no row among the definitions"
        );
        let nothing = row.encrypted.is_none() && row.constants.is_none();
        assert!(!nothing, "{name} is registered for nothing");
    }
    assert_eq!(TABLE.len(), rows.len());
}

/// The operators that the README lists: the capitalised words after the colon of the list's sentence.
fn listed(readme: &str) -> BTreeSet<&str> {
    let (_, section) = readme.split_once("## What it accepts\n").unwrap();
    let (_, list) = section.split_once(':').unwrap();
    let ends = |(at, _): &(usize, &str)| list[at + 1..].starts_with(char::is_whitespace);
    let (end, _) = list.match_indices('.').find(ends).unwrap();
    let words = list[..end].split(|c: char| !c.is_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase()))
        .collect()
}

#[test]
fn the_readme_lists_what_is_computed_on_encrypted_values() {
    let listed = listed(include_str!("../../../../../README.md"));
    // What is evaluated on constants only is "anything of constants alone", what only clients compute is another paragraph's.
    let registered = TABLE.values().filter(|row| row.encrypted.is_some());
    let registered: BTreeSet<&str> = registered.map(|row| row.name).collect();
    let missing: Vec<_> = registered.difference(&listed).collect();
    let unknown: Vec<_> = listed.difference(&registered).collect();
    assert_eq!(
        (missing, unknown),
        (vec![], vec![]),
        "in the table and not in the README, and the other way round"
    );
}
