//! `y[n, m, p, q] = sum over c, i, j of w[m, c, i, j] * x[n, g(m) + c, p*s + i*d - pad, q*s + j*d - pad]`.

use super::extents::{Extents, index, nchw};
use super::family::{Family, ReadFields, WeightField, WriteFields};
use super::{BoundMap, LinearError, LinearMap, Weights, Window, weight_shape};
use crate::entity::TensorId;
use crate::tensor::Tensors;

/// Two-dimensional cross-correlation (what ONNX calls Conv), without bias.
///
/// The weight has shape `[M, C / groups, h, w]`; output channel `m` reads the input channels of its group. `h` and `w`
/// divide the extents of the kernel: each weight covers a box of `kernel_h / h` by `kernel_w / w` neighbouring elements
/// of the window, one element where they are equal. So a mean and the convolution after it are one convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv2d {
    /// The kernel.
    pub weight: TensorId,
    /// Where the kernel looks.
    pub window: Window,
    /// Number of channel groups; divides `C` and `M`.
    pub groups: u32,
}

impl Family for Conv2d {
    const KEYWORD: &'static str = "conv2d";
    const TAG: u32 = 8;
    const WEIGHT: Option<WeightField<Self>> = Some(WeightField {
        get: |conv| conv.weight,
        set: |conv, weight| conv.weight = weight,
    });

    fn read<R: ReadFields>(fields: &mut R) -> Result<Self, R::Error> {
        Ok(Self {
            weight: fields.weight(1)?,
            window: fields.window(2)?,
            groups: fields.number(3, "groups")?,
        })
    }

    fn write<W: WriteFields>(&self, fields: &mut W) -> Result<(), W::Error> {
        let Self {
            weight,
            window,
            groups,
        } = self;
        fields.weight(1, *weight)?;
        fields.window(2, window)?;
        fields.number(3, "groups", *groups)
    }

    fn check(&self, map: &LinearMap, tensors: &Tensors) -> Result<(), LinearError> {
        self.window.check("conv2d", map)?;
        let ([n, c, ..], [batch, m, ..]) = (nchw(&map.input), nchw(&map.output));
        if n != batch {
            return Err(LinearError::shapes(
                "conv2d",
                "output",
                &map.output,
                format!("batch {n}"),
            ));
        }
        if self.groups == 0 || c % self.groups != 0 || m % self.groups != 0 {
            let expected = format!("a divisor of {c} input and {m} output channels");
            return Err(LinearError::attribute(
                "conv2d",
                "groups",
                self.groups,
                expected,
            ));
        }
        let weight = weight_shape(self.weight, tensors)?;
        let kernel = self.window.kernel;
        let divides = |extent: u32, kernel: u32| kernel.checked_rem(extent) == Some(0);
        match *weight.dims() {
            [rows, columns, h, w]
                if [rows, columns] == [m, c / self.groups]
                    && divides(h, kernel[0])
                    && divides(w, kernel[1]) => {}
            _ => {
                let expected = [m, c / self.groups, kernel[0], kernel[1]];
                return Err(LinearError::shapes(
                    "conv2d",
                    "weight",
                    weight,
                    format!("{expected:?}, or divisors of the last two"),
                ));
            }
        }
        Ok(())
    }

    fn for_each_tap(&self, bound: &BoundMap<'_>, output: usize, mut tap: impl FnMut(usize, f64)) {
        let ([input, out], weights) = (&bound.extents, &bound.weights);
        let [n, m, p, q] = out.position(output);
        let (input, out) = (input.dims, out.dims);
        let (group_in, first) = self.group(input, out, m);
        for i in 0..self.window.kernel[0] {
            let Some(y) = self.window.input(0, p, i, input[2]) else {
                continue;
            };
            for j in 0..self.window.kernel[1] {
                let Some(x) = self.window.input(1, q, j, input[3]) else {
                    continue;
                };
                let at = self.weight_element([i, j], weights.kernel);
                for c in 0..group_in {
                    let weight = weights.convolution(group_in, [m, c], at);
                    tap(index(input, [n, first + c, y, x]), weight);
                }
            }
        }
    }

    /// `A x` for an `x` of the right size, row of the image by row: the sums of [`Self::for_each_tap`] in the same order, in
    /// loops that processors are good at.
    fn apply(&self, bound: &BoundMap<'_>, x: &[f64]) -> Vec<f64> {
        let [_, out] = &bound.extents;
        let mut y = vec![0.0; out.dims.iter().map(|&extent| extent as usize).product()];
        let width = out.dims[3] as usize;
        for (row, sums) in y.chunks_mut(width.max(1)).enumerate() {
            let [n, m, p, _] = out.position(row * width);
            self.add_row(&bound.extents, &bound.weights, [n, m, p], (x, sums));
        }
        y
    }

