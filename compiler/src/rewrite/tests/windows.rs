//! Means and padding before maps that can take them, over odd shapes.

use super::net::{Net, difference, shape, words};
use crate::rewrite::simplify;
use crate::tensor::Op;
use peregrine_ir::linear::{AveragePool, Conv2d, LinearKind, Window};
use petgraph::graph::NodeIndex;
use proptest::prelude::*;

/// What follows the mean.
#[derive(Clone, Copy, Debug)]
enum Next {
    Gemm,
    /// Of single pixels, with a stride.
    Pixels(u32),
    /// With a kernel as large as the image.
    Whole,
}

fn next() -> impl Strategy<Value = Next> {
    prop_oneof![
        Just(Next::Gemm),
        (1..3u32).prop_map(Next::Pixels),
        Just(Next::Whole)
    ]
}

/// A mean over windows, with a bias sometimes; the count of padding is that of the front end.
fn mean(net: &mut Net, x: NodeIndex, window: Window, counts: bool) -> Option<NodeIndex> {
    let dims = net.shape_of(x).dims().to_vec();
    let extent = |a: usize| {
        let padded = dims[2 + a] + 2 * window.pads[a];
        Some(padded.checked_sub(window.kernel[a])? / window.strides[a] + 1)
    };
    let output = [dims[0], dims[1], extent(0)?, extent(1)?];
    let padding_counts = counts.then_some(window.pads);
    let kind = LinearKind::AveragePool(AveragePool {
        window,
        padding_counts,
    });
    Some(net.linear("mean", x, kind, &dims, &output, None))
}

fn conv(
    net: &mut Net,
    x: NodeIndex,
    kernel: [u32; 2],
    strides: [u32; 2],
    groups: u32,
) -> NodeIndex {
    let dims = net.shape_of(x).dims().to_vec();
    let weight = net.tensor("w", &[3 * groups, dims[1] / groups, kernel[0], kernel[1]]);
    let bias = net.tensor("b", &[3 * groups, 1, 1]);
    let extent = |a: usize| (dims[2 + a] - kernel[a]) / strides[a] + 1;
    let output = [dims[0], 3 * groups, extent(0), extent(1)];
    let window = Window {
        kernel,
        strides,
        pads: [0; 2],
        dilations: [1; 2],
    };
    let kind = LinearKind::Conv2d(Conv2d {
        weight,
        window,
        groups,
    });
    net.linear("conv", x, kind, &dims, &output, Some(bias))
}

proptest! {
    #[test]
    fn a_mean_goes_into_the_map_after_it(
        seed in any::<u64>(), kernel in [1..4u32, 1..4u32], gap in [0..2u32, 0..2u32], overlap in any::<bool>(),
        extents in [1..10u32, 1..10u32], pads in [0..2u32, 0..2u32], counts in any::<bool>(), groups in 1..3u32,
        next in next(),
    ) {
        let strides = match overlap {
            true => kernel.map(|k| k.div_ceil(2)),
            false => [kernel[0] + gap[0], kernel[1] + gap[1]],
        };
        let window = Window { kernel, strides, pads: [pads[0].min(kernel[0] - 1), pads[1].min(kernel[1] - 1)], dilations: [1; 2] };
        let mut net = Net::new(seed);
        let x = net.input(&[1, 2, extents[0], extents[1]]);
        let Some(y) = mean(&mut net, x, window, counts) else { return Ok(()) };
        let image = net.shape_of(y).dims().to_vec();
        let z = match next {
            Next::Gemm => {
                let flat = net.flatten(y);
                net.gemm("fc", flat, 3)
            }
            Next::Pixels(stride) => conv(&mut net, y, [1, 1], [stride; 2], groups),
            Next::Whole => conv(&mut net, y, [image[2], image[3]], [1, 1], groups),
        };
        net.output(z);
        let (simple, _) = simplify(&net.graph).unwrap();
        prop_assert!(difference(&net.graph, &simple) <= 1e-12, "{:?}", words(&simple));
        let uniform = counts || window.pads == [0, 0];
        let single = |axis: usize| matches!(next, Next::Pixels(_)) || image[2 + axis] == 1;
        let once = (0..2).all(|axis| single(axis) || kernel[axis] == strides[axis]);
        let trivial = kernel == [1, 1] && strides == [1, 1] && window.pads == [0, 0];
        if uniform && once && !trivial {
            prop_assert!(!words(&simple).contains(&"average_pool".to_owned()), "{:?}", words(&simple));
        }
    }

    #[test]
    fn padding_goes_into_windows(
        seed in any::<u64>(), zeros in prop::collection::vec(0..3u32, 4), kernel in [1..4u32, 1..4u32],
        own in [0..2u32, 0..2u32], counts in any::<bool>(), mean_follows in any::<bool>(),
    ) {
        let mut net = Net::new(seed);
        let x = net.input(&[1, 2, 5, 4]);
        let padded = net.pad_by(x, [[zeros[0], zeros[1]], [zeros[2], zeros[3]]]);
        let window = Window { kernel, strides: [1; 2], pads: [own[0].min(kernel[0] - 1), own[1].min(kernel[1] - 1)], dilations: [1; 2] };
        let y = match mean_follows {
            true => mean(&mut net, padded, window, counts),
            false => Some(conv(&mut net, padded, kernel, [1, 1], 2)),
        };
        let Some(y) = y else { return Ok(()) };
        net.output(y);
        let (simple, _) = simplify(&net.graph).unwrap();
        prop_assert!(difference(&net.graph, &simple) <= 1e-12, "{:?}", words(&simple));
        let taken = kernel != [1, 1] && (counts || window.pads == [0, 0]);
        if !mean_follows || taken {
            prop_assert!(!words(&simple).contains(&"gather".to_owned()), "{:?}", words(&simple));
        }
    }
}

/// Three by three means around each pixel before a convolution would cost nine times the products.
#[test]
fn a_mean_before_a_kernel_stays() {
    let mut net = Net::new(30);
    let x = net.input(&[1, 2, 6, 6]);
    let y = net.pool(x, 2);
    let y = net.conv("conv", y, 3, 3);
    net.output(y);
    let (simple, _) = simplify(&net.graph).unwrap();
    assert_eq!(words(&simple), ["input", "average_pool", "conv2d"]);
}

/// A mean that something else uses too is needed anyway.
#[test]
fn a_shared_mean_stays() {
    let mut net = Net::new(31);
    let x = net.input(&[1, 2, 4, 4]);
    let y = net.pool(x, 4);
    let z = net.gemm("fc", y, 2);
    net.output(z);
    net.output(y);
    let (simple, _) = simplify(&net.graph).unwrap();
    assert_eq!(words(&simple), ["input", "average_pool", "contract"]);
}

/// A fully connected layer over a whole image takes the weights of a box.
#[test]
fn weights_of_a_global_mean_are_stored_once() {
    let mut net = Net::new(32);
    let x = net.input(&[1, 2, 8, 8]);
    let y = net.pool(x, 8);
    let y = net.gemm("fc", y, 3);
    net.output(y);
    let (simple, _) = simplify(&net.graph).unwrap();
    let Op::Linear { map, .. } = &simple.node(NodeIndex::new(1)).op else {
        panic!("a convolution")
    };
    let weight = simple.tensors.get(map.weight().unwrap()).unwrap();
    assert_eq!(weight.shape(), &shape(&[3, 2, 1, 1]));
}
