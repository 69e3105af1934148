//! Steps that move elements: transposition and selection.

use crate::shape::Shape;

/// Transposes a tensor: axis `j` of the result is axis `order[j]` of `shape`.
pub(super) fn transpose(shape: &Shape, order: &[u32], x: &[f64]) -> Vec<f64> {
    let dims: Vec<usize> = shape.dims().iter().map(|&d| d as usize).collect();
    let mut strides = vec![1; dims.len()];
    for i in (1..dims.len()).rev() {
        strides[i - 1] = strides[i] * dims[i];
    }
    let axes: Vec<(usize, usize)> = (order.iter())
        .map(|&axis| (dims[axis as usize], strides[axis as usize]))
        .collect();
    let mut at = vec![0; axes.len()];
    let mut source = 0;
    let mut moved = Vec::with_capacity(x.len());
    for _ in 0..x.len() {
        moved.push(x[source]);
        for (at, &(extent, stride)) in at.iter_mut().zip(&axes).rev() {
            *at += 1;
            source += stride;
            if *at < extent {
                break;
            }
            source -= stride * extent;
            *at = 0;
        }
    }
    moved
}

/// Selects positions of a tensor along `axis`.
pub(super) fn take(shape: &Shape, axis: u32, positions: &[u32], x: &[f64]) -> Vec<f64> {
    let (outer, rest) = shape.dims().split_at(axis as usize);
    let (extent, inner) = rest
        .split_first()
        .map_or((1, rest), |(&d, inner)| (d, inner));
    let product = |dims: &[u32]| dims.iter().map(|&d| d as usize).product::<usize>();
    let (outer, inner, extent) = (product(outer), product(inner), extent as usize);
    let mut taken = Vec::with_capacity(outer * positions.len() * inner);
    for block in 0..outer {
        for &position in positions {
            let start = (block * extent + position as usize) * inner;
            taken.extend_from_slice(&x[start..start + inner]);
        }
    }
    taken
}
