//! Operators that move, join, pad, resize and sum: small random models through the front end and through tract.

use super::oracle::{Chain, agree, int, ints, string};
use proptest::prelude::*;

/// An image `[1, c, h, w]` of odd sizes.
fn image() -> impl Strategy<Value = [u32; 4]> {
    (1..4u32, 1..6u32, 1..6u32).prop_map(|(c, h, w)| [1, c, h, w])
}

fn order() -> impl Strategy<Value = Vec<i64>> {
    Just(vec![0i64, 1, 2, 3]).prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_global_rejects: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn transposed_convolutions(
        kernel in [1..4u32, 1..4u32], strides in [1..4u32, 1..4u32], dilations in [1..3u32, 1..3u32],
        pads in [0..2u32, 0..2u32, 0..2u32, 0..2u32], extra in [0..3u32, 0..3u32], groups in 1..3u32,
        channels in [1..3u32, 1..3u32], size in [1..5u32, 1..5u32],
    ) {
        let extent = |a: usize| {
            let reach = (kernel[a] - 1) * dilations[a] + 1;
            // More padding than pixels is too much for tract.
            ((size[a] - 1) * strides[a] + reach).checked_sub(pads[a] + pads[a + 2])
        };
        prop_assume!((0..2).all(|a| extra[a] < strides[a] && extent(a).is_some_and(|e| e > 0)));
        let dims = [1, groups * channels[0], size[0], size[1]];
        let mut chain = Chain::new(&dims);
        let weight = chain.weight(&[dims[1], channels[1], kernel[0], kernel[1]]);
        let bias = chain.weight(&[groups * channels[1]]);
        chain.node("ConvTranspose", &[weight, bias], vec![
            ints("strides", &strides),
            ints("dilations", &dilations),
            ints("pads", &pads),
            ints("output_padding", &extra),
            int("group", groups),
        ]);
        agree(chain, &dims)?;
    }

    #[test]
    fn transposes_and_slices(dims in image(), order in order(), axis in 0..4i64, start in -7..7i64, end in -7..7i64,
                             step in prop_oneof![-3..0i64, 1..4i64]) {
        let extent = i64::from(dims[order[axis as usize] as usize]);
        let from_front = |v: i64| if v < 0 { v + extent } else { v };
        let kept = if step > 0 {
            from_front(start).clamp(0, extent) < from_front(end).clamp(0, extent)
        } else {
            from_front(start).clamp(0, extent - 1) > from_front(end).clamp(-1, extent - 1)
        };
        // A start before the axis is clamped to it, says ONNX; tract does so for positive steps only.
        prop_assume!(kept && (step > 0 || start >= -extent));
        let mut chain = Chain::new(&dims);
        chain.node("Transpose", &[], vec![ints("perm", &order)]);
        let bounds = [start, end, axis, step].map(|v| chain.list(&[v]));
        chain.node("Slice", &bounds, vec![]);
        agree(chain, &dims)?;
    }

    #[test]
    fn paddings(dims in image(), begin in [0..3i64, 0..3i64], end in [0..3i64, 0..3i64], mode in 0..3usize) {
        let mode = ["constant", "reflect", "edge"][mode];
        let fits = |a: usize| begin[a].max(end[a]) < i64::from(dims[a + 2]);
        prop_assume!(mode != "reflect" || (fits(0) && fits(1)));
        let mut chain = Chain::new(&dims);
        let pads = chain.list(&[0, 0, begin[0], begin[1], 0, 0, end[0], end[1]]);
        let mut operands = vec![pads];
        if mode == "constant" {
            let value = chain.weight(&[]);
            operands.push(value);
        }
        chain.node("Pad", &operands, vec![string("mode", mode)]);
        agree(chain, &dims)?;
    }

    #[test]
    fn joined_and_taken_apart(dims in image(), axis in 0..4usize, cut in 0..6u32, first in any::<bool>()) {
        prop_assume!(cut < dims[axis]);
        let mut chain = Chain::new(&dims);
        let mut other = dims;
        other[axis] = 2;
        let weight = chain.weight(&other);
        // What is encrypted twice, a constant between.
        let x = chain.last.clone();
        chain.node("Concat", &[weight, x], vec![int("axis", axis as i64)]);
        let total = i64::from(2 * dims[axis] + 2);
        let at = i64::from(cut) + 1;
        let sizes = chain.list(&[at, total - at]);
        chain.node("Split", &[sizes], vec![int("axis", axis as i64)]);
        let node = chain.graph.node.last_mut().unwrap();
        node.output.push("rest".to_owned());
        if !first {
            chain.last = "rest".to_owned();
        }
        agree(chain, &dims)?;
    }

    #[test]
    fn repeats(dims in image(), times in [1..3i64, 1..3i64, 1..3i64], indices in proptest::collection::vec(-1..1i64, 1..4),
               axis in 0..4i64) {
        let mut chain = Chain::new(&dims);
        let wide = chain.list(&[2, 1, 1, 1, 1]);
        chain.node("Expand", &[wide], vec![]);
        let axes = chain.list(&[1]);
        chain.node("Squeeze", std::slice::from_ref(&axes), vec![]);
        let repeats = chain.list(&[1, times[0], times[1], times[2]]);
        chain.node("Tile", &[repeats], vec![]);
        let indices = chain.list(&indices);
        chain.node("Gather", &[indices], vec![int("axis", axis)]);
        chain.node("Unsqueeze", &[axes], vec![]);
        agree(chain, &dims)?;
    }

    #[test]
    fn reductions(dims in image(), order in order(), count in 1..5usize, keep in 0..2i64, kind in 0..3usize) {
        let mut chain = Chain::new(&dims);
        let mut attributes = vec![int("keepdims", keep)];
        let mut operands = Vec::new();
        let op = ["ReduceSum", "ReduceMean", "ReduceSumSquare"][kind];
        if op == "ReduceSum" {
            let axes = chain.list(&order[..count]);
            operands.push(axes);
        } else {
            attributes.push(ints("axes", &order[..count]));
        }
        chain.node(op, &operands, attributes);
        agree(chain, &dims)?;
    }

    #[test]
    fn sums_of_many(dims in image(), mean in any::<bool>()) {
        let mut chain = Chain::new(&dims);
        let square = chain.last.clone();
        chain.node("Mul", &[square], vec![]);
        let weights = [chain.weight(&dims), chain.weight(&dims), "x".to_owned()];
        chain.node(if mean { "Mean" } else { "Sum" }, &weights, vec![]);
        agree(chain, &dims)?;
    }

    #[test]
    fn blocks(block in 1..4u32, channels in 1..3u32, size in [1..4u32, 1..4u32], kind in 0..3usize) {
        let squares = block * block;
        let dims = if kind == 2 {
            [1, channels, block * size[0], block * size[1]]
        } else {
            [1, channels * squares, size[0], size[1]]
        };
        let mut chain = Chain::new(&dims);
        let blocks = int("blocksize", block);
        match kind {
            2 => chain.node("SpaceToDepth", &[], vec![blocks]),
            _ => {
                let mode = string("mode", ["DCR", "CRD"][kind]);
                chain.node("DepthToSpace", &[], vec![blocks, mode]);
            }
        }
        agree(chain, &dims)?;
    }

    #[test]
    fn nearest_neighbours(dims in image(), to in [1..9i64, 1..9i64], coordinates in 0..4usize, rounding in 0..4usize) {
        let coordinates = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"][coordinates];
        let rounding = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"][rounding];
        let mut chain = Chain::new(&dims);
        let sizes = chain.list(&[1, i64::from(dims[1]), to[0], to[1]]);
        chain.node("Resize", &["".to_owned(), "".to_owned(), sizes], vec![
            string("coordinate_transformation_mode", coordinates),
            string("nearest_mode", rounding),
            string("mode", "nearest"),
        ]);
        agree(chain, &dims)?;
    }

    #[test]
    fn averages(kernel in [1..4u32, 1..4u32], strides in [1..4u32, 1..4u32], pads in [0..3u32, 0..3u32, 0..3u32, 0..3u32],
                size in [1..9u32, 1..9u32], count in 0..2i64, ceil in 0..2i64) {
        let fits = |a: usize| pads[a].max(pads[a + 2]) < kernel[a] && size[a] + pads[a] + pads[a + 2] >= kernel[a];
        prop_assume!(fits(0) && fits(1));
        let dims = [1, 2, size[0], size[1]];
        let mut chain = Chain::new(&dims);
        chain.opset = 19;
        chain.node("AveragePool", &[], vec![
            ints("kernel_shape", &kernel),
            ints("strides", &strides),
            ints("pads", &pads),
            int("count_include_pad", count),
            int("ceil_mode", ceil),
        ]);
        agree(chain, &dims)?;
    }
}
