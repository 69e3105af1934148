//! Evaluation keys: they suffice, and none is declared in vain.

use super::error::{Report, Subject};
use crate::circuit::{Circuit, Keys};
use crate::entity::Prime;
use crate::inst::KeyKind;
use crate::ring::{Level, Ring, Rotation};

pub(crate) fn check(circuit: &Circuit, report: &mut Report) {
    check_declared(&circuit.ring, &circuit.keys, report);
    let required = circuit.required_keys();
    if circuit.keys.levels.is_empty() && !required.levels.is_empty() {
        check_gadget(&circuit.ring, report);
    }
    for (&kind, &declared) in &circuit.keys.levels {
        let subject = Subject::Key(kind);
        match required.levels.get(&kind) {
            None => report.push(subject, KeyError::Unused),
            Some(&highest) if highest != declared => {
                report.push(subject, KeyError::Highest { declared, highest });
            }
            Some(_) => {}
        }
    }
    check_uses(circuit, report);
}

/// The keys by themselves: what a client can check.
pub(crate) fn check_declared(ring: &Ring, keys: &Keys, report: &mut Report) {
    if !keys.levels.is_empty() {
        check_gadget(ring, report);
    }
    for (&kind, &level) in &keys.levels {
        if ring.row(level).is_none() {
            let levels = ring.levels.len();
            report.push(Subject::Key(kind), KeyError::NoLevel { level, levels });
        }
        if let KeyKind::Rotation(rotation) = kind
            && (rotation.0 == 0 || rotation.0 >= ring.slots())
        {
            let slots = ring.slots();
            report.push(Subject::Key(kind), KeyError::Rotation { rotation, slots });
        }
    }
}

/// Key switching adds noise proportional to (largest digit) / P, so P must outweigh what any level uses of a digit.
fn check_gadget(ring: &Ring, report: &mut Report) {
    if ring.special.is_empty() {
        report.push(Subject::Ring, KeyError::NoSpecialPrimes);
        return;
    }
    let special = ring.special_bits();
    for (i, digit) in ring.digits.iter().enumerate() {
        let used = |row: &Vec<Prime>| {
            let primes = digit.iter().filter(|&p| row.contains(p));
            let primes = primes.filter_map(|&p| ring.primes.get(p));
            primes.map(|&p| (p as f64).log2()).sum::<f64>()
        };
        let bits = ring.levels.iter().map(used).fold(0.0, f64::max);
        if bits > special {
            report.push(
                Subject::Digit(i as u32),
                KeyError::SmallSpecial { bits, special },
            );
        }
    }
}

/// Every use has a key. That its level is not below the use is [`KeyError::Highest`]'s concern.
fn check_uses(circuit: &Circuit, report: &mut Report) {
    for (value, definition) in circuit.values.iter() {
        let Some(kind) = definition.inst.key() else {
            continue;
        };
        if circuit.keys.levels.contains_key(&kind) {
            continue;
        }
        let op = definition.inst.keyword();
        let mut level = definition.ty.level();
        definition.inst.for_each_operand(|v| {
            level = level.max(circuit.type_of(v).map_or(level, |ty| ty.level()));
        });
        report.push(Subject::Value(value), KeyError::Missing { op, kind, level });
    }
}

/// What is wrong with the keys.
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
    #[error("no instruction uses it")]
    Unused,
    #[error("is declared at level {declared}, its highest use is at level {highest}")]
    Highest { declared: Level, highest: Level },
    #[error("{op}: no {} at level {level} is declared", name(*.kind))]
    Missing {
        op: &'static str,
        kind: KeyKind,
        level: Level,
    },
}

fn name(kind: KeyKind) -> String {
    Subject::Key(kind).to_string()
}
