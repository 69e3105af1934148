//! `y[n, c, p, q] = mean of x[n, c, ..]` over a window.

use super::extents::{index, nchw};
use super::family::{Family, ReadFields, WeightField, WriteFields};
use super::{BoundMap, LinearError, LinearMap, Window};
use crate::tensor::Tensors;

/// Mean over windows, per channel.
#[derive(Clone, Debug, PartialEq)]
pub struct AveragePool {
    /// Where the mean is taken.
    pub window: Window,
    /// Whether padding counts in the divisor: `None` divides by the elements inside the image; `Some([bottom, right])`
    /// divides by the elements inside the image and its padding, these being the zeros after the image.
    pub padding_counts: Option<[u32; 2]>,
}

impl Family for AveragePool {
    const KEYWORD: &'static str = "average_pool";
    const TAG: u32 = 9;
    const WEIGHT: Option<WeightField<Self>> = None;

    fn read<R: ReadFields>(fields: &mut R) -> Result<Self, R::Error> {
        Ok(Self {
            window: fields.window(1)?,
            padding_counts: fields.optional_pair(2, "end_pads")?,
        })
    }

    fn write<W: WriteFields>(&self, fields: &mut W) -> Result<(), W::Error> {
        let Self {
            window,
            padding_counts,
        } = self;
        fields.window(1, window)?;
        fields.optional_pair(2, "end_pads", *padding_counts)
    }

    fn check(&self, map: &LinearMap, _: &Tensors) -> Result<(), LinearError> {
        self.window.check("average_pool", map)?;
        if nchw(&map.input)[..2] != nchw(&map.output)[..2] {
            return Err(LinearError::shapes(
                "average_pool",
                "output",
                &map.output,
                "the input's batch and channels",
            ));
        }
        if self
            .padding_counts
            .is_some_and(|pads| pads.iter().any(|&p| p > Window::MAX_EXTENT))
        {
            return Err(LinearError::attribute(
                "average_pool",
                "end pads",
                "too large",
                "0 to 32767",
            ));
        }
        Ok(())
    }

    fn for_each_tap(&self, bound: &BoundMap<'_>, output: usize, mut tap: impl FnMut(usize, f64)) {
        let [input, out] = &bound.extents;
        let [n, c, p, q] = out.position(output);
        let input = input.dims;
        let weight = self.weight(input, p, q);
        for i in 0..self.window.kernel[0] {
            let Some(y) = self.window.input(0, p, i, input[2]) else {
                continue;
            };
            for j in 0..self.window.kernel[1] {
                let Some(x) = self.window.input(1, q, j, input[3]) else {
                    continue;
                };
                tap(index(input, [n, c, y, x]), weight);
            }
        }
    }

    fn coefficient(&self, bound: &BoundMap<'_>, output: usize, input: usize) -> f64 {
        let [inputs, outputs] = &bound.extents;
        let ([n, c, p, q], [batch, channel, y, x]) =
            (outputs.position(output), inputs.position(input));
        let seen = n == batch
            && c == channel
            && self.window.tap(0, p, y).is_some()
            && self.window.tap(1, q, x).is_some();
        if seen {
            self.weight(inputs.dims, p, q)
        } else {
            0.0
        }
    }

    fn macs(&self, map: &LinearMap) -> u64 {
        self.window.taps(map, 1)
    }

    fn window(&self) -> Option<&Window> {
        Some(&self.window)
    }

    fn for_each_channel_pair(
        &self,
        bound: &BoundMap<'_>,
        _: [u32; 2],
        mut pair: impl FnMut(u32, u32),
    ) {
        let [channels, ..] = bound.map.output.chw();
        (0..channels).for_each(|c| pair(c, c));
    }
}

impl AveragePool {
    /// One over the number of elements that count in the window at `(p, q)`.
    fn weight(&self, input: [u32; 4], p: u32, q: u32) -> f64 {
        1.0 / (self.counted(0, p, input[2]) * self.counted(1, q, input[3])).max(1.0)
    }

    fn counted(&self, axis: usize, output: u32, extent: u32) -> f64 {
        let window = &self.window;
        let counts = |tap: &u32| match self.padding_counts {
            None => window.input(axis, output, *tap, extent).is_some(),
            Some(after) => {
                let at = output * window.strides[axis] + tap * window.dilations[axis];
                at < window.pads[axis] + extent + after[axis]
            }
        };
        (0..window.kernel[axis]).filter(counts).count() as f64
    }
}
