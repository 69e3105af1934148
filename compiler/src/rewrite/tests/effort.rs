//! Simplification takes effort in proportion to the length of a network, by counted steps.

use super::net::{Net, shape, words};
use super::simplify;
use crate::tensor::Op;
use petgraph::graph::NodeIndex;

/// What logarithms may add to four times the effort for four times the blocks.
const SLACK: f64 = 1.3;

/// Appends a number of blocks to a value.
type Build = fn(&mut Net, NodeIndex, usize) -> NodeIndex;

/// The effort for a network of so many blocks, and the operators that are left.
fn effort(build: Build, blocks: usize) -> (u64, Vec<String>) {
    let mut net = Net::new(3);
    let x = net.input(&[1, 2, 3, 3]);
    let y = build(&mut net, x, blocks);
    net.output(y);
    let (simple, report) = simplify(&net.graph).unwrap();
    (report.effort(), words(&simple))
}

fn grows_linearly(build: Build) -> Vec<String> {
    let (short, _) = effort(build, 100);
    let (long, words) = effort(build, 400);
    let growth = long as f64 / short as f64;
    assert!(
        growth <= 4.0 * SLACK,
        "{short} steps become {long} for four times the blocks"
    );
    words
}

/// A number close to one.
fn factor(net: &mut Net) -> f64 {
    1.0 + 0.01 * net.random()
}

fn affine(net: &mut Net, x: NodeIndex) -> NodeIndex {
    let factor = factor(net);
    let scaled = net.scale(x, factor);
    let shift = 0.01 * net.random();
    net.polynomial(scaled, &[shift, 1.0])
}

fn reshaped(net: &mut Net, x: NodeIndex, dims: &[u32]) -> NodeIndex {
    net.node("", Op::Reshape, shape(dims), &[x])
}

#[test]
fn factors_and_constants_in_a_row() {
    let words = grows_linearly(|net, x, n| (0..n).fold(x, |x, _| affine(net, x)));
    assert_eq!(words, ["input", "p1"]);
}

#[test]
fn factors_per_channel_in_a_row() {
    let words = grows_linearly(|net, x, n| (0..n).fold(x, |x, _| net.bn("bn", x)));
    assert_eq!(words, ["input", "p1"]);
}

#[test]
fn factors_after_a_convolution() {
    let words = grows_linearly(|net, x, n| {
        let x = net.conv("conv", x, 3, 1);
        (0..n).fold(x, |x, _| affine(net, x))
    });
    assert_eq!(words, ["input", "conv2d"]);
}

#[test]
fn reshapes_between_factors() {
    let words = grows_linearly(|net, x, n| {
        (0..n).fold(x, |x, _| {
            let x = affine(net, x);
            let x = reshaped(net, x, &[1, 18]);
            let x = affine(net, x);
            reshaped(net, x, &[1, 2, 3, 3])
        })
    });
    assert_eq!(words, ["input", "p1"]);
}

#[test]
fn sums_of_two_branches() {
    let words = grows_linearly(|net, x, n| {
        (0..n).fold(x, |x, _| {
            let (a, b) = (net.scale(x, 0.4), net.scale(x, 0.7));
            net.add(&[a, b])
        })
    });
    assert_eq!(words, ["input", "p1"]);
}

#[test]
fn sums_with_what_came_before() {
    let words = grows_linearly(|net, x, n| {
        (0..n).fold(x, |x, _| {
            let a = net.scale(x, 0.01);
            net.add(&[x, a])
        })
    });
    assert_eq!(words, ["input", "p1"]);
}

#[test]
fn quadratics_in_a_row() {
    grows_linearly(|net, x, n| {
        (0..n).fold(x, |x, _| {
            let square = net.multiply(x, x);
            let square = net.scale(square, 0.1);
            let half = net.scale(x, 0.5);
            net.add(&[square, half])
        })
    });
}

#[test]
fn residual_blocks() {
    grows_linearly(|net, x, n| {
        (0..n).fold(x, |x, _| {
            let y = net.conv("conv", x, 2, 1);
            net.add(&[x, y])
        })
    });
}

#[test]
fn a_wide_sum() {
    grows_linearly(|net, x, n| {
        let first = net.conv("conv", x, 2, 1);
        (1..n).fold(first, |sum, _| {
            let y = net.conv("conv", x, 2, 1);
            net.add(&[sum, y])
        })
    });
}
