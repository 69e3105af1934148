//! `SECURITY.md` says what the code does.

use peregrine_ir::{RingTable, Security};
use peregrine_runtime::ring::NOISE_DEVIATION;

const PAGE: &str = include_str!("../../../SECURITY.md");
const SCRIPT: &str = include_str!("../../security/estimate.py");

/// Rows of the table of limits, by degree: the gate's limit, what attacks cost there, the guidelines' limit, the same there.
fn rows() -> Vec<(u32, [f64; 4])> {
    let row = |line: &str| {
        let cells: Vec<&str> = line
            .strip_prefix("| 2^")?
            .split('|')
            .map(str::trim)
            .collect();
        let number = |i: usize| cells[i].parse().unwrap_or_else(|_| panic!("{line}"));
        Some((cells[0].parse().unwrap(), [1, 2, 3, 4].map(number)))
    };
    PAGE.lines().filter_map(row).collect()
}

#[test]
fn the_table_of_limits_is_that_of_the_gate() {
    let documented: Vec<_> = rows().iter().map(|(log_n, row)| (*log_n, row[0])).collect();
    let enforced: Vec<_> = RingTable::LOG_N
        .filter_map(|log_n| Some((log_n, f64::from(Security::max_modulus_bits(log_n)?))))
        .collect();
    assert_eq!(documented, enforced);
}

#[test]
fn the_limits_of_sparse_secrets_are_those_of_the_gate() {
    let rows = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| at least "));
    let number = |cell: &str| -> u32 { cell.trim().trim_start_matches("2^").parse().unwrap() };
    let mut documented = Vec::new();
    for row in rows {
        let cells: Vec<u32> = row.trim_end_matches('|').split('|').map(number).collect();
        let [weight, log_n, limit, estimate] = cells[..] else {
            panic!("{cells:?}");
        };
        assert!(estimate >= 128);
        assert_eq!(Security::max_sparse_bits(log_n, weight), Some(limit));
        assert_eq!(Security::max_sparse_bits(log_n, weight - 1), None);
        documented.push(log_n);
    }
    assert_eq!(documented.len(), 2);
    for other in RingTable::LOG_N.filter(|other| !documented.contains(other)) {
        assert_eq!(Security::max_sparse_bits(other, u32::MAX), None);
    }
}

#[test]
fn a_longer_modulus_is_never_said_to_be_more_secure() {
    for (log_n, [gate, at_gate, guideline, at_guideline]) in rows() {
        assert_eq!(gate == guideline, at_gate == at_guideline, "2^{log_n}");
        assert_eq!(gate > guideline, at_gate < at_guideline, "2^{log_n}");
    }
}

#[test]
fn estimates_are_for_no_more_noise_than_is_sampled() {
    let line = SCRIPT
        .lines()
        .find_map(|line| line.strip_prefix("DEVIATION = "));
    assert!(line.unwrap().parse::<f64>().unwrap() <= NOISE_DEVIATION);
}