    fn for_each_channel_pair(
        &self,
        bound: &BoundMap<'_>,
        tap: [u32; 2],
        mut pair: impl FnMut(u32, u32),
    ) {
        let (map, weights) = (bound.map, &bound.weights);
        let (input, output) = (nchw(&map.input), nchw(&map.output));
        let at = self.weight_element(tap, weights.kernel);
        for m in 0..output[1] {
            let (group_in, first) = self.group(input, output, m);
            for c in 0..group_in {
                if weights.convolution(group_in, [m, c], at) != 0.0 {
                    (0..input[0]).for_each(|n| pair(n * output[1] + m, n * input[1] + first + c));
                }
            }
        }
    }

    fn for_each_zero(&self, bound: &BoundMap<'_>, mut zero: impl FnMut([u32; 2], u32, u32)) {
        let (map, weights) = (bound.map, &bound.weights);
        let (input, output) = (nchw(&map.input), nchw(&map.output));
        let [rows, columns] = self.window.kernel;
        let taps = (0..rows).flat_map(|i| (0..columns).map(move |j| [i, j]));
        let taps = taps.map(|tap| (tap, self.weight_element(tap, weights.kernel)));
        let taps: Vec<_> = taps.collect();
        let [height, width] = weights.kernel.map(|extent| extent as usize);
        let mut elements = weights.data.chunks_exact(height * width);
        for m in 0..output[1] {
            let (group_in, first) = self.group(input, output, m);
            for (c, element) in (0..group_in).zip(&mut elements) {
                // Nearly always there is none.
                if !element.contains(&0.0) {
                    continue;
                }
                for &(tap, [i, j]) in &taps {
                    if element.get(i as usize * width + j as usize) == Some(&0.0) {
                        (0..input[0])
                            .for_each(|n| zero(tap, n * output[1] + m, n * input[1] + first + c));
                    }
                }
            }
        }
    }

    fn coefficient(&self, bound: &BoundMap<'_>, output: usize, input: usize) -> f64 {
        let ([inputs, outputs], weights) = (&bound.extents, &bound.weights);
        let ([n, m, p, q], [batch, c, y, x]) = (outputs.position(output), inputs.position(input));
        let (group_in, first) = self.group(inputs.dims, outputs.dims, m);
        if n != batch || c < first || c - first >= group_in {
            return 0.0;
        }
        match (self.window.tap(0, p, y), self.window.tap(1, q, x)) {
            (Some(i), Some(j)) => {
                let at = self.weight_element([i, j], weights.kernel);
                weights.convolution(group_in, [m, c - first], at)
            }
            _ => 0.0,
        }
    }

    fn is_the_same_along_rows(&self) -> bool {
        self.window.strides[1] == 1
    }

    fn macs(&self, map: &LinearMap) -> u64 {
        let (group_in, _) = self.group(nchw(&map.input), nchw(&map.output), 0);
        self.window.taps(map, group_in)
    }

    fn window(&self) -> Option<&Window> {
        Some(&self.window)
    }
}

impl Conv2d {
    /// Adds what the kernel sees along row `p` of output channel `m`.
    fn add_row(
        &self,
        [input, out]: &[Extents; 2],
        weights: &Weights<'_>,
        [n, m, p]: [u32; 3],
        (x, sums): (&[f64], &mut [f64]),
    ) {
        let (input, out) = (input.dims, out.dims);
        let (group_in, first) = self.group(input, out, m);
        let step = self.window.strides[1] as usize;
        for i in 0..self.window.kernel[0] {
            let Some(y) = self.window.input(0, p, i, input[2]) else {
                continue;
            };
            for j in 0..self.window.kernel[1] {
                let seen = self.window.outputs(1, j, input[3], out[3]);
                let start = self.window.input(1, seen.start, j, input[3]);
                let sums = sums.get_mut(seen.start as usize..seen.end as usize);
                let (Some(start), Some(sums)) = (start, sums) else {
                    continue;
                };
                let at = self.weight_element([i, j], weights.kernel);
                for c in 0..group_in {
                    let weight = weights.convolution(group_in, [m, c], at);
                    let from = index(input, [n, first + c, y, start]);
                    add_scaled(sums, weight, x.get(from..).unwrap_or_default(), step);
                }
            }
        }
    }

    /// Input channels per group, and the first one that output channel `m` reads.
    fn group(&self, input: [u32; 4], output: [u32; 4], m: u32) -> (u32, u32) {
        if self.groups == 1 {
            return (input[1], 0);
        }
        let group_in = input[1] / self.groups;
        (group_in, m / (output[1] / self.groups) * group_in)
    }

    /// The element of a weight of these extents whose box holds element `tap` of the window.
    fn weight_element(&self, tap: [u32; 2], extents: [u32; 2]) -> [u32; 2] {
        if extents == self.window.kernel {
            return tap;
        }
        std::array::from_fn(|axis| tap[axis] * extents[axis] / self.window.kernel[axis])
    }
}

/// `sums[k] += weight * x[k * step]`.
fn add_scaled(sums: &mut [f64], weight: f64, x: &[f64], step: usize) {
    if step == 1 {
        // Apart from the loop below, so that it is compiled to vector instructions.
        for (sum, x) in sums.iter_mut().zip(x) {
            *sum += weight * x;
        }
    } else {
        for (sum, x) in sums.iter_mut().zip(x.iter().step_by(step)) {
            *sum += weight * x;
        }
    }
}
