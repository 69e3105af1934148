//! Trees: they reach every target, by keys that are there, without detours where none is needed.

use super::tree::{Held, Tree};
use peregrine_ir::Level;
use proptest::prelude::*;
use std::collections::BTreeSet;

const SLOTS: u32 = 4096;

fn held(keys: &[(u32, u32)]) -> Held {
    let mut held = Held::none(SLOTS);
    for &(rotation, level) in keys {
        held.set(rotation, Some(Level(level)));
    }
    held
}

/// Edges of the tree over these targets at level 1, as parent and child.
fn edges(targets: &[u32], keys: &[(u32, u32)], longest: u32) -> Option<Vec<[u32; 2]>> {
    let tree = Tree::grow(targets, Level(1), &held(keys), longest)?;
    Some(tree.steps.iter().map(|s| [s.parent, s.child]).collect())
}

#[test]
fn a_rotation_with_a_key_hangs_at_the_root() {
    let direct = [[0, 1], [0, 31], [0, 32]];
    let found = edges(&[1, 31, 32], &[(1, 1), (31, 2), (32, 1)], 8);
    assert_eq!(found.unwrap(), direct);
}

#[test]
fn one_without_a_key_hangs_at_the_node_that_serves_most() {
    // 32 = 31 + 1 is one step; 33 follows from it.
    let found = edges(&[1, 31, 32, 33], &[(1, 1), (31, 1)], 2);
    assert_eq!(found.unwrap(), [[0, 1], [0, 31], [1, 32], [32, 33]]);
    // Two targets are a step from 64, one from 128.
    let keys = [(64, 1), (128, 1), (1, 1), (2, 1)];
    let found = edges(&[64, 65, 66, 128, 129], &keys, 2).unwrap();
    assert_eq!(found[2..], [[64, 65], [64, 66], [128, 129]]);
}

#[test]
fn a_key_below_the_level_does_not_serve() {
    assert_eq!(edges(&[5], &[(5, 0)], 8), None);
    assert_eq!(edges(&[5], &[(5, 0), (4, 1), (1, 1)], 2).unwrap().len(), 2);
}

#[test]
fn detours_are_as_short_as_they_can_be_and_as_long_as_they_may() {
    let keys = [(1, 1), (10, 1)];
    assert_eq!(edges(&[12], &keys, 2), None);
    assert_eq!(edges(&[12], &keys, 3).unwrap().len(), 3);
    // Through the end of the slots.
    assert_eq!(edges(&[3], &[(SLOTS - 1, 1), (4, 1)], 2).unwrap().len(), 2);
}

proptest! {
    #[test]
    fn trees_reach_all_targets_by_keys(
        targets in proptest::collection::btree_set(1..SLOTS, 1..20),
        keys in proptest::collection::btree_map(1..SLOTS, 0u32..4, 1..30),
        own in 0usize..20,
        longest in 2u32..4,
    ) {
        let mut keys: Vec<(u32, u32)> = keys.into_iter().collect();
        keys.extend(targets.iter().take(own).map(|&t| (t, 1)));
        let held = held(&keys);
        let all: Vec<u32> = targets.iter().copied().collect();
        let Some(tree) = Tree::grow(&all, Level(1), &held, longest) else {
            prop_assert!(own < all.len());
            return Ok(());
        };
        let mut reached = BTreeSet::from([0]);
        for step in &tree.steps {
            prop_assert!(reached.contains(&step.parent), "{step:?} is out of order");
            prop_assert!(reached.insert(step.child), "{step:?} is reached twice");
            prop_assert_eq!((step.parent + step.rotation) % SLOTS, step.child);
            prop_assert!(held.level(step.rotation) >= Some(Level(1)));
        }
        prop_assert!(targets.is_subset(&reached));
        prop_assert!(tree.steps.len() <= all.len() * longest as usize);
        let parents: BTreeSet<u32> = tree.steps.iter().map(|s| s.parent).collect();
        let leaves = reached.difference(&parents);
        prop_assert!(leaves.into_iter().all(|leaf| targets.contains(leaf)), "a way to nowhere");
        prop_assert_eq!(tree.is_direct(), tree.steps.iter().all(|s| s.parent == 0));
    }
}
