//! Between flat indices and coordinates.

use crate::shape::Shape;
use strength_reduce::StrengthReducedU32;

/// Extents `[N, C, H, W]` that flat indices are taken apart by, again and again: entries of a matrix are read by the million.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extents {
    pub(super) dims: [u32; 4],
    channels: StrengthReducedU32,
    height: StrengthReducedU32,
    width: StrengthReducedU32,
}

impl Extents {
    /// Of a shape; a shape of other than four extents counts as an empty one.
    pub(super) fn new(shape: &Shape) -> Self {
        let dims = nchw(shape);
        // No flat index lies in an empty shape.
        let divisor = |extent: u32| StrengthReducedU32::new(extent.max(1));
        Self {
            dims,
            channels: divisor(dims[1]),
            height: divisor(dims[2]),
            width: divisor(dims[3]),
        }
    }

    /// `[n, c, h, w]` of a flat index.
    pub(super) fn position(&self, flat: usize) -> [u32; 4] {
        let (rest, x) = StrengthReducedU32::div_rem(flat as u32, self.width);
        let (rest, y) = StrengthReducedU32::div_rem(rest, self.height);
        let (n, c) = StrengthReducedU32::div_rem(rest, self.channels);
        [n, c, y, x]
    }
}

/// `[N, C, H, W]` of a shape that [`super::Window`] accepted.
pub(super) fn nchw(shape: &Shape) -> [u32; 4] {
    match shape.dims() {
        [n, c, h, w] => [*n, *c, *h, *w],
        _ => [0; 4],
    }
}

/// Flat index of `(n, c, h, w)`.
pub(super) fn index([_, c, h, w]: [u32; 4], [n, k, y, x]: [u32; 4]) -> usize {
    ((n as usize * c as usize + k as usize) * h as usize + y as usize) * w as usize + x as usize
}
