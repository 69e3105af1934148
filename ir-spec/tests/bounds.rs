//! Bounds and provenance of the first example of `SPEC.md`.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use peregrine_ir::provenance::node_uses;
use peregrine_ir::stats::{Stats, key_bytes};
use peregrine_ir::{LayoutId, Level, Node, OperatorId, text, verify};
use std::collections::BTreeSet;

fn example() -> peregrine_ir::Verified {
    let spec = include_str!("../SPEC.md");
    let block = spec.split("```fhe\n").nth(1).unwrap();
    verify(text::parse(block.split("```").next().unwrap()).unwrap()).unwrap()
}

#[test]
fn a_convolution_is_measured_against_its_bound() {
    let circuit = example();
    let stats = Stats::of(&circuit);
    let [none, conv, square] = &stats.nodes[..] else {
        panic!("{} nodes", stats.nodes.len());
    };
    // Along each axis, the windows of the two outer pixels see two pixels, those of the two inner ones three.
    assert_eq!(conv.bounds.macs, 10 * 10);
    assert_eq!((conv.bounds.products, conv.bounds.least_products), (9, 7));
    assert_eq!(conv.bounds.product_ratio, Some(9.0 / 7.0));
    assert_eq!((conv.bounds.ciphertexts, conv.bounds.fill), (1, Some(1.0)));
    let keys = 8 * key_bytes(&circuit.ring, Level(2));
    assert_eq!(
        (conv.bounds.rotation_keys, conv.bounds.rotation_key_bytes),
        (8, keys)
    );
    // The key of the square is none for rotations.
    assert_eq!((square.bounds.macs, square.bounds.product_ratio), (0, None));
    assert_eq!(
        (square.bounds.ciphertexts, square.bounds.rotation_keys),
        (1, 0)
    );
    assert_eq!((none.bounds.products, none.bounds.ciphertexts), (0, 1));
    let total = stats.bounds;
    assert_eq!(
        (total.macs, total.products, total.least_products),
        (100, 9, 7)
    );
    assert_eq!((total.ciphertexts, total.rotation_key_bytes), (3, keys));
}

#[test]
fn nodes_know_their_operators_and_packings() {
    let uses = node_uses(&example());
    let layouts = BTreeSet::from([LayoutId(0)]);
    let conv = &uses[&Some(Node(0))];
    assert_eq!(conv.operators, BTreeSet::from([OperatorId(0)]));
    assert_eq!((&conv.inputs, &conv.outputs), (&layouts, &layouts));
    let square = &uses[&Some(Node(1))];
    assert!(square.operators.is_empty());
    assert_eq!((&square.inputs, &square.outputs), (&layouts, &layouts));
}
