//! Bounds and provenance of examples of `SPEC.md`.

use peregrine_ir::provenance::node_uses;
use peregrine_ir::stats::{Stats, key_bytes};
use peregrine_ir::{
    Inst, Key, KeyKind, LayoutId, Level, Node, Operator, OperatorId, RingId, text, verify,
};
use std::collections::BTreeSet;

/// The first example with this in it.
fn example(part: &str) -> peregrine_ir::Verified {
    let spec = include_str!("../../SPEC.md");
    let blocks = spec.split("```fhe\n").skip(1);
    let mut blocks = blocks.filter_map(|rest| Some(rest.split_once("```")?.0));
    let block = blocks.find(|block| block.contains(part)).unwrap();
    verify(text::parse(block).unwrap()).unwrap()
}

#[test]
fn a_convolution_is_measured_against_its_bound() {
    let circuit = example("%conv_square");
    let stats = Stats::of(&circuit);
    let [none, conv, square] = &stats.nodes[..] else {
        panic!("{} nodes", stats.nodes.len());
    };
    // Along each axis, the windows of the two outer pixels see two pixels, those of the two inner ones three.
    assert_eq!(conv.bounds.macs, 10 * 10);
    assert_eq!((conv.bounds.products, conv.bounds.least_products), (9, 7));
    assert_eq!(conv.bounds.product_ratio, Some(9.0 / 7.0));
    assert_eq!((conv.bounds.ciphertexts, conv.bounds.fill), (1, Some(1.0)));
    let keys = 8 * key_bytes(
        &circuit.rings,
        Key::within(RingId(0), KeyKind::Relinearization),
        Level(2),
    );
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
    let uses = node_uses(&example("%conv_square"));
    let layouts = BTreeSet::from([LayoutId(0)]);
    let conv = &uses[&Some(Node(0))];
    assert_eq!(conv.operators, BTreeSet::from([OperatorId(0)]));
    assert_eq!((&conv.inputs, &conv.outputs), (&layouts, &layouts));
    let square = &uses[&Some(Node(1))];
    assert!(square.operators.is_empty());
    assert_eq!((&square.inputs, &square.outputs), (&layouts, &layouts));
}

#[test]
fn products_with_single_numbers_are_of_their_operator() {
    let circuit = example("dot_scalar");
    let sum = circuit.values.values();
    let sum = sum.filter(|d| matches!(d.inst, Inst::DotScalar { .. }));
    let node = sum.map(|d| d.node).next().unwrap();
    let used = &node_uses(&circuit)[&node];
    assert!(!used.operators.is_empty());
    let written = used
        .operators
        .iter()
        .map(|&op| match circuit.operators.get(op) {
            Some(Operator::Linear { output, .. }) => *output,
            other => panic!("{other:?}"),
        });
    assert_eq!(used.outputs, written.collect());
    let stats = Stats::of(&circuit);
    assert_eq!(stats.bounds.products, stats.total.products());
    assert!(stats.bounds.product_ratio.unwrap() >= 1.0);
}
