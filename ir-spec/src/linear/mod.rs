//! Linear maps: every convolution, pooling, product with a weight matrix, padding, slicing or broadcast is one sparse
//! matrix `y = A x` between flat tensors.
//!
//! A map is stored as its attributes and the name of its weight tensor; [`BoundMap::for_each_tap`] enumerates a row of
//! the matrix and [`BoundMap::coefficient`] reads one entry. The compiler plans with the first, constants are filled
//! with the second, the tensor graph's reference semantics is [`BoundMap::apply`]: one definition for all of them.
//! A new operator is a new [`LinearKind`] with these two functions; nothing else in the project needs to know it.

mod contract;
mod conv;
mod extents;
mod gather;
mod pool;

pub use contract::Contract;
pub use conv::Conv2d;
pub use gather::{AxisMap, Gather};
pub use pool::AveragePool;

use crate::entity::TensorId;
use crate::shape::{Broadcast, Shape};
use crate::tensor::{Tensor, Tensors};
use extents::{Extents, nchw};
use std::ops::Range;

/// A linear map between tensors of fixed shapes.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearMap {
    /// What it computes.
    pub kind: LinearKind,
    /// Shape of `x`.
    pub input: Shape,
    /// Shape of `y`.
    pub output: Shape,
}

/// The families of linear maps.
#[derive(Clone, Debug, PartialEq)]
pub enum LinearKind {
    /// Two-dimensional cross-correlation with a weight tensor.
    Conv2d(Conv2d),
    /// Mean over windows.
    AveragePool(AveragePool),
    /// Product with a weight matrix along one axis.
    Contract(Contract),
    /// Element-wise factor `y[i] = w[i] * x[i]`, `w` broadcast to the shape of `x`.
    Scale(TensorId),
    /// Elements moved, repeated or left out, zeros put in: pad, slice, transpose, expand, place in a concatenation.
    Gather(Gather),
}

impl LinearMap {
    /// Checks attributes, shapes and weights against each other.
    ///
    /// After this succeeds no other function of the map fails or reads out of bounds.
    ///
    /// # Errors
    /// Names the attribute and both values that disagree.
    pub fn check(&self, tensors: &Tensors) -> Result<(), LinearError> {
        match &self.kind {
            LinearKind::Conv2d(conv) => conv.check(self, tensors),
            LinearKind::AveragePool(pool) => pool.check(self),
            LinearKind::Contract(contract) => contract.check(self, tensors),
            LinearKind::Scale(weight) => self.check_scale(*weight, tensors),
            LinearKind::Gather(gather) => gather.check(self),
        }
    }

    fn check_scale(&self, weight: TensorId, tensors: &Tensors) -> Result<(), LinearError> {
        let shape = weight_shape(weight, tensors)?;
        if self.input != self.output {
            return Err(LinearError::shapes(
                "scale",
                "output",
                &self.output,
                &self.input,
            ));
        }
        if !shape.broadcasts_to(&self.input) {
            return Err(LinearError::shapes("scale", "weight", shape, &self.input));
        }
        Ok(())
    }

    /// Its evaluator, with everything that does not depend on the element computed once.
    ///
    /// # Errors
    /// Those of [`LinearMap::check`].
    pub fn bind<'a>(&'a self, tensors: &'a Tensors) -> Result<BoundMap<'a>, LinearError> {
        self.check(tensors)?;
        let weight = self.weight().and_then(|id| tensors.get(id));
        let broadcast = match (&self.kind, weight) {
            (LinearKind::Scale(_), Some(weight)) => Broadcast::new(weight.shape(), &self.input),
            _ => None,
        };
        Ok(BoundMap {
            map: self,
            weights: Weights::new(weight),
            broadcast,
            extents: [&self.input, &self.output].map(Extents::new),
        })
    }

    /// The weight tensor it reads, if any.
    pub fn weight(&self) -> Option<TensorId> {
        match &self.kind {
            LinearKind::Conv2d(Conv2d { weight, .. })
            | LinearKind::Contract(Contract { weight, .. })
            | LinearKind::Scale(weight) => Some(*weight),
            LinearKind::AveragePool(_) | LinearKind::Gather(_) => None,
        }
    }

    /// The window of a convolution or pooling.
    pub fn window(&self) -> Option<&Window> {
        match &self.kind {
            LinearKind::Conv2d(conv) => Some(&conv.window),
            LinearKind::AveragePool(pool) => Some(&pool.window),
            LinearKind::Contract(_) | LinearKind::Scale(_) | LinearKind::Gather(_) => None,
        }
    }

    /// The same map reading another weight tensor; maps without weights are unchanged.
    pub fn with_weight(&self, tensor: TensorId) -> Self {
        let mut map = self.clone();
        match &mut map.kind {
            LinearKind::Conv2d(Conv2d { weight, .. })
            | LinearKind::Contract(Contract { weight, .. })
            | LinearKind::Scale(weight) => *weight = tensor,
            LinearKind::AveragePool(_) | LinearKind::Gather(_) => {}
        }
        map
    }

