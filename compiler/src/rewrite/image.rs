//! What a linear map makes of coefficients: `A c` for a field `c` of its input.
//!
//! Most fields are one number per channel, and most maps keep them so: then `A c` costs a pass over the weights instead
//! of one over the products. Where padding cuts the windows of a convolution the result depends on the position.

use super::field::Field;
use peregrine_ir::Tensors;
use peregrine_ir::linear::{AveragePool, Conv2d, LinearKind, LinearMap, Window};

/// `A c`, `c` being a field of the input of a well-formed map.
pub(super) fn image(map: &LinearMap, tensors: &Tensors, c: &Field) -> Option<Field> {
    if c.is_zero() {
        return Some(Field::scalar(0.0));
    }
    match &map.kind {
        LinearKind::Conv2d(conv) if !cuts(&conv.window, map) => {
            if let Some(channels) = c.per_channel(&map.input) {
                return conv_of_channels(conv, map, tensors, &channels);
            }
        }
        LinearKind::AveragePool(pool) if divides_by_area(pool, map) && !cuts(&pool.window, map) => {
            if let Some(channels) = c.per_channel(&map.input) {
                return Field::of_channels(channels);
            }
        }
        _ => {}
    }
    let full = map.bind(tensors).ok()?.apply(&c.expand(&map.input)?);
    Some(Field::compact(&map.output, full))
}

/// Whether some window reaches outside the image.
pub(super) fn cuts(window: &Window, map: &LinearMap) -> bool {
    (0..2).any(|axis| {
        let [input, output] = extents(map, axis);
        window.pads[axis] > 0 || reach(window, axis, output) > input
    })
}

/// Whether every mean divides by the area of the window.
pub(super) fn divides_by_area(pool: &AveragePool, map: &LinearMap) -> bool {
    let window = &pool.window;
    match pool.padding_counts {
        None => !cuts(window, map),
        Some(after) => (0..2).all(|axis| {
            let [input, output] = extents(map, axis);
            let counted = u64::from(window.pads[axis]) + input + u64::from(after[axis]);
            reach(window, axis, output) <= counted
        }),
    }
}

/// Extent of the input and the output along `H` or `W`.
fn extents(map: &LinearMap, axis: usize) -> [u64; 2] {
    [&map.input, &map.output].map(|shape| u64::from(shape.chw()[1 + axis]))
}

/// Where the last of `count` windows ends, counted from the first element of the first one.
fn reach(window: &Window, axis: usize, count: u64) -> u64 {
    let steps = (count - 1) * u64::from(window.strides[axis]);
    steps + u64::from(window.kernel[axis] - 1) * u64::from(window.dilations[axis]) + 1
}

/// One number per output channel, for windows inside the image. O(weights).
fn conv_of_channels(
    conv: &Conv2d,
    map: &LinearMap,
    tensors: &Tensors,
    channels: &[f64],
) -> Option<Field> {
    let weight = tensors.get(conv.weight)?;
    let &[rows, group_in, h, w] = weight.shape().dims() else {
        return None;
    };
    let [kernel_h, kernel_w] = conv.window.kernel;
    // Each weight counts once per element of its box.
    let times = f64::from(kernel_h / h) * f64::from(kernel_w / w);
    let (taps, group_in) = ((h * w) as usize, group_in as usize);
    let group_out = (rows / conv.groups) as usize;
    let sums = weight.data().chunks(taps * group_in).enumerate();
    let sums = sums.map(|(m, row)| {
        let first = m / group_out * group_in;
        let terms = row.chunks(taps).zip(&channels[first..]);
        times
            * terms
                .map(|(taps, c)| taps.iter().sum::<f64>() * c)
                .sum::<f64>()
    });
    let field = Field::of_channels(sums.collect())?;
    field.is_small(&map.output).then_some(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use peregrine_ir::{Shape, Tensor};
    use proptest::prelude::*;

    fn shape(dims: &[u32]) -> Shape {
        Shape::new(dims).unwrap()
    }

    proptest! {
        #[test]
        fn channels_go_the_same_way_as_elements(
            kernel in [1..4u32, 1..4u32], boxes in [1..3u32, 1..3u32], strides in [1..3u32, 1..3u32],
            dilations in [1..3u32, 1..3u32], pads in [0..2u32, 0..2u32], output in [1..4u32, 1..4u32],
            spare in [0..2u32, 0..2u32], groups in 1..3u32,
        ) {
            let window = Window { kernel: [kernel[0] * boxes[0], kernel[1] * boxes[1]], strides, pads, dilations };
            let extent = |a: usize| reach(&window, a, u64::from(output[a])) as u32 + spare[a] - pads[a].min(spare[a]);
            let input = shape(&[1, 2 * groups, extent(0), extent(1)]);
            let mut tensors = Tensors::new();
            let dims = shape(&[groups, 2, kernel[0], kernel[1]]);
            let data = (0..dims.elements()).map(|i| (i as f64).sin()).collect();
            let weight = tensors.push(Tensor::new("w", dims, data).unwrap());
            let output = |c: u32| shape(&[1, c, output[0], output[1]]);
            let c = (0..2 * groups).map(|i| 1.0 + f64::from(i)).collect();
            let c = Field::of_channels(c).unwrap();
            let maps = [
                (LinearKind::Conv2d(Conv2d { weight, window, groups }), output(groups)),
                (LinearKind::AveragePool(AveragePool { window, padding_counts: None }), output(2 * groups)),
                (LinearKind::AveragePool(AveragePool { window, padding_counts: Some([1, 0]) }), output(2 * groups)),
            ];
            for (kind, output) in maps {
                let map = LinearMap { kind, input: input.clone(), output };
                let full = map.bind(&tensors).unwrap().apply(&c.expand(&input).unwrap());
                let found = image(&map, &tensors, &c).unwrap().expand(&map.output).unwrap();
                for (a, b) in full.iter().zip(found) {
                    prop_assert!((a - b).abs() <= 1e-12 * (1.0 + a.abs()), "{a} {b}");
                }
            }
        }
    }
}
