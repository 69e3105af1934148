//! Coefficient fields: one number per element of a tensor, stored in the smallest shape that broadcasts to it.
//!
//! Per-channel, per-element and scalar coefficients are the same thing here; [`Field::compact`] finds which of them a
//! field is. Comparisons are exact: two fields are equal when every number is.

use peregrine_ir::{Broadcast, Shape, Tensor};

/// Coefficients of a tensor, in a shape that broadcasts to the tensor's.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    shape: Shape,
    data: Vec<f64>,
}

impl Field {
    /// A field with one scalar for all elements.
    pub(super) fn scalar(value: f64) -> Self {
        let Ok(shape) = Shape::new(Vec::new()) else {
            unreachable!("the empty product is 1");
        };
        Self {
            shape,
            data: vec![value],
        }
    }

    /// The field of a tensor's elements.
    pub(super) fn from_tensor(tensor: &Tensor) -> Self {
        Self {
            shape: tensor.shape().clone(),
            data: tensor.data().to_vec(),
        }
    }

    /// The numbers of a whole tensor of `shape`: axes along which they do not change are dropped. O(elements * rank).
    pub(super) fn compact(shape: &Shape, data: Vec<f64>) -> Self {
        debug_assert_eq!(shape.elements(), data.len(), "one number per element");
        let (mut dims, mut data) = (shape.dims().to_vec(), data);
        for axis in 0..dims.len() {
            let extent = dims[axis] as usize;
            let inner: usize = dims[axis + 1..].iter().map(|&d| d as usize).product();
            if extent > 1 && repeats(&data, extent, inner) {
                data = data
                    .chunks(extent * inner)
                    .flat_map(|block| block.iter().take(inner).copied())
                    .collect();
                dims[axis] = 1;
            }
        }
        let leading = dims.iter().take_while(|&&d| d == 1).count();
        match Shape::new(dims.split_off(leading)) {
            Ok(shape) => Self { shape, data },
            Err(_) => unreachable!("dimensions only shrink"),
        }
    }

    /// This field in its smallest shape.
    pub(super) fn compacted(self) -> Self {
        let Self { shape, data } = self;
        Self::compact(&shape, data)
    }

    /// The shape that the field is stored in.
    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The numbers of the field, as they are stored.
    pub(super) fn data(&self) -> &[f64] {
        &self.data
    }

    /// One number per element of `target`, or `None` when the field does not broadcast to it.
    pub(super) fn expand(&self, target: &Shape) -> Option<Vec<f64>> {
        let broadcast = Broadcast::new(&self.shape, target)?;
        Some(
            (0..target.elements())
                .map(|i| self.data[broadcast.source(i)])
                .collect(),
        )
    }

    /// One number per coordinate along the second axis of `target`, the channels of an image, or `None` when the field
    /// depends on another one.
    pub(super) fn per_channel(&self, target: &Shape) -> Option<Vec<f64>> {
        let channels = *target.dims().get(1)?;
        if let &[all] = self.data.as_slice() {
            return Some(vec![all; channels as usize]);
        }
        let outer = target.rank().checked_sub(self.shape.rank())?;
        let along = |(axis, &extent): (usize, &u32)| match axis + outer {
            1 => extent == channels,
            _ => extent == 1,
        };
        let only = self.shape.dims().iter().enumerate().all(along);
        only.then(|| self.data.clone())
    }

    /// The numbers of the channels of an image `[N, C, H, W]`, or `None` when there is none.
    pub(super) fn of_channels(data: Vec<f64>) -> Option<Self> {
        Self::along(vec![data.len() as u32, 1, 1], data)
    }

    /// One number per coordinate along the second axis of `shape`; `None` when they are not as many.
    pub(super) fn along_channels(shape: &Shape, data: Vec<f64>) -> Option<Self> {
        let mut dims = vec![1; shape.rank()];
        *dims.get_mut(1)? = *shape.dims().get(1)?;
        Self::along(dims, data)
    }

    fn along(dims: Vec<u32>, data: Vec<f64>) -> Option<Self> {
        let shape = Shape::new(dims).ok()?;
        (shape.elements() == data.len()).then(|| Self::compact(&shape, data))
    }

    /// Whether it takes no more room than a bias of a linear operator with results of `shape`: where there are pixels,
    /// it does not depend on them.
    pub(super) fn is_small(&self, shape: &Shape) -> bool {
        shape.rank() < 4 || self.shape.dims().iter().rev().take(2).all(|&d| d == 1)
    }

    /// The field of a reshaped tensor: `from` and `to` have equally many elements.
    pub(super) fn reshaped(&self, from: &Shape, to: &Shape) -> Option<Self> {
        if self.data.len() == 1 {
            return Some(Self::scalar(self.data[0]));
        }
        if from == to {
            return Some(self.clone());
        }
        Some(Self::compact(to, self.expand(from)?))
    }

    /// Combines two fields element by element with `f`; `None` when the shapes do not broadcast together.
    pub(super) fn zip(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Option<Self> {
        let shape = self.shape.broadcast(&other.shape)?;
        let (a, b) = (
            Broadcast::new(&self.shape, &shape)?,
            Broadcast::new(&other.shape, &shape)?,
        );
        let data = (0..shape.elements())
            .map(|i| f(self.data[a.source(i)], other.data[b.source(i)]))
            .collect();
        Some(Self { shape, data })
    }

    /// Applies `f` to every number of the field.
    pub(super) fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self {
            shape: self.shape.clone(),
            data: self.data.iter().map(|&x| f(x)).collect(),
        }
    }

    /// Whether every number satisfies `f`.
    pub(super) fn all(&self, f: impl Fn(f64) -> bool) -> bool {
        self.data.iter().all(|&x| f(x))
    }

    /// Whether every number is zero.
    pub(super) fn is_zero(&self) -> bool {
        self.all(|x| x == 0.0)
    }
}

/// Whether data of shape `[outer, extent, inner]` do not depend on the middle coordinate.
fn repeats(data: &[f64], extent: usize, inner: usize) -> bool {
    data.chunks(extent * inner).all(|block| {
        let (first, rest) = block.split_at(inner.min(block.len()));
        rest.chunks(inner).all(|line| line == first)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(dims: &[u32]) -> Shape {
        Shape::new(dims).unwrap()
    }

    #[test]
    fn a_per_channel_field_is_recognised() {
        let full = (0..24).map(|i| f64::from(i / 6 % 2)).collect();
        let field = Field::compact(&shape(&[2, 2, 2, 3]), full);
        assert_eq!(field.shape(), &shape(&[2, 1, 1]));
        assert_eq!(field.data(), [0.0, 1.0]);
    }

    #[test]
    fn a_constant_field_is_a_scalar() {
        assert_eq!(
            Field::compact(&shape(&[3, 2]), vec![2.5; 6]),
            Field::scalar(2.5)
        );
    }

    #[test]
    fn flattening_materialises_a_channel_field() {
        let field = Field::compact(&shape(&[1, 2, 1, 2]), [1.0, 2.0].map(|x| [x; 2]).concat());
        let flat = field
            .reshaped(&shape(&[1, 2, 1, 2]), &shape(&[1, 4]))
            .unwrap();
        assert_eq!(flat.shape(), &shape(&[4]));
        assert_eq!(flat.data(), [1.0, 1.0, 2.0, 2.0]);
    }
}
