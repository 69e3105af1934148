//! The identity as a linear map.

use peregrine_ir::Shape;
use peregrine_ir::linear::{AxisMap, Gather, LinearKind, LinearMap};

/// The identity map of tensors of `shape`, by which tensors are converted to other layouts.
pub fn identity(shape: &Shape) -> LinearMap {
    let axis = |(axis, &extent): (usize, &u32)| AxisMap {
        output_axis: axis as u32,
        table: (0..extent).map(Some).collect(),
    };
    let axes = shape.dims().iter().enumerate().map(axis).collect();
    LinearMap {
        kind: LinearKind::Gather(Gather { axes }),
        input: shape.clone(),
        output: shape.clone(),
    }
}
