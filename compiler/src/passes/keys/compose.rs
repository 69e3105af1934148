//! The rewriting: the rotations of each group are composed as its tree says.

use super::groups::{Groups, Hub, Sharing};
use super::tree::Tree;
use crate::passes::rebuild::Rebuild;
use peregrine_ir::{Arena, Circuit, Definition, Inst, Rotation, TypeError, Value};
use std::collections::BTreeMap;

/// The circuit with the groups of these hubs composed as their trees say.
pub(super) fn compose(
    circuit: Circuit,
    groups: &Groups,
    trees: &BTreeMap<Hub, Tree>,
) -> Result<Circuit, TypeError> {
    let (rebuild, old) = Rebuild::new(circuit);
    let mut composer = Composer {
        old: &old,
        groups,
        trees,
        rebuild,
        turned: BTreeMap::new(),
    };
    for (value, definition) in old.iter() {
        composer.rebuild.begin(value, definition)?;
        if let Some(new) = composer.visit(value, definition)? {
            composer.rebuild.set(value, new);
        }
    }
    composer.rebuild.finish()
}

struct Composer<'c> {
    old: &'c Arena<Value, Definition>,
    groups: &'c Groups,
    trees: &'c BTreeMap<Hub, Tree>,
    rebuild: Rebuild,
    /// The new values of rotations, intermediate ones included, by old value and offset.
    turned: BTreeMap<(Value, u32), Value>,
}

impl Composer<'_> {
    /// Visits a value and returns its new name; `None` for a term of a sum that has not been visited.
    fn visit(&mut self, value: Value, definition: &Definition) -> Result<Option<Value>, TypeError> {
        match &definition.inst {
            Inst::Rotate { a, rotation } => {
                let hub = self.groups.hub_of.get(&value);
                match hub.and_then(|&hub| Some((self.trees.get(&hub)?, hub))) {
                    Some((tree, (Sharing::Spread, _))) => self.turn(*a, rotation.0, tree).map(Some),
                    Some((_, (Sharing::Gather, _))) => Ok(None),
                    None => self.rebuild.copy(definition).map(Some),
                }
            }
            Inst::Add(terms) => {
                let hub = (Sharing::Gather, value);
                match self.trees.get(&hub) {
                    Some(tree) => self.gather(hub, terms, tree).map(Some),
                    None => self.rebuild.copy(definition).map(Some),
                }
            }
            _ => self.rebuild.copy(definition).map(Some),
        }
    }

    fn rotate(&mut self, a: Value, rotation: u32) -> Result<Value, TypeError> {
        self.rebuild.builder().push(Inst::Rotate {
            a,
            rotation: Rotation(rotation),
        })
    }

    /// The value `a` rotated to an offset of the tree.
    fn turn(&mut self, a: Value, offset: u32, tree: &Tree) -> Result<Value, TypeError> {
        let mut way = Vec::new();
        let mut at = offset;
        let mut turned = loop {
            if let Some(&known) = self.turned.get(&(a, at)) {
                break known;
            }
            match tree.steps.iter().find(|step| step.child == at) {
                Some(step) => {
                    way.push(step);
                    at = step.parent;
                }
                None => break self.rebuild.new_name(a)?,
            }
        };
        for step in way.into_iter().rev() {
            turned = self.rotate(turned, step.rotation)?;
            self.turned.insert((a, step.child), turned);
        }
        Ok(turned)
    }

    /// A sum whose terms are added to partial sums on the way of their rotations.
    fn gather(&mut self, hub: Hub, terms: &[Value], tree: &Tree) -> Result<Value, TypeError> {
        let mut at_node: BTreeMap<u32, Vec<Value>> = BTreeMap::new();
        for &term in terms {
            let (offset, value) = match &self.old[term].inst {
                Inst::Rotate { a, rotation } if self.groups.hub_of.get(&term) == Some(&hub) => {
                    (rotation.0, *a)
                }
                _ => (0, term),
            };
            let new = self.rebuild.new_name(value)?;
            at_node.entry(offset).or_default().push(new);
        }
        for step in tree.steps.iter().rev() {
            let parts = at_node.remove(&step.child).unwrap_or_default();
            let sum = self.sum(parts)?;
            let turned = self.rotate(sum, step.rotation)?;
            at_node.entry(step.parent).or_default().push(turned);
        }
        self.sum(at_node.remove(&0).unwrap_or_default())
    }

    fn sum(&mut self, parts: Vec<Value>) -> Result<Value, TypeError> {
        match parts.as_slice() {
            [only] => Ok(*only),
            _ => self.rebuild.builder().push(Inst::Add(parts)),
        }
    }
}