    /// The word of the text form that opens it.
    pub fn keyword(&self) -> &'static str {
        match &self.kind {
            LinearKind::Conv2d(_) => "conv2d",
            LinearKind::AveragePool(_) => "average_pool",
            LinearKind::Contract(_) => "contract",
            LinearKind::Scale(_) => "scale",
            LinearKind::Gather(_) => "gather",
        }
    }
}

/// A checked [`LinearMap`] together with its weights.
#[derive(Clone, Debug)]
pub struct BoundMap<'a> {
    map: &'a LinearMap,
    weights: Weights<'a>,
    broadcast: Option<Broadcast>,
    /// Of input and output, for the maps that have a window.
    extents: [Extents; 2],
}

/// The weights of a map; none read as zeros.
#[derive(Clone, Copy, Debug)]
struct Weights<'a> {
    data: &'a [f64],
    /// The last two extents of their shape.
    kernel: [u32; 2],
    /// Whether none is zero.
    full: bool,
}

impl<'a> Weights<'a> {
    fn new(weight: Option<&'a Tensor>) -> Self {
        let (data, dims) = weight.map_or((&[][..], &[][..]), |t| (t.data(), t.shape().dims()));
        let kernel = match *dims {
            [.., h, w] => [h, w],
            _ => [1, 1],
        };
        let full = !weight.is_some_and(Tensor::has_zero);
        Self { data, kernel, full }
    }

    /// The weight of output channel `m`, channel `c` of its group, at element `(i, j)`.
    fn convolution(&self, group_in: u32, [m, c]: [u32; 2], [i, j]: [u32; 2]) -> f64 {
        let flat = extents::index([0, group_in, self.kernel[0], self.kernel[1]], [m, c, i, j]);
        self.data.get(flat).copied().unwrap_or(0.0)
    }
}

impl BoundMap<'_> {
    /// The map that was bound.
    pub fn map(&self) -> &LinearMap {
        self.map
    }

    /// Calls `tap(input, coefficient)` for every structurally nonzero entry of row `output`, each input once.
    ///
    /// A weight that happens to be zero is still visited: plans depend on shapes only.
    pub fn for_each_tap(&self, output: usize, mut tap: impl FnMut(usize, f64)) {
        match &self.map.kind {
            LinearKind::Conv2d(conv) => {
                conv.for_each_tap(&self.extents, &self.weights, output, tap)
            }
            LinearKind::AveragePool(pool) => pool.for_each_tap(&self.extents, output, tap),
            LinearKind::Contract(contract) => contract.for_each_tap(self.weights.data, output, tap),
            LinearKind::Scale(_) => tap(output, self.scale_at(output)),
            LinearKind::Gather(gather) => {
                if let Some(input) = gather.source(self.map, output) {
                    tap(input, 1.0);
                }
            }
        }
    }

    /// The entry of the matrix in row `output`, column `input`.
    pub fn coefficient(&self, output: usize, input: usize) -> f64 {
        match &self.map.kind {
            LinearKind::Conv2d(conv) => {
                conv.coefficient(&self.extents, &self.weights, output, input)
            }
            LinearKind::AveragePool(pool) => pool.coefficient(&self.extents, output, input),
            LinearKind::Contract(contract) => {
                contract.coefficient(self.weights.data, output, input)
            }
            LinearKind::Scale(_) if input == output => self.scale_at(output),
            LinearKind::Scale(_) => 0.0,
            LinearKind::Gather(gather) => {
                f64::from(u8::from(gather.source(self.map, output) == Some(input)))
            }
        }
    }

    /// Whether no weight is zero. O(1).
    pub const fn is_full(&self) -> bool {
        self.weights.full
    }

    /// Calls `pair(output channel, input channel)` for the channels that an element of the window joins with a nonzero
    /// coefficient; those of a batch follow each other. Nothing for maps without a window.
    pub fn for_each_channel_pair(&self, tap: [u32; 2], mut pair: impl FnMut(u32, u32)) {
        match &self.map.kind {
            LinearKind::Conv2d(conv) => {
                conv.for_each_channel_pair(self.map, &self.weights, tap, pair);
            }
            LinearKind::AveragePool(_) => {
                let [channels, ..] = self.map.output.chw();
                (0..channels).for_each(|c| pair(c, c));
            }
            LinearKind::Contract(_) | LinearKind::Scale(_) | LinearKind::Gather(_) => {}
        }
    }

    /// Calls `zero(tap, output channel, input channel)` for every weight of a convolution that is zero, in the order of the
    /// weights; those of a batch follow each other. Nothing for other maps.
    pub fn for_each_zero(&self, zero: impl FnMut([u32; 2], u32, u32)) {
        if let LinearKind::Conv2d(conv) = &self.map.kind {
            conv.for_each_zero(self.map, &self.weights, zero);
        }
    }

    /// Calls `zero(output, input)` for every entry of a single matrix that is zero: of a [`LinearKind::Contract`] with nothing
    /// around its rows and columns. Nothing for other maps.
    pub fn for_each_zero_entry(&self, mut zero: impl FnMut(usize, usize)) {
        if let LinearKind::Contract(contract) = &self.map.kind
            && contract.is_matrix()
        {
            let columns = contract.k as usize;
            for (row, weights) in self.weights.data.chunks_exact(columns).enumerate() {
                let weights = weights.iter().enumerate();
                weights
                    .filter(|(_, w)| **w == 0.0)
                    .for_each(|(column, _)| zero(row, column));
            }
        }
    }

    /// `A x` in f64: the reference semantics.
    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        match &self.map.kind {
            LinearKind::Conv2d(conv) if x.len() == self.map.input.elements() => {
                conv.apply(&self.extents, &self.weights, x)
            }
            _ => self.apply_taps(x),
        }
    }

    /// `A x`, row of the matrix by row.
    fn apply_taps(&self, x: &[f64]) -> Vec<f64> {
        (0..self.map.output.elements())
            .map(|output| {
                let mut sum = 0.0;
                self.for_each_tap(output, |input, w| {
                    sum += w * x.get(input).copied().unwrap_or(f64::NAN)
                });
                sum
            })
            .collect()
    }

    /// Number of multiply-accumulates: structurally nonzero entries of the matrix, counted axis by axis.
    pub fn macs(&self) -> u64 {
        let outputs = self.map.output.elements() as u64;
        match &self.map.kind {
            LinearKind::Conv2d(conv) => conv.macs(self.map),
            LinearKind::AveragePool(pool) => pool.window.taps(self.map, 1),
            LinearKind::Contract(contract) => outputs.saturating_mul(contract.k.into()),
            LinearKind::Scale(_) => outputs,
            LinearKind::Gather(gather) => gather.macs(self.map),
        }
    }

    fn scale_at(&self, output: usize) -> f64 {
        let at = self.broadcast.as_ref().map_or(output, |b| b.source(output));
        self.weights.data.get(at).copied().unwrap_or(0.0)
    }
}

