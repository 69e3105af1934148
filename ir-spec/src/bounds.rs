//! Bounds on a plan: what each node computes, beside the least work that any packing needs.

use crate::circuit::{Circuit, Operator};
use crate::entity::{Entity, LayoutId, Node, OperatorId};
use crate::key::{Key, KeyKind};
use crate::layout::Layout;
use crate::provenance::{NodeUse, node_uses};
use crate::stats::{Counts, key_bytes};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

/// The work of a node or of a circuit, beside the least work that any packing needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Bounds {
    /// Multiply-accumulates of its linear operators: structurally nonzero entries of their matrices.
    pub macs: u64,
    /// Products of a ciphertext with a plaintext or a scalar.
    pub products: u64,
    /// The least number of products for `macs`, with one multiply-accumulate in every slot of every product: `ceil(macs /
    /// slots)`.
    pub least_products: u64,
    /// `products` over `least_products`; none without linear operators. In a total, the products of nodes without linear
    /// operators do not count.
    pub product_ratio: Option<f64>,
    /// Ciphertexts of the node's result.
    pub ciphertexts: u64,
    /// Share of the result's slots that hold an element, replicas included, 0 to 1; none where the packing does not
    /// follow from the circuit.
    pub fill: Option<f64>,
    /// Rotation keys that the node uses.
    pub rotation_keys: u64,
    /// Bytes of these rotation keys in a file.
    pub rotation_key_bytes: u64,
}

/// The bounds of every node and of the whole circuit.
pub(crate) struct AllBounds {
    pub(crate) nodes: BTreeMap<Option<Node>, Bounds>,
    pub(crate) total: Bounds,
}

impl AllBounds {
    pub(crate) fn of(circuit: &Circuit) -> Self {
        let uses = node_uses(circuit);
        let mut work: BTreeMap<Option<Node>, Work> = BTreeMap::new();
        let own = circuit.values.values().map(|definition| Work {
            products: Counts::of(&definition.inst).products(),
            keys: circuit
                .key(definition)
                .map(|(key, _)| key)
                .into_iter()
                .collect(),
        });
        let all = circuit.with_calls(own.collect());
        for (value, definition) in circuit.definitions(circuit.main()) {
            let entry = work.entry(definition.node).or_default();
            *entry += all.get(value.index()).cloned().unwrap_or_default();
        }
        let nodes: BTreeMap<_, Bounds> = work
            .iter()
            .map(|(&node, work)| {
                let none = NodeUse::default();
                let used = uses.get(&node).unwrap_or(&none);
                (node, work.bounds(circuit, used))
            })
            .collect();
        let keys = work.into_values().flat_map(|work| work.keys).collect();
        let total = total(circuit, nodes.values(), &keys);
        Self { nodes, total }
    }
}

/// The work of the instructions of a node.
#[derive(Clone, Default)]
struct Work {
    products: u64,
    keys: BTreeSet<Key>,
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.products += other.products;
        self.keys.extend(other.keys);
    }
}

impl Work {
    fn bounds(&self, circuit: &Circuit, used: &NodeUse) -> Bounds {
        let macs = used.operators.iter().map(|&op| macs(circuit, op)).sum();
        let operators = used.operators.iter();
        let results = operators.filter_map(|&op| Some(circuit.operators.get(op)?.result()));
        let slots = results.filter_map(|layout| circuit.layouts.get(layout).map(Layout::slots));
        let slots = slots
            .max()
            .unwrap_or(circuit.rings.view(circuit.rings.top_ring()).slots());
        let least_products = u64::div_ceil(macs, slots.max(1).into());
        let layouts = layouts(circuit, &used.outputs);
        let (rotation_keys, rotation_key_bytes) = rotation_keys(circuit, &self.keys);
        Bounds {
            macs,
            products: self.products,
            least_products,
            product_ratio: ratio(self.products, least_products),
            ciphertexts: layouts.iter().map(|l| u64::from(l.ciphertexts())).sum(),
            fill: fill(layouts.iter().map(|l| (l.ciphertexts().into(), l.fill()))),
            rotation_keys,
            rotation_key_bytes,
        }
    }
}

/// Multiply-accumulates of an operator: the structurally nonzero entries of its matrix. A broadcast has none.
pub fn macs(circuit: &Circuit, operator: OperatorId) -> u64 {
    match circuit.operators.get(operator) {
        Some(Operator::Linear { map, .. }) => {
            map.bind(&circuit.tensors).map_or(0, |bound| bound.macs())
        }
        Some(Operator::Broadcast { .. }) | None => 0,
    }
}

fn layouts<'c>(circuit: &'c Circuit, ids: &BTreeSet<LayoutId>) -> Vec<&'c Layout> {
    let layouts = ids.iter().filter_map(|&id| circuit.layouts.get(id));
    layouts.collect()
}

fn ratio(products: u64, least: u64) -> Option<f64> {
    (least > 0).then(|| products as f64 / least as f64)
}

/// The mean fill of groups of ciphertexts, each given as (number of ciphertexts, fill).
fn fill(parts: impl Iterator<Item = (u64, f64)>) -> Option<f64> {
    let (all, filled) = parts.fold((0, 0.0), |(all, filled), (count, fill)| {
        (all + count, filled + count as f64 * fill)
    });
    (all > 0).then(|| filled / all as f64)
}

/// The number of rotation keys among `used`, and their bytes at the levels they are declared for.
fn rotation_keys(circuit: &Circuit, used: &BTreeSet<Key>) -> (u64, u64) {
    let rotations = used
        .iter()
        .filter(|key| matches!(key.kind, KeyKind::Rotation(_)));
    rotations.fold((0, 0), |(count, bytes), key| {
        let level = circuit.keys.levels.get(key);
        let size = level.map_or(0, |&level| key_bytes(&circuit.rings, *key, level));
        (count + 1, bytes + size)
    })
}

fn total<'b>(
    circuit: &Circuit,
    nodes: impl Iterator<Item = &'b Bounds> + Clone,
    keys: &BTreeSet<Key>,
) -> Bounds {
    let sum = |part: fn(&Bounds) -> u64| nodes.clone().map(part).sum::<u64>();
    let linear = sum(|b| if b.macs > 0 { b.products } else { 0 });
    let least_products = sum(|b| b.least_products);
    let filled = nodes.clone().filter_map(|b| Some((b.ciphertexts, b.fill?)));
    let (rotation_keys, rotation_key_bytes) = rotation_keys(circuit, keys);
    Bounds {
        macs: sum(|b| b.macs),
        products: sum(|b| b.products),
        least_products,
        product_ratio: ratio(linear, least_products),
        ciphertexts: sum(|b| b.ciphertexts),
        fill: fill(filled),
        rotation_keys,
        rotation_key_bytes,
    }
}
