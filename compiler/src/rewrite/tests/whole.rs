//! Whole networks: what they become.

use super::net::{Net, coefficients, shape, words};
use super::simplified;
use crate::rewrite::{RewriteError, simplify};
use crate::tensor::Op;
use peregrine_ir::Tensor;

fn conv_bn_quadratic_twice() -> Net {
    let mut net = Net::new(1);
    let x = net.input(&[1, 2, 4, 4]);
    let c1 = net.conv("conv1", x, 3, 3);
    let b1 = net.bn("bn1", c1);
    let q1 = net.spelled_quadratic(b1);
    let c2 = net.conv("conv2", q1, 2, 3);
    let b2 = net.bn("bn2", c2);
    let q2 = net.spelled_quadratic(b2);
    let flat = net.flatten(q2);
    let fc = net.gemm("fc", flat, 5);
    net.output(fc);
    net
}

#[test]
fn a_network_of_quadratics_is_left_with_squares() {
    let net = conv_bn_quadratic_twice();
    let (simple, _) = simplified(&net.graph);
    assert_eq!(
        words(&simple),
        ["input", "conv2d", "p2", "conv2d", "p2", "contract"]
    );
    // The constant before the padded convolution stays there.
    assert_eq!(coefficients(&simple, 2)[1..], [[0.0], [1.0]]);
    assert_eq!(coefficients(&simple, 4), [[0.0], [0.0], [1.0]]);
    let first = simple.node(petgraph::graph::NodeIndex::new(1));
    assert_eq!(simple.sources[first.source.0 as usize].name, "bn1");
    let Op::Linear { map, .. } = &first.op else {
        panic!("a convolution")
    };
    let weight = simple.tensors.get(map.weight().unwrap()).unwrap();
    assert!(
        weight.name.starts_with("conv1.weight*bn1"),
        "{}",
        weight.name
    );
}

#[test]
fn simplifying_twice_does_nothing_more() {
    let net = conv_bn_quadratic_twice();
    let (once, _) = simplify(&net.graph).unwrap();
    let (twice, report) = simplify(&once).unwrap();
    assert!(report.is_empty(), "{report}");
    assert_eq!(words(&once), words(&twice));
    assert_eq!(once.tensors, twice.tensors);
}

#[test]
fn nothing_to_do_is_identity() {
    let mut net = Net::new(2);
    let x = net.input(&[1, 2, 4, 4]);
    let c = net.conv("conv", x, 3, 3);
    let q = net.polynomial(c, &[0.0, 0.0, 1.0]);
    let fc = net.gemm("fc", q, 3);
    net.output(fc);
    let (simple, report) = simplify(&net.graph).unwrap();
    assert!(report.is_empty(), "{report}");
    assert_eq!(words(&simple), words(&net.graph));
    assert_eq!(simple.tensors, net.graph.tensors);
}

#[test]
fn equal_graphs_give_equal_results() {
    let run = || {
        let (graph, report) = simplify(&conv_bn_quadratic_twice().graph).unwrap();
        let names: Vec<Tensor> = graph.tensors.values().cloned().collect();
        (words(&graph), names, report)
    };
    assert_eq!(run(), run());
}

/// Signs of the leading coefficients differ between channels and blocks.
#[test]
fn no_channel_keeps_another_sign() {
    let mut net = Net::new(9);
    let x = net.input(&[1, 2, 4, 4]);
    let mut y = net.conv("conv0", x, 2, 3);
    for signs in [[1.0, -1.0], [-1.0, -1.0], [-1.0, 1.0]] {
        let a = net.constant("a", &[2, 1, 1], signs.map(|s| 0.25 * s).to_vec());
        let zero = net.constant("zero", &[], vec![0.0]);
        y = net.polynomial_of("", y, vec![zero, zero, a]);
        let branch = net.conv("conv", y, 2, 3);
        y = net.add(&[branch, y]);
    }
    let y = net.gemm("fc", y, 3);
    net.output(y);
    let (simple, _) = simplified(&net.graph);
    for (at, word) in words(&simple).iter().enumerate() {
        if word == "p2" {
            let square = [[0.0], [0.0], [1.0]];
            assert_eq!(coefficients(&simple, at), square, "node {at}");
        }
    }
}

