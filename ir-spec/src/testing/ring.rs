//! Toy rings with real primes.

use super::Draw;
use crate::entity::{Entity, Prime};
use crate::ring::{Level, Ring, SmallRing};

/// A ring whose special primes outweigh its digits; a quarter of them have none. Some have a small ring.
pub(super) fn ring(draw: &mut Draw<'_>) -> Ring {
    let log_n = draw.between(3, 6);
    let special = [2, 1, 3, 0][draw.below(4) as usize];
    let pool = draw.between(2, 6);
    let mut ring = Ring {
        log_n,
        unit_bits: *draw.pick(&[20, 12, 30, 0, 1]),
        ..Ring::default()
    };
    let mut used = Vec::new();
    for _ in 0..pool {
        let bits = draw.between(22, 45);
        ring.primes.push(prime(log_n, 1 << bits, &mut used));
    }
    for _ in 0..special {
        ring.special.push(prime(log_n, Ring::MAX_PRIME, &mut used));
    }
    let primes: Vec<Prime> = ring.primes.keys().collect();
    // A digit of as many primes of 45 bits as there are special primes of 49 bits is lighter than these.
    let widest = (special as usize).max(1);
    ring.digits = primes.chunks(widest).map(<[Prime]>::to_vec).collect();
    ring.levels = if draw.sometimes(2) {
        subsets(draw, &ring)
    } else {
        (1..=primes.len()).map(|n| primes[..n].to_vec()).collect()
    };
    if draw.sometimes(3) {
        add_small(draw, &mut ring);
    }
    ring
}

/// Has the lowest levels in a ring of smaller degree, the highest of them once more in the main ring.
fn add_small(draw: &mut Draw<'_>, ring: &mut Ring) {
    if ring.log_n == *Ring::LOG_N.start() {
        return;
    }
    let levels = draw.between(1, ring.levels.len() as u32);
    if draw.sometimes(2)
        && let Some(row) = ring.levels.get(levels as usize - 1).cloned()
    {
        ring.levels.insert(levels as usize, row);
    }
    let special = ring.special.len() as u32;
    let special = special.saturating_sub(draw.below(2)).max(special.min(1));
    let primes = ring.key_row(Level(levels - 1));
    ring.small = Some(SmallRing {
        log_n: draw.between(*Ring::LOG_N.start(), ring.log_n - 1),
        levels,
        special,
        digits: primes
            .chunks((special as usize).max(1))
            .map(<[Prime]>::to_vec)
            .collect(),
    });
}

/// The largest prime below `bound` that is 1 modulo 2N and not used yet.
fn prime(log_n: u32, bound: u64, used: &mut Vec<u64>) -> u64 {
    let two_n = 2u64 << log_n;
    let mut candidate = (bound - 2) / two_n * two_n + 1;
    while used.contains(&candidate) || !primal_check::miller_rabin(candidate) {
        candidate -= two_n;
    }
    used.push(candidate);
    candidate
}

/// Rows that need not be nested, by ascending modulus.
fn subsets(draw: &mut Draw<'_>, ring: &Ring) -> Vec<Vec<Prime>> {
    let pool = ring.primes.len() as u32;
    let mut scratch = ring.clone();
    for _ in 0..draw.between(2, 6) {
        let mask = draw.between(1, (1 << pool) - 1);
        let mut row: Vec<Prime> = (0..pool)
            .filter(|i| mask >> i & 1 == 1)
            .map(Prime::new)
            .collect();
        let turn = draw.below(row.len() as u32) as usize;
        row.rotate_left(turn);
        scratch.levels.push(row);
    }
    let bits = |row: &Vec<Prime>| {
        let one = Ring {
            levels: vec![row.clone()],
            ..ring.clone()
        };
        one.level_bits(Level(0)).unwrap_or(0.0)
    };
    let mut rows = scratch.levels;
    rows.sort_by(|a, b| bits(a).total_cmp(&bits(b)));
    rows.dedup_by(|a, b| (bits(a) - bits(b)).abs() < 1e-3);
    rows
}
