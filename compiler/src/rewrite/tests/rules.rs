//! One positive case per rule.

use super::net::{Net, coefficients, shape, words};
use super::simplified;
use crate::tensor::Op;
use peregrine_ir::linear::{AxisMap, Conv2d, Gather, LinearKind, Window};
use petgraph::graph::NodeIndex;

/// Builds on an input of `[1, 2, 4, 4]`, simplifies, and expects the operators and that the rule was applied.
fn check(rule: &str, expected: &[&str], build: impl Fn(&mut Net, NodeIndex) -> NodeIndex) {
    let mut net = Net::new(17);
    let x = net.input(&[1, 2, 4, 4]);
    let y = build(&mut net, x);
    net.output(y);
    let (simple, rules) = simplified(&net.graph);
    assert_eq!(words(&simple), expected, "{rules:?}");
    assert!(rules.contains(&rule), "{rule} was not applied: {rules:?}");
}

#[test]
fn multiply_polynomials() {
    check("multiply-polynomials", &["input", "p3"], |net, x| {
        let square = net.multiply(x, x);
        net.multiply(square, x)
    });
}

#[test]
fn add_polynomials() {
    check("add-polynomials", &["input", "p2"], |net, x| {
        let p = net.polynomial(x, &[0.0, 0.0, 3.0]);
        net.add(&[x, p])
    });
}

#[test]
fn compose_polynomials() {
    check("compose-polynomials", &["input", "p4"], |net, x| {
        let p = net.polynomial(x, &[1.0, 2.0, 3.0]);
        net.polynomial(p, &[1.0, 2.0, 3.0])
    });
}

#[test]
fn deep_compositions_stay_apart() {
    check("compose-polynomials", &["input", "p3", "p4"], |net, x| {
        let p = net.polynomial(x, &[1.0, 2.0, 3.0, 1.0]);
        let q = net.polynomial(p, &[1.0, 2.0, 3.0, 2.0, 1.0]);
        net.scale(q, 2.0)
    });
}

#[test]
fn drop_identity() {
    check("drop-identity", &["input", "average_pool"], |net, x| {
        let half = net.scale(x, 0.5);
        let same = net.scale(half, 2.0);
        net.pool(same, 2)
    });
}

#[test]
fn horners_rule_has_any_degree() {
    check("multiply-polynomials", &["input", "p20"], |net, x| {
        let mut y = net.scale(x, 0.5);
        for _ in 1..20 {
            let z = net.polynomial(y, &[0.25, 1.0]);
            y = net.multiply(z, x);
        }
        y
    });
}

#[test]
fn powers_have_any_degree() {
    check("multiply-polynomials", &["input", "p17"], |net, x| {
        let mut y = x;
        for _ in 0..4 {
            y = net.multiply(y, y);
        }
        net.multiply(y, x)
    });
}

#[test]
fn large_products_stay_products() {
    check("multiply-polynomials", &["input", "p4", "p3"], |net, x| {
        let p = net.polynomial(x, &[1.0, 2.0, 3.0, 1.0, 1.0]);
        let square = net.multiply(p, p);
        net.multiply(square, p)
    });
}

#[test]
fn lower_degree() {
    check("lower-degree", &["input", "p2"], |net, x| {
        net.polynomial(x, &[1.0, 2.0, 3.0, 0.0])
    });
}

#[test]
fn merge_duplicates() {
    check(
        "merge-duplicates",
        &["input", "average_pool", "p2"],
        |net, x| {
            let a = net.pool(x, 2);
            let b = net.pool(x, 2);
            net.multiply(a, b)
        },
    );
}

#[test]
fn reshape_of_reshape() {
    check("reshape-of-reshape", &["input", "reshape"], |net, x| {
        let flat = net.flatten(x);
        net.node("", Op::Reshape, shape(&[1, 4, 8]), &[flat])
    });
}

#[test]
fn drop_reshape() {
    check("drop-reshape", &["input", "average_pool"], |net, x| {
        let flat = net.flatten(x);
        let back = net.node("", Op::Reshape, shape(&[1, 2, 4, 4]), &[flat]);
        net.pool(back, 2)
    });
}

#[test]
fn drop_identity_map() {
    check("drop-identity-map", &["input", "contract"], |net, x| {
        let one = net.pool(x, 1);
        let table = |n| (0..n).map(Some).collect();
        let axes = (0..4).zip([1, 2, 4, 4]).map(|(output_axis, n)| AxisMap {
            output_axis,
            table: table(n),
        });
        let kind = LinearKind::Gather(Gather {
            axes: axes.collect(),
        });
        let dims = [1, 2, 4, 4];
        let moved = net.linear("", one, kind, &dims, &dims, None);
        net.gemm("fc", moved, 3)
    });
}

#[test]
fn merge_gathers() {
    check("merge-gathers", &["input", "gather"], |net, x| {
        let padded = net.pad(x);
        let halved = net.subsample(padded);
        net.pad(halved)
    });
}

