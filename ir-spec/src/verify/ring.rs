//! Degree, primes, levels, digits and the security line.

use super::error::{Report, Subject};
use crate::entity::{Entity, Prime};
use crate::ring::{Level, Ring, Security};
use crate::scale::Scale;
use std::collections::BTreeMap;

/// The largest number of primes, special primes, levels and digits; far above what any degree can carry securely.
pub const MAX_ROWS: usize = 256;

/// Levels must differ by more than this many bits; sums of logarithms are exact to far less.
const LEAST_STEP_BITS: f64 = 1e-6;

/// Checks the ring by itself; everything else may rely on the degree only if nothing is reported.
pub(crate) fn check(ring: &Ring, security: Security, report: &mut Report) {
    let Ring {
        log_n,
        unit_bits,
        primes,
        special,
        levels,
        digits,
    } = ring;
    if !Ring::LOG_N.contains(log_n) {
        report.push(Subject::Ring, RingError::Degree { log_n: *log_n });
        return;
    }
    if *unit_bits > Scale::MAX_EXPONENT.unsigned_abs() {
        let unit_bits = *unit_bits;
        report.push(Subject::Ring, RingError::Unit { unit_bits });
    }
    for (what, found) in [
        ("primes", primes.len()),
        ("special primes", special.len()),
        ("levels", levels.len()),
        ("digits", digits.len()),
    ] {
        if found > MAX_ROWS {
            report.push(Subject::Ring, RingError::TooMany { what, found });
            return;
        }
    }
    check_primes(ring, report);
    check_levels(ring, report);
    check_digits(ring, report);
    check_security(ring, security, report);
}

fn check_primes(ring: &Ring, report: &mut Report) {
    let two_n = 2 * ring.degree() as u64;
    let pool = ring.primes.iter().map(|(p, &v)| (Subject::Prime(p), v));
    let special = ring
        .special
        .iter()
        .map(|(p, &v)| (Subject::SpecialPrime(p), v));
    let mut seen: BTreeMap<u64, Subject> = BTreeMap::new();
    for (subject, value) in pool.chain(special) {
        if value >= Ring::MAX_PRIME {
            report.push(subject, RingError::PrimeTooLarge { value });
        }
        if !primal_check::miller_rabin(value) {
            report.push(subject, RingError::NotPrime { value });
        }
        if value % two_n != 1 {
            report.push(subject, RingError::NoTransform { value, two_n });
        }
        if let Some(&first) = seen.get(&value) {
            report.push(subject, RingError::PrimeTwice { value, first });
        }
        seen.entry(value).or_insert(subject);
    }
}

fn check_levels(ring: &Ring, report: &mut Report) {
    if ring.levels.is_empty() {
        report.push(Subject::Ring, RingError::NoLevels);
    }
    let mut below: Option<f64> = None;
    for (i, row) in ring.levels.iter().enumerate() {
        let level = Level(i as u32);
        let subject = Subject::Level(level);
        if row.is_empty() {
            report.push(subject, RingError::EmptyLevel);
            continue;
        }
        let mut sorted = row.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() != row.len() {
            report.push(subject, RingError::LevelRepeats);
        }
        if let Some(&prime) = row.iter().find(|&&p| ring.primes.get(p).is_none()) {
            report.push(subject, RingError::NoPrime { prime });
            continue;
        }
        let bits = ring.level_bits(level).unwrap_or(0.0);
        if let Some(below) = below.filter(|below| bits <= below + LEAST_STEP_BITS) {
            report.push(subject, RingError::NotAscending { bits, below });
        }
        below = Some(bits);
    }
}

fn check_digits(ring: &Ring, report: &mut Report) {
    let mut uses = vec![0u32; ring.primes.len()];
    for (i, digit) in ring.digits.iter().enumerate() {
        let subject = Subject::Digit(i as u32);
        if digit.is_empty() {
            report.push(subject, RingError::EmptyDigit);
        }
        for &prime in digit {
            match uses.get_mut(prime.index()) {
                None => report.push(subject, RingError::NoPrime { prime }),
                Some(0) => {
                    if let Some(count) = uses.get_mut(prime.index()) {
                        *count = 1;
                    }
                }
                Some(_) => report.push(subject, RingError::InTwoDigits { prime }),
            }
        }
    }
    for (i, &count) in uses.iter().enumerate() {
        if count == 0 {
            report.push(Subject::Prime(Prime::new(i as u32)), RingError::InNoDigit);
        }
    }
}

fn check_security(ring: &Ring, security: Security, report: &mut Report) {
    match security {
        Security::None => {}
        Security::Classical128 => {
            let (log_n, bits) = (ring.log_n, ring.total_bits());
            match Security::max_modulus_bits(log_n) {
                None => report.push(Subject::Ring, RingError::NoSecureModulus { log_n }),
                Some(limit) if bits > f64::from(limit) => {
                    report.push(Subject::Ring, RingError::Insecure { log_n, bits, limit });
                }
                Some(_) => {}
            }
        }
    }
}

/// What is wrong with the ring.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences name every field")]
pub enum RingError {
    #[error("degree 2^{log_n} is not supported, expected 2^{} to 2^{}", Ring::LOG_N.start(), Ring::LOG_N.end())]
    Degree { log_n: u32 },
    #[error(
        "the unit of scales is 2^{unit_bits}, expected at most 2^{}",
        Scale::MAX_EXPONENT
    )]
    Unit { unit_bits: u32 },
    #[error("{found} {what}, expected at most {MAX_ROWS}")]
    TooMany { what: &'static str, found: usize },
    #[error("{value} is not below 2^50")]
    PrimeTooLarge { value: u64 },
    #[error("{value} is not prime")]
    NotPrime { value: u64 },
    #[error("{value} is not 1 modulo 2 N = {two_n}, so it has no number-theoretic transform")]
    NoTransform { value: u64, two_n: u64 },
    #[error("{value} is also {first}")]
    PrimeTwice { value: u64, first: Subject },
    #[error("there are no levels")]
    NoLevels,
    #[error("the level has no primes")]
    EmptyLevel,
    #[error("the level names a prime twice")]
    LevelRepeats,
    #[error("names {prime}, which is not in the pool")]
    NoPrime { prime: Prime },
    #[error("its modulus has {bits:.3} bits, the level below has {below:.3}: levels must ascend")]
    NotAscending { bits: f64, below: f64 },
    #[error("the digit has no primes")]
    EmptyDigit,
    #[error("{prime} is already in a digit")]
    InTwoDigits { prime: Prime },
    #[error("is in no digit of key switching")]
    InNoDigit,
    #[error("no modulus is 128-bit secure at degree 2^{log_n}")]
    NoSecureModulus { log_n: u32 },
    #[error(
        "log2(Q P) is {bits:.1}, above the {limit} bits that degree 2^{log_n} carries at 128-bit security"
    )]
    Insecure { log_n: u32, bits: f64, limit: u32 },
}
