//! Toy rings with real primes.

use super::Draw;
use crate::entity::{Entity, Prime, RingId};
use crate::ring::{LevelSpec, RingSpec, RingTable, SecretKind};

/// Rings whose special primes outweigh their digits; a quarter of them have none. Up to three of descending degree, and one of the first
/// degree with a sparse secret.
pub(super) fn ring(draw: &mut Draw<'_>) -> RingTable {
    let log_n = draw.between(3, 6);
    let special = [2, 1, 3, 0][draw.below(4) as usize];
    let pool = draw.between(2, 6);
    let mut ring = RingTable {
        unit_bits: *draw.pick(&[20, 12, 30, 0, 1]),
        ..RingTable::default()
    };
    let mut used = Vec::new();
    for _ in 0..pool {
        let bits = draw.between(22, 45);
        ring.primes.push(prime(log_n, 1 << bits, &mut used));
    }
    for _ in 0..special {
        ring.special
            .push(prime(log_n, RingTable::MAX_PRIME, &mut used));
    }
    let primes: Vec<Prime> = ring.primes.keys().collect();
    let rows = match draw.sometimes(2) {
        true => subsets(draw, &ring),
        false => (1..=primes.len()).map(|n| primes[..n].to_vec()).collect(),
    };
    let id = ring.rings.push(RingSpec {
        secret: SecretKind::Ternary,
        log_n,
        special: ring.special.keys().collect(),
        digits: Vec::new(),
    });
    let level = |primes| LevelSpec { ring: id, primes };
    ring.levels = rows.into_iter().map(level).collect();
    for _ in 0..2 {
        if draw.sometimes(3) {
            add_smaller(draw, &mut ring);
        }
    }
    if draw.sometimes(4) {
        add_sparse(draw, &mut ring);
    }
    for id in ring.rings.keys() {
        // A digit of as many primes of 45 bits as there are special primes of 49 bits is lighter than these.
        let widest = ring.view(id).special_count().max(1);
        let digits = ring.primes_of(id);
        if let Some(spec) = ring.rings.get_mut(id) {
            spec.digits = digits.chunks(widest).map(<[Prime]>::to_vec).collect();
        }
    }
    ring
}

/// Moves the lowest levels to a ring of smaller degree. The highest of them may stay in its ring, too.
fn add_smaller(draw: &mut Draw<'_>, ring: &mut RingTable) {
    let lowest = ring.levels.first().map(|level| level.ring);
    let (from, id) = (lowest.unwrap_or(RingId(0)), ring.rings.next_key());
    let (log_n, least) = (ring.view(from).log_n(), *RingTable::LOG_N.start());
    if log_n == least {
        return;
    }
    let of_from = ring.levels_of(from).count() as u32;
    let levels = draw.between(1, of_from) as usize;
    if draw.sometimes(2)
        && let Some(level) = ring.levels.get(levels - 1).cloned()
    {
        ring.levels.insert(levels, level);
    }
    let moved = ring.levels.iter_mut().take(levels);
    moved.for_each(|level| level.ring = id);
    let mut special = ring
        .rings
        .get(from)
        .map_or_else(Vec::new, |spec| spec.special.clone());
    if special.len() > 1 && draw.sometimes(2) {
        special.remove(draw.below(special.len() as u32) as usize);
    }
    ring.rings.push(RingSpec {
        secret: SecretKind::Ternary,
        log_n: draw.between(least, log_n - 1),
        special,
        digits: Vec::new(),
    });
}

/// Adds a ring like the first one with a sparse secret: its levels are the lowest and the highest of the first.
fn add_sparse(draw: &mut Draw<'_>, ring: &mut RingTable) {
    let (first, id) = (RingId(0), ring.rings.next_key());
    let levels: Vec<usize> = ring
        .levels_of(first)
        .map(|level| level.0 as usize)
        .collect();
    let (Some(&lowest), Some(&highest)) = (levels.first(), levels.last()) else {
        return;
    };
    let Some(spec) = ring.rings.get(first).cloned() else {
        return;
    };
    let weight = draw.between(1, 1 << spec.log_n);
    let secret = SecretKind::Sparse { weight };
    ring.rings.push(RingSpec { secret, ..spec });
    let sparse = |at: usize| {
        let primes = ring.levels[at].primes.clone();
        LevelSpec { ring: id, primes }
    };
    let (low, high) = (sparse(lowest), sparse(highest));
    if lowest != highest {
        ring.levels.push(high);
    }
    ring.levels.insert(lowest, low);
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

/// Rows of primes by ascending modulus, nested or not.
fn subsets(draw: &mut Draw<'_>, ring: &RingTable) -> Vec<Vec<Prime>> {
    let pool = ring.primes.len() as u32;
    let mut rows: Vec<Vec<Prime>> = Vec::new();
    for _ in 0..draw.between(2, 6) {
        let mask = draw.between(1, (1 << pool) - 1);
        let mut row: Vec<Prime> = (0..pool)
            .filter(|i| mask >> i & 1 == 1)
            .map(Prime::new)
            .collect();
        let turn = draw.below(row.len() as u32) as usize;
        row.rotate_left(turn);
        rows.push(row);
    }
    let bits = |row: &Vec<Prime>| -> f64 {
        let values = row.iter().filter_map(|&p| ring.primes.get(p));
        values.map(|&p| (p as f64).log2()).sum()
    };
    rows.sort_by(|a, b| bits(a).total_cmp(&bits(b)));
    rows.dedup_by(|a, b| (bits(a) - bits(b)).abs() < 1e-3);
    rows
}
