//! Conv and ConvTranspose.
#![deny(clippy::indexing_slicing)]

use super::row::Operator;
use super::window::{AutoPad, Image, Kernel, Odd, Sweep, kernel};
use crate::onnx::build::{Builder, Call, Movement, Value, floating};
use crate::onnx::format::Constant;
use crate::onnx::problems::Problem;
use peregrine_ir::TensorId;
use peregrine_ir::linear::{Conv2d, LinearKind, Window};
use petgraph::graph::NodeIndex;

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    vec![
        Operator::encrypted("Conv", conv).by_library(),
        Operator::encrypted("ConvTranspose", conv_transpose).by_library(),
    ]
}

/// Conv: a [`Conv2d`] with the bias per channel.
pub(in crate::onnx) fn conv(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.encrypted(0, "the image")?;
    let weight = call.constant(1, "the kernel")?;
    let image = Image::new(&b.dims(x))?;
    let kernel = kernel(call, &image, &weight.dims)?;
    let groups = groups(call)?;
    let m = weight.dims.first().copied().unwrap_or(0);
    let per_group = weight.dims.get(1).copied().unwrap_or(0);
    if per_group.checked_mul(groups) != Some(image.channels()) || !m.is_multiple_of(groups) {
        return Err(Problem::Mismatch {
            what: "the kernel's shape",
            found: format!("{:?} in {groups} groups", weight.dims),
            expected: format!("one for {} input channels", image.channels()),
        });
    }
    let sweep = Sweep::new(call, &image, kernel, Kernel::Weights)?;
    let [p, q] = sweep.positions;
    let bias = bias(b, call, m)?;
    let weight = b.weight(weight, &[m, per_group, kernel[0], kernel[1]])?;
    let kind = LinearKind::Conv2d(Conv2d {
        weight,
        window: sweep.window,
        groups,
    });
    let output = [image.dims[0], m, p, q];
    let y = b.linear(kind, (x, &image.dims), &output, bias)?;
    b.reshaped(&Value::Encrypted(y), &image.unpadded(output))
}

fn groups(call: &Call) -> Result<u32, Problem> {
    let group = call.int_or("group", 1)?;
    u32::try_from(group)
        .ok()
        .filter(|&g| g > 0)
        .ok_or(Problem::Attribute {
            name: "group",
            found: group.to_string(),
            supported: "a positive number",
        })
}

/// The bias, one number per output channel, shaped to broadcast over an image.
fn bias(b: &mut Builder, call: &Call, m: u32) -> Result<Option<TensorId>, Problem> {
    let Some(bias) = call.optional_constant(2, "the bias")? else {
        return Ok(None);
    };
    if bias.dims != [m] {
        return Err(Problem::Mismatch {
            what: "the bias",
            found: format!("{:?}", bias.dims),
            expected: format!("[{m}], one number per output channel"),
        });
    }
    b.weight(bias, &[m, 1, 1]).map(Some)
}

/// ConvTranspose: zeros put between the pixels, then a convolution with the mirrored kernel.
///
/// `y[o] = sum of w[k] x[i] over i * stride + k * dilation = o + pad`, so over a row with `stride - 1` zeros between the
/// pixels it is a convolution with `k` mirrored and padding `dilation * (kernel - 1) - pad`; where that is negative,
/// pixels are cut off instead.
pub(in crate::onnx) fn conv_transpose(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.encrypted(0, "the image")?;
    let weight = call.constant(1, "the kernel")?;
    floating(weight)?;
    let image = Image::new(&b.dims(x))?;
    let kernel = kernel(call, &image, &weight.dims)?;
    let groups = groups(call)?;
    let c = weight.dims.first().copied().unwrap_or(0);
    let per_group = weight.dims.get(1).copied().unwrap_or(0);
    let m = per_group.saturating_mul(groups);
    if c != image.channels() || !c.is_multiple_of(groups) || m == 0 {
        return Err(Problem::Mismatch {
            what: "the kernel's shape",
            found: format!("{:?} in {groups} groups", weight.dims),
            expected: format!("one for {} input channels", image.channels()),
        });
    }
    let axes = transposed_axes(call, &image, kernel)?;
    let dilations = image.pair(call, "dilations", 1)?;
    let (spread, dims) = spread(b, x, &image, &axes)?;
    let bias = bias(b, call, m)?;
    let mirrored = mirrored(weight, groups, kernel);
    let shape = [m, c / groups, kernel[0], kernel[1]];
    let weight = b.tensor(&weight.name, &shape, mirrored)?;
    let [h, w] = axes;
    let window = Window {
        kernel,
        strides: [1, 1],
        pads: [h.pad, w.pad],
        dilations,
    };
    let kind = LinearKind::Conv2d(Conv2d {
        weight,
        window,
        groups,
    });
    let output = [image.dims[0], m, h.output, w.output];
    let y = b.linear(kind, (spread, &dims), &output, bias)?;
    b.reshaped(&Value::Encrypted(y), &image.unpadded(output))
}

