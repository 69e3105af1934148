//! Rules of rings: primes, levels, digits and the security limit.

use super::error::{Report, Subject};
use crate::circuit::Keys;
use crate::entity::{Entity, Prime, RingId, SpecialPrime};
use crate::ring::{Level, RingSpec, RingTable, SecretId, SecretKind, Security};
use crate::scale::Scale;
use std::collections::{BTreeMap, BTreeSet};

/// The largest number of primes, special primes, levels and digits each; far above what any degree can carry securely.
pub const MAX_ROWS: usize = 256;

/// The least difference of two levels of a ring, in bits; sums of logarithms are exact to far less.
const LEAST_STEP_BITS: f64 = 1e-6;

/// Checks the rings by themselves. Returns whether degrees and rings of levels make sense, on which all other checks rely.
pub(crate) fn check(ring: &RingTable, report: &mut Report) -> bool {
    let RingTable {
        unit_bits,
        primes,
        special,
        rings,
        levels,
    } = ring;
    if rings.is_empty() {
        report.push(Subject::Rings, RingError::NoRings);
        return false;
    }
    let mut sound = true;
    for (id, spec) in rings.iter() {
        if !RingTable::LOG_N.contains(&spec.log_n) {
            let log_n = spec.log_n;
            report.push(Subject::Ring(id), RingError::Degree { log_n });
            sound = false;
        } else if let SecretKind::Sparse { weight } = spec.secret
            && !ring.view(id).secret().weights().contains(&weight)
        {
            let bound = *ring.view(id).secret().weights().end();
            report.push(Subject::Ring(id), RingError::Weight { weight, bound });
        }
    }
    for (i, level) in levels.iter().enumerate() {
        if rings.get(level.ring).is_none() {
            let subject = Subject::Level(Level(i as u32));
            report.push(subject, RingError::NoRing { ring: level.ring });
            sound = false;
        }
    }
    if !sound {
        return false;
    }
    if *unit_bits > Scale::MAX_EXPONENT.unsigned_abs() {
        let unit_bits = *unit_bits;
        report.push(Subject::Rings, RingError::Unit { unit_bits });
    }
    let digits = rings.values().map(|spec| spec.digits.len()).max();
    for (what, found) in [
        ("rings", rings.len()),
        ("primes", primes.len()),
        ("special primes", special.len()),
        ("levels", levels.len()),
        ("digits", digits.unwrap_or(0)),
    ] {
        if found > MAX_ROWS {
            report.push(Subject::Rings, RingError::TooMany { what, found });
            return true;
        }
    }
    check_primes(ring, report);
    check_levels(ring, report);
    for (id, spec) in rings.iter() {
        check_special(ring, id, spec, report);
        check_digits(ring, id, report);
    }
    true
}

/// Checks that the special primes of a ring are of the pool, each once, in order.
fn check_special(ring: &RingTable, id: RingId, spec: &RingSpec, report: &mut Report) {
    let subject = Subject::Ring(id);
    for &prime in &spec.special {
        if ring.special.get(prime).is_none() {
            report.push(subject, RingError::NoSpecialPrime { prime });
        }
    }
    if !spec.special.is_sorted_by(|a, b| a < b) {
        report.push(subject, RingError::SpecialOrder);
    }
}

fn check_primes(ring: &RingTable, report: &mut Report) {
    let two_n = 2u64 << ring.largest_log_n();
    let pool = ring.primes.iter().map(|(p, &v)| (Subject::Prime(p), v));
    let special = ring
        .special
        .iter()
        .map(|(p, &v)| (Subject::SpecialPrime(p), v));
    let mut seen: BTreeMap<u64, Subject> = BTreeMap::new();
    for (subject, value) in pool.chain(special) {
        if value >= RingTable::MAX_PRIME {
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

fn check_levels(ring: &RingTable, report: &mut Report) {
    if ring.levels.is_empty() {
        report.push(Subject::Rings, RingError::NoLevels);
    }
    // Of the highest level so far of each ring.
    let mut below: BTreeMap<RingId, f64> = BTreeMap::new();
    for (i, spec) in ring.levels.iter().enumerate() {
        let (level, row) = (Level(i as u32), &spec.primes);
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
        if let Some(below) = below.insert(spec.ring, bits)
            && bits <= below + LEAST_STEP_BITS
        {
            report.push(subject, RingError::NotAscending { bits, below });
        }
    }
}

/// Checks that the digits of a ring partition the primes of its levels.
fn check_digits(ring: &RingTable, id: RingId, report: &mut Report) {
    let mut uses = vec![0u32; ring.primes.len()];
    for (i, digit) in ring.view(id).digits().iter().enumerate() {
        let subject = Subject::Digit(id, i as u32);
        if digit.is_empty() {
            report.push(subject, RingError::EmptyDigit);
        }
        for &prime in digit {
            match uses.get_mut(prime.index()) {
                None => report.push(subject, RingError::NoPrime { prime }),
                Some(count) if *count == 0 => *count = 1,
                Some(_) => report.push(subject, RingError::InTwoDigits { prime }),
            }
        }
    }
    let used: BTreeSet<Prime> = ring.primes_of(id).into_iter().collect();
    for (prime, count) in ring.primes.keys().zip(uses) {
        let error = match (count, used.contains(&prime)) {
            (0, true) => RingError::InNoDigit { ring: id },
            (0, false) | (_, true) => continue,
            (_, false) => RingError::InVainDigit { ring: id },
        };
        report.push(Subject::Prime(prime), error);
    }
}

/// Checks that the longest modulus of what is published under the secret of each ring is secure. A key that leads there from a ring of
/// larger degree is as secure as several keys of the ring.
pub(crate) fn check_security(
    ring: &RingTable,
    keys: &Keys,
    security: Security,
    report: &mut Report,
) {
    if security == Security::None {
        return;
    }
    for id in ring.rings.keys() {
        let subject = Subject::Ring(id);
        let (secret, bits) = (ring.view(id).secret(), ring.published_bits(id, keys));
        match secret.max_modulus_bits() {
            None => report.push(subject, RingError::NoSecureModulus { secret }),
            Some(limit) if bits > f64::from(limit) => {
                report.push(
                    subject,
                    RingError::Insecure {
                        secret,
                        bits,
                        limit,
                    },
                );
            }
            Some(_) => {}
        }
    }
}

/// A rule of rings that is broken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences name every field")]
pub enum RingError {
    #[error("degree 2^{log_n} is not supported, expected 2^{} to 2^{}", RingTable::LOG_N.start(), RingTable::LOG_N.end())]
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
    #[error("is in no digit of key switching of {ring}, which has it in a level")]
    InNoDigit { ring: RingId },
    #[error("is in a digit of {ring}, none of whose levels has it")]
    InVainDigit { ring: RingId },
    #[error("there are no rings")]
    NoRings,
    #[error("names {ring}, which is not in the table of rings")]
    NoRing { ring: RingId },
    #[error("names {prime}, which is not in the pool")]
    NoSpecialPrime { prime: SpecialPrime },
    #[error("its special primes do not ascend")]
    SpecialOrder,
    #[error("no modulus is 128-bit secure at {secret}")]
    NoSecureModulus { secret: SecretId },
    #[error("a secret of weight {weight} is not supported, expected 1 to {bound}")]
    Weight { weight: u32, bound: u32 },
    #[error(
        "log2(Q P) is {bits:.1}, above the {limit} bits that {secret} carries at 128-bit security"
    )]
    Insecure {
        secret: SecretId,
        bits: f64,
        limit: u32,
    },
}