/// Residual blocks, the second one with a shortcut that subsamples and pads channels: the polynomial of each block feeds
/// a convolution and a sum.
#[test]
fn polynomials_of_residual_blocks_become_squares() {
    let mut net = Net::new(3);
    let x = net.input(&[1, 2, 4, 4]);
    let first = net.conv("conv0", x, 2, 3);
    let bn = net.bn("bn0", first);
    let mut y = net.spelled_quadratic(bn);
    for width in [2, 4, 4] {
        let mut a = net.conv("a", y, width, 3);
        let wider = net.shape_of(y).dims()[1] < width;
        if wider {
            a = net.pool(a, 2);
            y = net.subsample(y);
        }
        let a = net.bn("bn_a", a);
        let a = net.spelled_quadratic(a);
        let b = net.conv("b", a, width, 3);
        let b = net.bn("bn_b", b);
        let sum = net.add(&[b, y]);
        y = net.spelled_quadratic(sum);
    }
    let pooled = net.pool(y, 2);
    let fc = net.gemm("fc", pooled, 3);
    net.output(fc);
    let (simple, _) = simplified(&net.graph);
    let block = ["conv2d", "p2", "conv2d", "add", "p2"];
    let wider = [
        "conv2d",
        "average_pool",
        "gather",
        "p2",
        "conv2d",
        "add",
        "p2",
    ];
    let mut expected = vec!["input", "conv2d", "p2"];
    expected.extend(block);
    expected.extend(wider);
    expected.extend(block);
    expected.extend(["conv2d", "reshape"]);
    assert_eq!(words(&simple), expected);
    for (at, word) in words(&simple).iter().enumerate() {
        if word == "p2" {
            assert_eq!(coefficients(&simple, at)[1..], [[0.0], [1.0]], "node {at}");
        }
    }
}

#[test]
fn dead_nodes_go_and_inputs_stay() {
    let mut net = Net::new(4);
    let x = net.input(&[1, 3]);
    let unused = net.input(&[1, 2]);
    let dead = net.scale(unused, 2.0);
    net.polynomial(dead, &[1.0, 1.0]);
    let y = net.gemm("fc", x, 2);
    net.output(y);
    let (simple, _) = simplified(&net.graph);
    assert_eq!(words(&simple), ["input", "input", "contract"]);
}

#[test]
fn a_shared_value_is_computed_once() {
    let mut net = Net::new(5);
    let x = net.input(&[1, 4]);
    let h = net.gemm("fc1", x, 4);
    let q = net.spelled_quadratic(h);
    let r = net.spelled_quadratic(q);
    let s = net.gemm("fc2", q, 4);
    let sum = net.add(&[r, s]);
    net.output(sum);
    net.output(q);
    let (simple, _) = simplified(&net.graph);
    assert_eq!(
        words(&simple),
        ["input", "contract", "p2", "p2", "contract", "add"]
    );
}

#[test]
fn a_polynomial_negligible_in_a_channel_is_left_alone() {
    let mut net = Net::new(6);
    let x = net.input(&[1, 2]);
    let h = net.gemm("fc1", x, 2);
    let one = net.constant("one", &[], vec![1.0]);
    let a = net.constant("a", &[2], vec![0.5, 0.0]);
    let q = net.polynomial_of("", h, vec![one, one, a]);
    let y = net.gemm("fc2", q, 2);
    net.output(y);
    let (simple, _) = simplified(&net.graph);
    assert_eq!(words(&simple), ["input", "contract", "p2", "contract"]);
    assert_eq!(coefficients(&simple, 2)[2], [0.5, 0.0]);
}

#[test]
fn a_weight_that_would_overflow_refuses_the_rule() {
    let mut net = Net::new(7);
    let x = net.input(&[1, 2]);
    let h = net.gemm("fc1", x, 2);
    let big = net.scale(h, 1e300);
    let huge = net.scale(big, 1e300);
    net.output(huge);
    let (simple, _) = simplify(&net.graph).unwrap();
    assert_eq!(words(&simple), ["input", "contract", "p1"]);
}

#[test]
fn a_malformed_graph_is_refused_by_name() {
    let mut net = Net::new(8);
    let x = net.input(&[1, 2]);
    let y = net.node("bad", Op::Reshape, shape(&[1, 3]), &[x]);
    net.output(y);
    let error = simplify(&net.graph).unwrap_err();
    assert!(matches!(error, RewriteError::Size { .. }));
    assert_eq!(
        error.to_string(),
        "`bad` reads an operand of shape [1, 2] where [1, 3] is expected"
    );
}
