//! AveragePool and GlobalAveragePool.
#![deny(clippy::indexing_slicing)]

use super::row::Operator;
use super::window::{Image, Kernel, MAX_EXTENT, Sweep};
use crate::onnx::build::{Builder, Call, Value};
use crate::onnx::problems::Problem;
use peregrine_ir::linear::{AveragePool, LinearKind, Window};
use petgraph::graph::NodeIndex;

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    vec![
        Operator::encrypted("AveragePool", average_pool).by_library(),
        Operator::encrypted("GlobalAveragePool", global_average_pool).by_library(),
    ]
}

/// AveragePool; a window may reach past the padding when `ceil_mode` is set, what lies there never counts.
pub(in crate::onnx) fn average_pool(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.encrypted(0, "the image")?;
    let image = Image::new(&b.dims(x))?;
    if call.ints("kernel_shape")?.is_none() {
        return Err(Problem::MissingOperand {
            role: "attribute `kernel_shape`",
        });
    }
    let kernel = image.pair(call, "kernel_shape", 1)?;
    let ceil = call.flag("ceil_mode", false)?;
    let sweep = Sweep::new(call, &image, kernel, Kernel::Pool { ceil })?;
    let counts = call.flag("count_include_pad", false)?;
    let kind = LinearKind::AveragePool(AveragePool {
        window: sweep.window,
        padding_counts: counts.then_some(sweep.end),
    });
    let [p, q] = sweep.positions;
    let output = [image.dims[0], image.channels(), p, q];
    let y = b.linear(kind, (x, &image.dims), &output, None)?;
    b.reshaped(&Value::Encrypted(y), &image.unpadded(output))
}

/// GlobalAveragePool over any number of spatial axes.
pub(in crate::onnx) fn global_average_pool(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.encrypted(0, "the image")?;
    let dims = b.dims(x);
    if dims.len() < 2 {
        return Err(Problem::Mismatch {
            what: "the image's rank",
            found: dims.len().to_string(),
            expected: "at least 2".to_owned(),
        });
    }
    let ones = dims
        .iter()
        .enumerate()
        .map(|(i, &d)| if i < 2 { d } else { 1 });
    let output: Vec<u32> = ones.collect();
    let y = mean_of_image(b, x)?;
    b.reshaped(&Value::Encrypted(y), &output)
}

/// The mean of each channel of `[N, C, ...]`, as `[N, C, 1, 1]`.
pub(in crate::onnx) fn mean_of_image(b: &mut Builder, x: NodeIndex) -> Result<NodeIndex, Problem> {
    let dims = b.dims(x);
    let (n, c, h, w) = match dims.as_slice() {
        [n, c] => (*n, *c, 1, 1),
        [n, c, rows @ .., w] => (*n, *c, rows.iter().product(), *w),
        _ => (1, 1, 1, 1),
    };
    if h > MAX_EXTENT || w > MAX_EXTENT {
        return Err(Problem::TooLarge {
            what: "one side of the image",
            found: u64::from(h.max(w)),
            limit: u64::from(MAX_EXTENT),
        });
    }
    let window = Window {
        kernel: [h, w],
        strides: [1, 1],
        pads: [0, 0],
        dilations: [1, 1],
    };
    let kind = LinearKind::AveragePool(AveragePool {
        window,
        padding_counts: None,
    });
    b.linear(kind, (x, &[n, c, h, w]), &[n, c, 1, 1], None)
}
