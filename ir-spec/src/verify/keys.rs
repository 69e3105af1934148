//! Rules of evaluation keys: they suffice, and none is declared in vain.

use super::RingError;
use super::error::{Report, Subject};
use crate::circuit::{Circuit, Keys};
use crate::entity::{Prime, RingId};
use crate::key::{Key, KeyKind};
use crate::ring::{Level, RingTable, Rotation};

pub(crate) fn check(circuit: &Circuit, report: &mut Report) {
    check_declared(&circuit.rings, &circuit.keys, report);
    let required = circuit.required_keys();
    if circuit.keys.levels.is_empty() && !required.levels.is_empty() {
        check_gadget(&circuit.rings, circuit.rings.top_ring(), report);
    }
    for (&key, &declared) in &circuit.keys.levels {
        let subject = Subject::Key(key);
        match required.levels.get(&key) {
            None => report.push(subject, KeyError::Unused),
            Some(&highest) if highest != declared => {
                report.push(subject, KeyError::Highest { declared, highest });
            }
            Some(_) => {}
        }
    }
    check_uses(circuit, report);
}

/// Checks the declared keys by themselves, as a client can.
pub(crate) fn check_declared(ring: &RingTable, keys: &Keys, report: &mut Report) {
    for id in ring.rings.keys() {
        if keys.levels.keys().any(|key| key.to == id) {
            check_gadget(ring, id, report);
        }
    }
    for (&key, &level) in &keys.levels {
        let subject = Subject::Key(key);
        if ring.row(level).is_none() {
            let levels = ring.levels.len();
            report.push(subject, KeyError::NoLevel { level, levels });
        } else if ring.ring_of(level) != key.to {
            report.push(subject, KeyError::OtherRing { level });
        }
        let slots = ring.view(key.to).slots();
        match key.kind {
            KeyKind::Rotation(rotation) if rotation.0 == 0 || rotation.0 >= slots => {
                report.push(subject, KeyError::Rotation { rotation, slots });
            }
            KeyKind::RingSwitch | KeyKind::Raise(_) if ring.rings.get(key.from).is_none() => {
                report.push(subject, RingError::NoRing { ring: key.from });
            }
            KeyKind::RingSwitch | KeyKind::Raise(_) if !leads(ring, key) => {
                report.push(subject, KeyError::LeadsNowhere);
            }
            KeyKind::Raise(rotation) => {
                let slots = ring.view(key.from).slots();
                if rotation.0 >= slots {
                    report.push(subject, KeyError::RaiseRotation { rotation, slots });
                }
            }
            _ => {}
        }
    }
}

fn leads(ring: &RingTable, key: Key) -> bool {
    let secret = |id| ring.view(id).secret();
    let (from, to) = (secret(key.from), secret(key.to));
    match key.kind {
        KeyKind::Raise(_) => from.raises_to(to),
        _ => from.leads_to(to),
    }
}

/// Checks that P is at least the part of each digit that any level uses, because key switching adds noise in proportion
/// to (largest digit) / P.
fn check_gadget(ring: &RingTable, id: RingId, report: &mut Report) {
    let view = ring.view(id);
    if view.special().next().is_none() {
        report.push(Subject::Ring(id), KeyError::NoSpecialPrimes);
        return;
    }
    let special = view.special_bits();
    for (i, digit) in view.digits().iter().enumerate() {
        let used = |row: &[Prime]| {
            let primes = digit.iter().filter(|&p| row.contains(p));
            let primes = primes.filter_map(|&p| ring.primes.get(p));
            primes.map(|&p| (p as f64).log2()).sum::<f64>()
        };
        let rows = ring.levels_of(id).filter_map(|level| ring.row(level));
        let bits = rows.map(used).fold(0.0, f64::max);
        if bits > special {
            report.push(
                Subject::Digit(id, i as u32),
                KeyError::SmallSpecial { bits, special },
            );
        }
    }
}

/// Checks that every use has a key. [`KeyError::Highest`] is about a declared level below that of the use.
fn check_uses(circuit: &Circuit, report: &mut Report) {
    for (value, definition) in circuit.values.iter() {
        let Some((key, level)) = circuit.key(definition) else {
            continue;
        };
        if circuit.keys.levels.contains_key(&key) {
            continue;
        }
        let op = definition.inst.keyword();
        report.push(Subject::Value(value), KeyError::Missing { op, key, level });
    }
}

/// A rule of evaluation keys that is broken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences name every field")]
pub enum KeyError {
    #[error("key switching needs special primes, the ring has none")]
    NoSpecialPrimes,
    #[error(
        "has {bits:.1} bits at some level, more than the special primes together ({special:.1}): key switching would drown the message in noise"
    )]
    SmallSpecial { bits: f64, special: f64 },
    #[error("level {level} does not exist, there are {levels}")]
    NoLevel { level: Level, levels: usize },
    #[error("rotation {rotation} is not in 1..{slots}")]
    Rotation { rotation: Rotation, slots: u32 },
    #[error("rotation {rotation} is not in 0..{slots}")]
    RaiseRotation { rotation: Rotation, slots: u32 },
    #[error("no instruction uses it")]
    Unused,
    #[error("is declared at level {declared}, its highest use is at level {highest}")]
    Highest { declared: Level, highest: Level },
    #[error(
        "it leads to a ring of the same degree and the same kind of secret, or raises to one of smaller degree"
    )]
    LeadsNowhere,
    #[error("level {level} is not of the ring that the key is for")]
    OtherRing { level: Level },
    #[error("{op}: no {key} at level {level} is declared")]
    Missing {
        op: &'static str,
        key: Key,
        level: Level,
    },
}
