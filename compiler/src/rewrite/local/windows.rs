//! Windows that see through what lies before them: padding and means become part of a convolution.

use super::super::draft::{Draft, Item, Place};
use super::super::image::{cuts, divides_by_area};
use super::affine::{linear_op, shifted_bias};
use crate::tensor::Op;
use peregrine_ir::linear::{Contract, Conv2d, Gather, LinearKind, LinearMap, Window};
use peregrine_ir::{Shape, TensorId, Tensors};

/// A gather that puts zeros around an image becomes pads of the window that reads it; it may have other uses.
pub(super) fn padding_into_window(draft: &mut Draft, place: Place) -> Option<()> {
    let padding = draft.operand(place)?;
    let ((pad, pad_bias), (map, _)) = (draft.linear(padding)?, draft.linear(place)?);
    let LinearKind::Gather(gather) = &pad.kind else {
        return None;
    };
    if pad_bias.is_some() || pad.output != map.input {
        return None;
    }
    let zeros = zeros_around(gather, &pad.input)?;
    let mut map = map.clone();
    match &mut map.kind {
        LinearKind::Conv2d(conv) => widen(&mut conv.window, zeros),
        LinearKind::AveragePool(pool) => {
            // These zeros count; the pool's own padding must count too, or not be there.
            let own = pool
                .padding_counts
                .or((pool.window.pads == [0, 0]).then_some([0, 0]))?;
            let after = |axis: usize| own[axis].checked_add(zeros[axis][1]);
            pool.padding_counts = Some([after(0)?, after(1)?]);
            widen(&mut pool.window, zeros);
        }
        _ => return None,
    }
    map.input = pad.input.clone();
    map.check(&draft.tensors).ok()?;
    let operands = draft.items[padding].operands.clone();
    let item = draft.edit(place);
    if let Op::Linear { map: own, .. } = &mut item.op {
        *own = map;
    }
    item.operands = operands;
    Some(())
}

/// Zeros before and after the rows and the columns of an image, when a gather does nothing but put them there.
fn zeros_around(gather: &Gather, input: &Shape) -> Option<[[u32; 2]; 2]> {
    let &[n, c, h, w] = input.dims() else {
        return None;
    };
    let zeros = |axis: usize, extent: u32| {
        let map = gather.axes.get(axis)?;
        let before = map.table.iter().take_while(|j| j.is_none()).count();
        let inside = map.table.iter().skip(before).take(extent as usize);
        let rest = map.table.iter().skip(before + extent as usize);
        let keeps = map.output_axis as usize == axis
            && inside.copied().eq((0..extent).map(Some))
            && rest.clone().all(Option::is_none);
        keeps.then_some([before as u32, rest.count() as u32])
    };
    let none = Some([0, 0]);
    let images = zeros(0, n) == none && zeros(1, c) == none;
    images.then_some([zeros(2, h)?, zeros(3, w)?])
}

/// Adds the zeros before an image to the pads; those after it follow from the shapes.
fn widen(window: &mut Window, zeros: [[u32; 2]; 2]) {
    for (pad, [before, _]) in window.pads.iter_mut().zip(zeros) {
        *pad = pad.saturating_add(before);
    }
}

/// A mean over windows and the product with a matrix, or the convolution, that alone uses it become one convolution
/// with box weights: a level less.
///
/// Every weight is then read once per element of a window. Applied where the result has one pixel, and to convolutions
/// of single pixels; others would need as many times the products as a window has elements.
pub(super) fn mean_into_map(draft: &mut Draft, place: Place) -> Option<()> {
    let before = draft.operand(place)?;
    draft.sole_user(before)?;
    let (mean, _) = draft.linear(before)?;
    let (next, _) = draft.linear(place)?;
    let LinearKind::AveragePool(pool) = &mean.kind else {
        return None;
    };
    let one = [1, 1];
    if !divides_by_area(pool, mean) || pool.window.dilations != one {
        return None;
    }
    let next = Next::of(next, mean, &draft.tensors)?;
    let window = composed(&pool.window, &next.window)?;
    let area = f64::from(pool.window.kernel[0]) * f64::from(pool.window.kernel[1]);
    let input = mean.input.clone();
    let bias = shifted_bias(draft, place, &draft.bias(before))?;
    let item = draft.items[place].clone();
    let bias = bias.reshaped(&item.shape, &next.output)?;
    let (weight_name, bias_name) = names(draft, place);
    let data = draft
        .tensors
        .get(next.weight)?
        .data()
        .iter()
        .map(|w| w / area);
    let data = data.collect();
    let weight = draft.store_full(weight_name, next.weight_shape, data)?;
    let kind = LinearKind::Conv2d(Conv2d {
        weight,
        window,
        groups: next.groups,
    });
    let map = LinearMap {
        kind,
        input,
        output: next.output.clone(),
    };
    map.check(&draft.tensors).ok()?;
    let op = linear_op(draft, map, bias_name, bias, &next.output)?;
    let operands = draft.items[before].operands.clone();
    *draft.edit(before) = Item {
        op,
        shape: next.output,
        source: item.source,
        operands,
    };
    draft.edit(place).op = Op::Reshape;
    Some(())
}

