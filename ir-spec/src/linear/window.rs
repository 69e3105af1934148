//! Windows that slide over images: what convolution and pooling share.

use super::extents::nchw;
use super::{LinearError, LinearMap};
use std::ops::Range;

/// A window sliding over an image: what convolution and pooling share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Extent `[h, w]`.
    pub kernel: [u32; 2],
    /// Steps between windows `[h, w]`.
    pub strides: [u32; 2],
    /// Zeros before the image `[top, left]`; those after it follow from the output shape.
    pub pads: [u32; 2],
    /// Distance of neighbouring window elements `[h, w]`.
    pub dilations: [u32; 2],
}

impl Window {
    /// The input coordinate that element `tap` of the window at `output` sees along `axis`, if inside `0..extent`.
    pub fn input(&self, axis: usize, output: u32, tap: u32, extent: u32) -> Option<u32> {
        let at = output * self.strides[axis] + tap * self.dilations[axis];
        at.checked_sub(self.pads[axis]).filter(|&x| x < extent)
    }

    /// The element of the window at `output` that sees `input` along `axis`, if any.
    pub(super) fn tap(&self, axis: usize, output: u32, input: u32) -> Option<u32> {
        let offset = (input + self.pads[axis]).checked_sub(output * self.strides[axis])?;
        let tap = match self.dilations[axis] {
            1 => offset,
            dilation if offset.is_multiple_of(dilation) => offset / dilation,
            _ => return None,
        };
        (tap < self.kernel[axis]).then_some(tap)
    }

    /// Pairs of an output element and an element of its window inside the image, each counted for so many channels.
    pub(super) fn taps(&self, map: &LinearMap, channels: u32) -> u64 {
        let (input, output) = (nchw(&map.input), nchw(&map.output));
        let planes = u64::from(output[0]) * u64::from(output[1]);
        (0..2).fold(planes.saturating_mul(channels.into()), |taps, axis| {
            taps.saturating_mul(self.axis_taps(axis, input[2 + axis], output[2 + axis]))
        })
    }

    /// Pairs of an output coordinate and a window element whose input coordinate is inside the image.
    fn axis_taps(&self, axis: usize, input: u32, output: u32) -> u64 {
        let inside = |tap: u32| self.outputs(axis, tap, input, output).len() as u64;
        (0..self.kernel[axis]).map(inside).sum()
    }

    /// The output coordinates along `axis` at which element `tap` of the window sees the image; empty where none does.
    pub(super) fn outputs(&self, axis: usize, tap: u32, input: u32, output: u32) -> Range<u32> {
        let (stride, offset) = (self.strides[axis], tap * self.dilations[axis]);
        // Outputs from `first` on look behind the padding before the image, those from `end` on beyond its end.
        let first = self.pads[axis].saturating_sub(offset).div_ceil(stride);
        let end = (self.pads[axis] + input)
            .saturating_sub(offset)
            .div_ceil(stride);
        first..end.min(output)
    }

    pub(super) fn check(&self, op: &'static str, map: &LinearMap) -> Result<(), LinearError> {
        for (attribute, values) in [
            ("kernel", self.kernel),
            ("strides", self.strides),
            ("dilations", self.dilations),
        ] {
            if values.iter().any(|&v| v == 0 || v > Self::MAX_EXTENT) {
                return Err(LinearError::attribute(
                    op,
                    attribute,
                    format!("{values:?}"),
                    "1 to 32767",
                ));
            }
        }
        if self.pads.iter().any(|&v| v > Self::MAX_EXTENT) {
            return Err(LinearError::attribute(
                op,
                "pads",
                format!("{:?}", self.pads),
                "0 to 32767",
            ));
        }
        for (what, shape) in [("input", &map.input), ("output", &map.output)] {
            match shape.dims() {
                [_, _, h, w] if *h <= Self::MAX_EXTENT && *w <= Self::MAX_EXTENT => {}
                _ => {
                    return Err(LinearError::shapes(
                        op,
                        what,
                        shape,
                        "[N, C, H, W] with H, W up to 32767",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Keeps `output * stride + tap * dilation` inside `u32`.
    pub(super) const MAX_EXTENT: u32 = 0x7fff;
}
