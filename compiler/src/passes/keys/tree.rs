//! A group of rotations as a tree of steps that have keys.
//!
//! Nodes are offsets, the root is 0, and every edge is a rotation that has a key. For rotations of one value `x`, the node
//! `o` is `x` rotated by `o`. For terms of a sum, read towards the root, the node `o` is a partial sum that is still to be
//! rotated by `o`. Either way an edge is a key switch, and a node with children costs something once: the decomposition of
//! a rotated value, or the division by P of a partial sum.
//!
//! Finding the cheapest tree is a Steiner problem. This one is grown greedily: offsets that have keys hang at the root; then
//! each time the node that serves most of what is left; where none serves any, the shortest detour.

use peregrine_ir::Level;
use std::collections::BTreeSet;

/// The rotations that have keys, each up to a level.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// The level of each rotation's key.
    levels: Vec<Option<Level>>,
}

impl Held {
    pub(super) fn none(slots: u32) -> Self {
        Self {
            levels: vec![None; slots as usize],
        }
    }

    /// The level up to which a rotation has a key; `None` without a key.
    pub(super) fn level(&self, rotation: u32) -> Option<Level> {
        self.levels[rotation as usize]
    }

    pub(super) fn set(&mut self, rotation: u32, level: Option<Level>) {
        self.levels[rotation as usize] = level;
    }

    fn serves(&self, rotation: u32, level: Level) -> bool {
        self.level(rotation) >= Some(level)
    }

    fn serving(&self, level: Level) -> Vec<u32> {
        let held = (0..).zip(&self.levels);
        held.filter(|(_, held)| **held >= Some(level))
            .map(|(rotation, _)| rotation)
            .collect()
    }

    /// The sum `a + b` modulo the number of slots.
    fn sum(&self, a: u32, b: u32) -> u32 {
        (a + b) % self.slots()
    }

    /// The rotation from one offset to another.
    fn between(&self, from: u32, to: u32) -> u32 {
        (to + self.slots() - from) % self.slots()
    }

    fn slots(&self) -> u32 {
        (self.levels.len() as u32).max(1)
    }
}

/// An edge of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The offset of its end that is nearer to the root.
    pub(super) parent: u32,
    pub(super) child: u32,
    pub(super) rotation: u32,
}

/// A tree: the steps from 0 to every target, each after the step that leads to its parent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tree {
    pub(super) steps: Vec<Step>,
    /// The nodes with children, without the root.
    inner: BTreeSet<u32>,
}

impl Tree {
    /// The star over some targets: each is a child of the root.
    pub(super) fn star(targets: &[u32]) -> Self {
        let mut tree = Self::default();
        for &target in targets {
            tree.attach(0, target, target);
        }
        tree
    }

    /// Grows a tree over some targets in which no detour has more steps than `longest`; `None` where there is no such tree.
    pub(super) fn grow(targets: &[u32], level: Level, held: &Held, longest: u32) -> Option<Self> {
        let (direct, left): (Vec<u32>, Vec<u32>) =
            targets.iter().partition(|&&t| held.serves(t, level));
        let mut growth = Growth {
            tree: Self::star(&direct),
            left,
            level,
            held,
        };
        while !growth.left.is_empty() {
            if !growth.extend() && !growth.detour(longest) {
                return None;
            }
        }
        Some(growth.tree)
    }

    fn attach(&mut self, parent: u32, child: u32, rotation: u32) {
        self.steps.push(Step {
            parent,
            child,
            rotation,
        });
        if parent != 0 {
            self.inner.insert(parent);
        }
    }

    /// Whether every target is a child of the root.
    pub(super) fn is_direct(&self) -> bool {
        self.inner.is_empty()
    }

    /// The seconds of the tree, from those of an edge and of a node with children.
    pub(super) fn seconds(&self, edge: f64, inner: f64) -> f64 {
        self.steps.len() as f64 * edge + self.inner.len() as f64 * inner
    }

    /// The rotations of the edges, each once.
    pub(super) fn rotations(&self) -> BTreeSet<u32> {
        self.steps.iter().map(|step| step.rotation).collect()
    }

    /// The root, then the other nodes in the order in which they were attached.
    fn nodes(&self) -> impl Iterator<Item = u32> {
        std::iter::once(0).chain(self.steps.iter().map(|step| step.child))
    }
}

struct Growth<'h> {
    tree: Tree,
    left: Vec<u32>,
    level: Level,
    held: &'h Held,
}

impl Growth<'_> {
    /// The number of remaining targets that are one step from an offset.
    fn served(&self, from: u32) -> usize {
        let one_step = |&&to: &&u32| self.held.serves(self.held.between(from, to), self.level);
        self.left.iter().filter(one_step).count()
    }

    /// Attaches remaining targets to the node that serves most of them; to one that has children already if that serves any.
    fn extend(&mut self) -> bool {
        let mut best = None;
        for node in self.tree.nodes() {
            let served = self.served(node);
            let inner = self.tree.inner.contains(&node);
            if served > 0 && best.is_none_or(|(most, _)| (inner, served) > most) {
                best = Some(((inner, served), node));
            }
        }
        let Some((_, parent)) = best else {
            return false;
        };
        let (tree, level, held) = (&mut self.tree, self.level, self.held);
        self.left.retain(|&child| {
            let rotation = held.between(parent, child);
            let serves = held.serves(rotation, level);
            if serves {
                tree.attach(parent, child, rotation);
            }
            !serves
        });
        true
    }

    /// Adds the inner nodes of a shortest path, of two to `longest` steps, to one of the remaining targets.
    fn detour(&mut self, longest: u32) -> bool {
        let steps = self.held.serving(self.level);
        let mut came_by: Vec<Option<u32>> = vec![None; self.held.slots() as usize];
        let mut frontier: Vec<u32> = self.tree.nodes().collect();
        let known: BTreeSet<u32> = frontier.iter().copied().collect();
        for _ in 1..longest {
            let mut reached = Vec::new();
            let mut best = None;
            for &from in &frontier {
                for &rotation in &steps {
                    let to = self.held.sum(from, rotation);
                    let place = &mut came_by[to as usize];
                    if place.is_some() || known.contains(&to) {
                        continue;
                    }
                    *place = Some(rotation);
                    reached.push(to);
                    let served = self.served(to);
                    if served > 0 && best.is_none_or(|(most, _)| served > most) {
                        best = Some((served, to));
                    }
                }
            }
            if let Some((_, end)) = best {
                self.follow(end, &came_by);
                return true;
            }
            frontier = reached;
        }
        false
    }

    /// Attaches the path to an offset.
    fn follow(&mut self, end: u32, came_by: &[Option<u32>]) {
        let mut way = Vec::new();
        let mut at = end;
        while let Some(rotation) = came_by[at as usize] {
            way.push((at, rotation));
            at = self.held.between(rotation, at);
        }
        for (child, rotation) in way.into_iter().rev() {
            let parent = self.held.between(rotation, child);
            self.tree.attach(parent, child, rotation);
        }
    }
}