/// Names of the weight and the bias of the operator at `place` with the mean before it.
fn names(draft: &Draft, place: Place) -> (String, String) {
    let (own, by) = (
        draft.name(place),
        draft.operand(place).map_or("", |p| draft.name(p)),
    );
    let (weight, bias) = match draft.linear(place) {
        Some((map, bias)) => (map.weight(), bias),
        None => (None, None),
    };
    let weight = draft.tensor_name(weight, format!("{own}.weight"));
    let bias = draft.tensor_name(bias, format!("{own}.bias"));
    (format!("{weight}*{by}"), format!("{bias}+{by}"))
}

/// The operator after a mean, as a convolution of its result.
struct Next {
    window: Window,
    groups: u32,
    weight: TensorId,
    weight_shape: Shape,
    output: Shape,
}

impl Next {
    fn of(map: &LinearMap, mean: &LinearMap, tensors: &Tensors) -> Option<Self> {
        match &map.kind {
            LinearKind::Contract(contract) => Self::of_contract(contract, mean),
            LinearKind::Conv2d(conv) => {
                let [_, h, w] = map.output.chw();
                let cheap = conv.window.kernel == [1, 1] || [h, w] == [1, 1];
                let plain = conv.window.dilations == [1, 1] && !cuts(&conv.window, map);
                (cheap && plain && map.input == mean.output).then_some(())?;
                Some(Self {
                    window: conv.window,
                    groups: conv.groups,
                    weight: conv.weight,
                    weight_shape: tensors.get(conv.weight)?.shape().clone(),
                    output: map.output.clone(),
                })
            }
            _ => None,
        }
    }

    /// A matrix that reads every element of each image: a kernel as large as the image.
    fn of_contract(contract: &Contract, mean: &LinearMap) -> Option<Self> {
        let &[n, c, h, w] = mean.output.dims() else {
            return None;
        };
        let images = contract.outer.checked_mul(contract.rows)?;
        let whole = u64::from(contract.k) == u64::from(c) * u64::from(h) * u64::from(w);
        (whole && images == n && contract.groups == 1 && contract.inner == 1).then_some(())?;
        Some(Self {
            window: Window {
                kernel: [h, w],
                strides: [h, w],
                pads: [0, 0],
                dilations: [1, 1],
            },
            groups: 1,
            weight: contract.weight,
            weight_shape: Shape::new([contract.m, c, h, w]).ok()?,
            output: Shape::new([n, contract.m, 1, 1]).ok()?,
        })
    }
}

/// The window over the elements below a mean that a window over means sees, when each element is seen once: the means do
/// not overlap, or the outer window sees a single one.
fn composed(mean: &Window, next: &Window) -> Option<Window> {
    let once = |axis: usize| next.kernel[axis] == 1 || mean.strides[axis] == mean.kernel[axis];
    let product =
        |a: [u32; 2], b: [u32; 2]| Some([a[0].checked_mul(b[0])?, a[1].checked_mul(b[1])?]);
    (once(0) && once(1)).then_some(())?;
    Some(Window {
        kernel: product(mean.kernel, next.kernel)?,
        strides: product(mean.strides, next.strides)?,
        pads: mean.pads,
        dilations: [1, 1],
    })
}