#[test]
fn diagonal_map_to_polynomial() {
    check(
        "diagonal-map-to-polynomial",
        &["input", "conv2d"],
        |net, x| {
            let weight = net.tensor("depthwise", &[2, 1, 1, 1]);
            let window = Window {
                kernel: [1; 2],
                strides: [1; 2],
                pads: [0; 2],
                dilations: [1; 2],
            };
            let kind = LinearKind::Conv2d(Conv2d {
                weight,
                window,
                groups: 2,
            });
            let dims = [1, 2, 4, 4];
            let y = net.linear("", x, kind, &dims, &dims, None);
            net.conv("conv", y, 3, 3)
        },
    );
}

#[test]
fn a_factor_is_a_diagonal_map() {
    check("diagonal-map-to-polynomial", &["input", "p1"], |net, x| {
        net.scale(x, 3.0)
    });
}

#[test]
fn compact_coefficients() {
    let mut net = Net::new(20);
    let x = net.input(&[1, 2, 4, 4]);
    let same = net.constant("same", &[1, 2, 4, 1], vec![0.5; 8]);
    let channels = net.constant("channels", &[2, 1, 1], vec![1.0, 2.0]);
    let y = net.polynomial_of("", x, vec![same, channels, channels]);
    net.output(y);
    let (simple, rules) = simplified(&net.graph);
    assert_eq!(rules, ["compact-coefficients"]);
    assert_eq!(
        coefficients(&simple, 1),
        [vec![0.5], vec![1.0, 2.0], vec![1.0, 2.0]]
    );
}

#[test]
fn fold_affine_into_map_before() {
    check(
        "fold-affine-into-map-before",
        &["input", "conv2d"],
        |net, x| {
            let y = net.conv("conv", x, 3, 3);
            net.bn("bn", y)
        },
    );
}

#[test]
fn fold_affine_into_map_after() {
    check(
        "fold-affine-into-map-after",
        &["input", "conv2d"],
        |net, x| {
            let y = net.bn("bn", x);
            net.conv("conv", y, 3, 1)
        },
    );
}

/// Behind padding a shift would be a bias per element.
#[test]
fn a_shift_stays_before_padding() {
    let mut net = Net::new(23);
    let x = net.input(&[1, 2, 4, 4]);
    let y = net.bn("bn", x);
    let y = net.conv("conv", y, 3, 3);
    net.output(y);
    let (simple, rules) = simplified(&net.graph);
    assert_eq!(words(&simple), ["input", "p1", "conv2d"]);
    assert!(rules.contains(&"fold-affine-into-map-after"), "{rules:?}");
    assert_eq!(coefficients(&simple, 1)[1], [1.0]);
    assert!(simple.tensors.values().all(|t| t.data().len() <= 3 * 2 * 9));
}

/// A channel that vanishes has no shift before its factor: its constant moves into the bias.
#[test]
fn a_vanishing_channel_costs_no_level() {
    let mut net = Net::new(24);
    let x = net.input(&[1, 2, 4, 4]);
    let shift = net.constant("shift", &[2, 1, 1], vec![0.5, 0.25]);
    let scale = net.constant("scale", &[2, 1, 1], vec![0.0, 2.0]);
    let y = net.polynomial_of("bn", x, vec![shift, scale]);
    let y = net.conv("conv", y, 3, 3);
    net.output(y);
    let (simple, _) = simplified(&net.graph);
    assert_eq!(words(&simple), ["input", "p1", "conv2d"]);
    assert_eq!(coefficients(&simple, 1), [vec![0.0, 0.125], vec![1.0]]);
}

#[test]
fn affine_after_map() {
    let expected = ["input", "average_pool", "conv2d", "average_pool", "add"];
    check("affine-after-map", &expected, |net, x| {
        let y = net.bn("bn", x);
        let y = net.pool(y, 2);
        let y = net.conv("conv", y, 2, 3);
        let other = net.pool(x, 2);
        net.add(&[y, other])
    });
}

#[test]
fn affine_after_a_gather_keeps_one_factor_per_channel() {
    check(
        "affine-after-map",
        &["input", "gather", "conv2d"],
        |net, x| {
            let y = net.bn("bn", x);
            let y = net.subsample(y);
            net.conv("conv", y, 3, 1)
        },
    );
}

#[test]
fn padding_into_window() {
    check("padding-into-window", &["input", "conv2d"], |net, x| {
        let y = net.pad(x);
        net.conv("conv", y, 3, 3)
    });
}

#[test]
fn padding_into_mean() {
    check(
        "padding-into-window",
        &["input", "average_pool"],
        |net, x| {
            let y = net.pad(x);
            let y = net.pad(y);
            net.pool(y, 2)
        },
    );
}

#[test]
fn mean_into_map() {
    let expected = ["input", "conv2d", "reshape"];
    check("mean-into-map", &expected, |net, x| {
        let y = net.pool(x, 2);
        let y = net.flatten(y);
        net.gemm("fc", y, 3)
    });
}

#[test]
fn mean_into_a_convolution_of_pixels() {
    check("mean-into-map", &["input", "conv2d"], |net, x| {
        let y = net.pool(x, 2);
        net.conv("conv", y, 3, 1)
    });
}

