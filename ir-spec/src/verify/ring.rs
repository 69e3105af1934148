//! Degree, primes, levels, digits and the security line.

use super::error::{Report, Subject};
use crate::entity::{Entity, Prime};
use crate::ring::{Level, Ring, RingPart, Security, SmallRing};
use crate::scale::Scale;
use std::collections::{BTreeMap, BTreeSet};

/// The largest number of primes, special primes, levels and digits; far above what any degree can carry securely.
pub const MAX_ROWS: usize = 256;

/// Levels must differ by more than this many bits; sums of logarithms are exact to far less.
const LEAST_STEP_BITS: f64 = 1e-6;

/// Checks the ring by itself. Whether degrees and levels of its parts make sense, on which everything else relies.
pub(crate) fn check(ring: &Ring, security: Security, report: &mut Report) -> bool {
    let Ring {
        log_n,
        unit_bits,
        primes,
        special,
        levels,
        digits,
        small,
    } = ring;
    if !Ring::LOG_N.contains(log_n) {
        report.push(Subject::Ring, RingError::Degree { log_n: *log_n });
        return false;
    }
    if let Some(small) = small
        && let Err(error) = check_small(ring, small)
    {
        report.push(Subject::SmallRing, error);
        return false;
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
        ("small digits", small.as_ref().map_or(0, |s| s.digits.len())),
    ] {
        if found > MAX_ROWS {
            report.push(Subject::Ring, RingError::TooMany { what, found });
            return true;
        }
    }
    check_primes(ring, report);
    check_levels(ring, report);
    for part in ring.parts() {
        check_digits(ring, part, report);
        check_security(ring, part, security, report);
    }
    true
}

/// Degree, levels and special primes of the small ring; what else concerns it relies on these.
fn check_small(ring: &Ring, small: &SmallRing) -> Result<(), RingError> {
    let (log_n, least, above) = (small.log_n, *Ring::LOG_N.start(), ring.log_n);
    if !(least..above).contains(&log_n) {
        return Err(RingError::SmallDegree {
            log_n,
            least,
            above,
        });
    }
    for (what, found, least, most) in [
        ("levels", small.levels, 1, ring.levels.len()),
        ("special primes", small.special, 0, ring.special.len()),
    ] {
        if found < least || found as usize > most {
            return Err(RingError::SmallCount {
                what,
                found,
                least,
                most,
            });
        }
    }
    Ok(())
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
        // Switching rings need not drop anything.
        let switches = i > 0 && ring.part(level) != ring.part(Level(i as u32 - 1));
        let least = |below: f64| match switches {
            true => below - LEAST_STEP_BITS,
            false => below + LEAST_STEP_BITS,
        };
        if let Some(below) = below.filter(|&below| bits <= least(below)) {
            report.push(subject, RingError::NotAscending { bits, below });
        }
        below = Some(bits);
    }
}

/// The digits of a ring partition the primes of its levels, those of the main ring the pool.
fn check_digits(ring: &Ring, part: RingPart, report: &mut Report) {
    let mut uses = vec![0u32; ring.primes.len()];
    for (i, digit) in ring.view(part).digits.iter().enumerate() {
        let subject = Subject::Digit(part, i as u32);
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
    let used = primes_of(ring, part);
    for (i, &count) in uses.iter().enumerate() {
        let prime = Prime::new(i as u32);
        match (count, used.contains(&prime)) {
            (0, true) => report.push(Subject::Prime(prime), RingError::InNoDigit),
            (0, false) | (_, true) => {}
            (_, false) => report.push(Subject::Prime(prime), RingError::InVainDigit),
        }
    }
}

/// The primes that digits of a ring must have.
fn primes_of(ring: &Ring, part: RingPart) -> BTreeSet<Prime> {
    match (part, &ring.small) {
        (RingPart::Small, Some(small)) => {
            let top = Level(small.levels.saturating_sub(1));
            ring.key_row(top).into_iter().collect()
        }
        _ => ring.primes.keys().collect(),
    }
}

/// Both rings are as secure as their degree and modulus: a key for switching rings is one of the small ring, twice over.
fn check_security(ring: &Ring, part: RingPart, security: Security, report: &mut Report) {
    let subject = part.into();
    match security {
        Security::None => {}
        Security::Classical128 => {
            let (log_n, bits) = (ring.view(part).log_n, ring.total_bits(part));
            match Security::max_modulus_bits(log_n) {
                None => report.push(subject, RingError::NoSecureModulus { log_n }),
                Some(limit) if bits > f64::from(limit) => {
                    report.push(subject, RingError::Insecure { log_n, bits, limit });
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
    #[error("is in a digit of the small ring, none of whose levels has it")]
    InVainDigit,
    #[error(
        "degree 2^{log_n} of the small ring is not from 2^{least} to below that of the main ring, 2^{above}"
    )]
    SmallDegree { log_n: u32, least: u32, above: u32 },
    #[error("the small ring has {found} {what}, expected {least} to {most}")]
    SmallCount {
        what: &'static str,
        found: u32,
        least: u32,
        most: usize,
    },
    #[error("no modulus is 128-bit secure at degree 2^{log_n}")]
    NoSecureModulus { log_n: u32 },
    #[error(
        "log2(Q P) is {bits:.1}, above the {limit} bits that degree 2^{log_n} carries at 128-bit security"
    )]
    Insecure { log_n: u32, bits: f64, limit: u32 },
}