/// The shape of a weight tensor that a map names.
fn weight_shape(weight: TensorId, tensors: &Tensors) -> Result<&Shape, LinearError> {
    tensors
        .get(weight)
        .map(|t| t.shape())
        .ok_or(LinearError::NoWeight { weight })
}

/// Why a linear map is not well formed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinearError {
    /// The weight tensor does not exist.
    #[error("weight tensor {weight} does not exist")]
    NoWeight {
        /// The missing tensor.
        weight: TensorId,
    },
    /// A shape is not what the others imply.
    #[error("{op}: {what} shape is {found}, expected {expected}")]
    Shape {
        /// Keyword of the map.
        op: &'static str,
        /// Which operand.
        what: &'static str,
        /// The shape found.
        found: Shape,
        /// The shape the other attributes imply, in words.
        expected: String,
    },
    /// An attribute is out of range.
    #[error("{op}: {attribute} is {found}, expected {expected}")]
    Attribute {
        /// Keyword of the map.
        op: &'static str,
        /// Name of the attribute.
        attribute: &'static str,
        /// Its value.
        found: String,
        /// What would be right.
        expected: String,
    },
}

impl LinearError {
    fn shapes(
        op: &'static str,
        what: &'static str,
        found: &Shape,
        expected: impl ToString,
    ) -> Self {
        Self::Shape {
            op,
            what,
            found: found.clone(),
            expected: expected.to_string(),
        }
    }

    fn attribute(
        op: &'static str,
        attribute: &'static str,
        found: impl ToString,
        expected: impl ToString,
    ) -> Self {
        Self::Attribute {
            op,
            attribute,
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }
}

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
    fn tap(&self, axis: usize, output: u32, input: u32) -> Option<u32> {
        let offset = (input + self.pads[axis]).checked_sub(output * self.strides[axis])?;
        let tap = match self.dilations[axis] {
            1 => offset,
            dilation if offset.is_multiple_of(dilation) => offset / dilation,
            _ => return None,
        };
        (tap < self.kernel[axis]).then_some(tap)
    }

    /// Pairs of an output element and an element of its window inside the image, each counted for so many channels.
    fn taps(&self, map: &LinearMap, channels: u32) -> u64 {
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
    fn outputs(&self, axis: usize, tap: u32, input: u32, output: u32) -> Range<u32> {
        let (stride, offset) = (self.strides[axis], tap * self.dilations[axis]);
        // Outputs from `first` on look behind the padding before the image, those from `end` on beyond its end.
        let first = self.pads[axis].saturating_sub(offset).div_ceil(stride);
        let end = (self.pads[axis] + input)
            .saturating_sub(offset)
            .div_ceil(stride);
        first..end.min(output)
    }

    fn check(&self, op: &'static str, map: &LinearMap) -> Result<(), LinearError> {
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
    const MAX_EXTENT: u32 = 0x7fff;
}

#[cfg(test)]
mod tests;
