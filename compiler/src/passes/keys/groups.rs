//! Groups: the rotations of a circuit that are composed together.

use crate::passes::rebuild::uses;
use peregrine_ir::{Circuit, Inst, Level, Value};
use std::collections::BTreeMap;

/// The work that the rotations of a group share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sharing {
    /// Rotations of one value, which share its decomposition.
    Spread,
    /// Rotations that are terms of one sum and have no other use, which share its division by P.
    Gather,
}

/// Rotations that are composed together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub(super) level: Level,
    pub(super) sharing: Sharing,
    /// The rotations, ascending, each once.
    pub(super) targets: Vec<u32>,
}

/// The hub of a group: the value that is rotated, or the sum that is made. One value can be both.
pub(super) type Hub = (Sharing, Value);

/// The groups of all rotations of a circuit.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) by_hub: BTreeMap<Hub, Group>,
    /// The hub of the group that each `rotate` belongs to.
    pub(super) hub_of: BTreeMap<Value, Hub>,
}

impl Groups {
    /// Groups the rotations of a circuit. The hub is the rotated value; it is the sum where a value is rotated once
    /// only, for a sum only.
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

/// For each value whose only use is a sum, that sum.
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