#[test]
fn reshape_after_polynomial() {
    let expected = ["input", "conv2d", "p2", "contract"];
    check("reshape-after-polynomial", &expected, |net, x| {
        let y = net.conv("conv", x, 3, 3);
        let flat = net.flatten(y);
        let q = net.spelled_quadratic(flat);
        net.gemm("fc", q, 3)
    });
}

#[test]
fn reshape_after_operation() {
    let expected = ["input", "conv2d", "conv2d", "add", "contract"];
    check("reshape-after-operation", &expected, |net, x| {
        let a = net.conv("a", x, 2, 3);
        let b = net.conv("b", x, 2, 3);
        let (a, b) = (net.flatten(a), net.flatten(b));
        let sum = net.add(&[a, b]);
        net.gemm("fc", sum, 3)
    });
}

#[test]
fn reshape_into_map() {
    check("reshape-into-map", &["input", "contract"], |net, x| {
        let flat = net.flatten(x);
        net.gemm("fc", flat, 3)
    });
}

#[test]
fn flatten_sum() {
    check(
        "flatten-sum",
        &["input", "conv2d", "conv2d", "conv2d", "add"],
        |net, x| {
            let a = net.conv("a", x, 2, 3);
            let b = net.conv("b", x, 2, 3);
            let c = net.conv("c", x, 2, 3);
            let sum = net.add(&[a, b]);
            net.add(&[sum, c])
        },
    );
}

#[test]
fn collect_like_terms() {
    check(
        "collect-like-terms",
        &["input", "conv2d", "p2", "add"],
        |net, x| {
            let y = net.conv("conv", x, 2, 3);
            let p = net.polynomial(x, &[0.5, 0.0, 1.0]);
            let q = net.polynomial(x, &[0.25, 2.0]);
            let sum = net.add(&[p, y]);
            net.add(&[sum, q])
        },
    );
}

#[test]
fn absorb_leading_forward() {
    check(
        "absorb-leading-forward",
        &["input", "p2", "contract"],
        |net, x| {
            let q = net.polynomial(x, &[0.0, 1.0, 3.0]);
            net.gemm("fc", q, 3)
        },
    );
}

#[test]
fn absorb_leading_backward() {
    let mut net = Net::new(18);
    let x = net.input(&[1, 2, 4, 4]);
    let y = net.conv("conv", x, 3, 3);
    let q = net.polynomial(y, &[0.5, 1.0, -3.0]);
    net.output(q);
    let (simple, rules) = simplified(&net.graph);
    assert!(rules.contains(&"absorb-leading-backward"), "{rules:?}");
    assert_eq!(coefficients(&simple, 2)[1..], [[0.0], [-1.0]]);
}

#[test]
fn absorb_scale_forward() {
    // The factor passes the residual sum and leaves in the weights after it.
    let expected = ["input", "conv2d", "add", "contract"];
    check("absorb-scale-forward", &expected, |net, x| {
        let b = net.bn("bn", x);
        let y = net.conv("conv", x, 2, 3);
        let sum = net.add(&[b, y]);
        net.gemm("fc", sum, 3)
    });
}

#[test]
fn absorb_scale_backward() {
    let expected = ["input", "conv2d", "average_pool", "average_pool", "add"];
    check("absorb-scale-backward", &expected, |net, x| {
        let y = net.conv("conv", x, 2, 3);
        let y = net.pool(y, 2);
        let y = net.bn("bn", y);
        let one = net.pool(x, 2);
        net.add(&[y, one])
    });
}

#[test]
fn complete_square() {
    check("complete-square", &["input", "conv2d", "p2"], |net, x| {
        let y = net.conv("conv", x, 2, 3);
        net.spelled_quadratic(y)
    });
}

#[test]
fn shift_before() {
    let expected = ["input", "conv2d", "conv2d", "add"];
    check("shift-before", &expected, |net, x| {
        let y = net.conv("a", x, 2, 3);
        let z = net.conv("b", x, 2, 3);
        let sum = net.add(&[y, z]);
        net.polynomial(sum, &[0.5, 1.0])
    });
}

#[test]
fn push_constant() {
    let mut net = Net::new(19);
    let x = net.input(&[1, 2, 4, 4]);
    let p = net.polynomial(x, &[2.0, 0.0, 1.0]);
    let y = net.conv("conv", p, 3, 1);
    net.output(y);
    let (simple, rules) = simplified(&net.graph);
    assert_eq!(rules, ["push-constant"]);
    assert_eq!(coefficients(&simple, 1), [[0.0], [0.0], [1.0]]);
}

#[test]
fn a_constant_stays_before_padding() {
    let mut net = Net::new(19);
    let x = net.input(&[1, 2, 4, 4]);
    let p = net.polynomial(x, &[2.0, 0.0, 1.0]);
    let y = net.conv("conv", p, 3, 3);
    net.output(y);
    let (simple, rules) = simplified(&net.graph);
    assert_eq!(rules, [""; 0]);
    assert_eq!(coefficients(&simple, 1), [[2.0], [0.0], [1.0]]);
}