/// One spatial axis of a transposed convolution.
struct TransposedAxis {
    /// Input pixel per pixel of the spread image; `None` is a zero.
    table: Vec<Option<u32>>,
    /// Padding of the convolution before the spread image.
    pad: u32,
    output: u32,
}

fn transposed_axes(
    call: &Call,
    image: &Image,
    kernel: [u32; 2],
) -> Result<[TransposedAxis; 2], Problem> {
    let strides = image.pair(call, "strides", 1)?;
    let dilations = image.pair(call, "dilations", 1)?;
    let extra = image.pair(call, "output_padding", 0)?;
    let auto_pad = AutoPad::new(call)?;
    let given = image.explicit_pads(call)?;
    let wanted = match call.ints("output_shape")? {
        None => None,
        Some(_) => Some(image.pair(call, "output_shape", 1)?),
    };
    let axis = |a: usize| -> Result<TransposedAxis, Problem> {
        let pick = |pair: [u32; 2]| i64::from(if a == 0 { pair[0] } else { pair[1] });
        let (input, stride) = (pick(image.extents()), pick(strides));
        let reach = (pick(kernel) - 1) * pick(dilations);
        let full = (input - 1) * stride + pick(extra) + reach + 1;
        let (begin, output) = match (wanted.map(pick), auto_pad) {
            (Some(wanted), mode) => (first(full - wanted, mode), wanted),
            (None, AutoPad::Explicit) => {
                let (begin, end) = (pick(given.0), pick(given.1));
                (begin, full - begin - end)
            }
            (None, AutoPad::Valid) => (0, full),
            // A kernel shorter than the stride: nothing is cut off, as in ONNX Runtime.
            (None, mode @ AutoPad::Same(_)) => {
                let total = full - input * stride;
                (first(total, mode), full - total.max(0))
            }
        };
        check_zeros(output - (full - pick(extra)), stride)?;
        check_zeros(pick(extra), stride)?;
        TransposedAxis::new((input, stride), reach, (begin, output))
    };
    Ok([axis(0)?, axis(1)?])
}

/// The part of a total padding that lies before the image; the larger half but for SAME_UPPER. A negative total adds
/// zeros at the end only.
fn first(total: i64, mode: AutoPad) -> i64 {
    let total = total.max(0);
    if mode == AutoPad::Same(Odd::Upper) {
        total / 2
    } else {
        total - total / 2
    }
}

/// Refuses as many zeros after the last pixel that anything is added to as another input pixel would reach.
fn check_zeros(zeros: i64, stride: i64) -> Result<(), Problem> {
    if zeros < stride {
        return Ok(());
    }
    Err(Problem::Mismatch {
        what: "number of zeros that `output_padding` or `output_shape` adds",
        found: zeros.to_string(),
        expected: format!("less than the stride, {stride}"),
    })
}

impl TransposedAxis {
    fn new(
        (input, stride): (i64, i64),
        reach: i64,
        (begin, output): (i64, i64),
    ) -> Result<Self, Problem> {
        let limit = 1i64 << 24;
        if output < 1 || output > limit || input * stride > limit {
            return Err(Problem::Mismatch {
                what: "the output's extent",
                found: output.to_string(),
                expected: format!("1 to {limit}"),
            });
        }
        let pad = reach - begin;
        let cut = (-pad).max(0);
        let table = (cut..=(input - 1) * stride)
            .map(|i| (i % stride == 0).then_some((i / stride) as u32))
            .collect::<Vec<_>>();
        Ok(Self {
            table: if table.is_empty() { vec![None] } else { table },
            pad: pad.max(0) as u32,
            output: output as u32,
        })
    }
}

/// The image with zeros between its pixels.
fn spread(
    b: &mut Builder,
    x: NodeIndex,
    image: &Image,
    [h, w]: &[TransposedAxis; 2],
) -> Result<(NodeIndex, [u32; 4]), Problem> {
    let [n, c, ..] = image.dims;
    let dims = [n, c, h.table.len() as u32, w.table.len() as u32];
    b.check_size(&dims)?;
    let tables = vec![(2, h.table.clone()), (3, w.table.clone())];
    let movement = Movement::along(&image.dims, tables)?;
    if movement.is_identity() {
        return Ok((x, dims));
    }
    let kind = LinearKind::Gather(movement.gather());
    Ok((b.linear(kind, (x, &image.dims), &dims, None)?, dims))
}

/// `[C, M / groups, h, w]` as `[M, C / groups, h, w]`, mirrored in both directions.
fn mirrored(weight: &Constant, groups: u32, kernel: [u32; 2]) -> impl FnOnce() -> Vec<f64> + use<> {
    let weight = weight.clone();
    move || {
        let [c, m] = [0, 1].map(|i| weight.dims.get(i).copied().unwrap_or(1) as usize);
        let [h, w] = kernel.map(|k| k as usize);
        let per_group = c / groups as usize;
        let mut data = Vec::with_capacity(weight.len() as usize);
        for out in 0..m * groups as usize {
            for channel in 0..per_group {
                let row = out / m * per_group + channel;
                for tap in (0..h * w).rev() {
                    data.push(weight.at((row * m + out % m) * h * w + tap));
                }
            }
        }
        data
    }
}
