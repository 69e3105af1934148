//! Which rotations of a circuit belong together.

use crate::passes::rebuild::uses;
use peregrine_ir::{Circuit, Inst, Level, Value};
use std::collections::BTreeMap;

/// How the rotations of a group share work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sharing {
    /// All of one value: they share its decomposition.
    Spread,
    /// All terms of one sum that nothing else uses: they share its division by P.
    Gather,
}

/// Rotations that are composed together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub(super) level: Level,
    pub(super) sharing: Sharing,
    /// Rotations, ascending, each once.
    pub(super) targets: Vec<u32>,
}

/// The value that is rotated, or the sum that is made. One value can be both.
pub(super) type Hub = (Sharing, Value);

/// The groups of a circuit.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) by_hub: BTreeMap<Hub, Group>,
    /// For every `rotate`, the hub of its group.
    pub(super) hub_of: BTreeMap<Value, Hub>,
}

impl Groups {
    /// Sorts the rotations of a circuit: where a value is rotated once only, and for a sum only, the sum is the hub.
    pub(super) fn of(circuit: &Circuit) -> Self {
        let sums = sums(circuit);
        let mut turned: BTreeMap<Value, Vec<(Value, u32)>> = BTreeMap::new();
        for (value, definition) in circuit.values.iter() {
            if let Inst::Rotate { a, rotation } = definition.inst {
                turned.entry(a).or_default().push((value, rotation.0));
            }
        }
        let mut groups = Self::default();
        for (a, rotations) in turned {
            let sum = match rotations.as_slice() {
                [(only, _)] => sums.get(only).copied(),
                _ => None,
            };
            let hub = sum.map_or((Sharing::Spread, a), |sum| (Sharing::Gather, sum));
            let group = groups.by_hub.entry(hub).or_insert_with(|| Group {
                level: circuit.values[a].ty.level(),
                sharing: hub.0,
                targets: Vec::new(),
            });
            for (value, rotation) in rotations {
                group.targets.push(rotation);
                groups.hub_of.insert(value, hub);
            }
        }
        for group in groups.by_hub.values_mut() {
            group.targets.sort_unstable();
            group.targets.dedup();
        }
        groups
    }
}

/// The sum that is the only use of a value, for all values that have such.
fn sums(circuit: &Circuit) -> BTreeMap<Value, Value> {
    let uses = uses(circuit);
    let mut sums = BTreeMap::new();
    for (sum, definition) in circuit.values.iter() {
        if let Inst::Add(terms) = &definition.inst {
            let once = terms.iter().filter(|&&v| uses[v] == 1);
            sums.extend(once.map(|&term| (term, sum)));
        }
    }
    sums
}
