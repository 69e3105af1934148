//! Tensor shapes: row-major dimensions, flat element indices, broadcasting.

use std::fmt;

/// The dimensions of a tensor; elements are numbered in row-major order from 0.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Shape(Vec<u32>);

impl Shape {
    /// The largest number of elements a tensor may have; keeps every flat index inside `u32`.
    pub const MAX_ELEMENTS: u64 = 1 << 31;

    /// A shape with these dimensions, outermost first.
    ///
    /// # Errors
    /// When a dimension is zero or the product exceeds [`Shape::MAX_ELEMENTS`].
    pub fn new(dims: impl Into<Vec<u32>>) -> Result<Self, ShapeError> {
        let dims = dims.into();
        let mut elements = 1u64;
        for &dim in &dims {
            if dim == 0 {
                return Err(ShapeError::EmptyDimension { dims });
            }
            elements = elements.saturating_mul(u64::from(dim));
        }
        if elements > Self::MAX_ELEMENTS {
            return Err(ShapeError::TooLarge { dims, elements });
        }
        Ok(Self(dims))
    }

    /// The shape of a single number, which has no dimensions.
    pub const fn scalar() -> Self {
        Self(Vec::new())
    }

    /// The dimensions, outermost first.
    pub fn dims(&self) -> &[u32] {
        &self.0
    }

    /// The number of dimensions; 0 for the shape of a single number.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The number of elements; 1 for the shape of a single number.
    pub fn elements(&self) -> usize {
        self.0.iter().map(|&d| d as usize).product()
    }

    /// The dimensions as channels, height, width: leading axes multiply into the channels, missing ones are 1.
    ///
    /// `[C]` and `[1, C]` become `[C, 1, 1]`: a feature vector is a stack of one-pixel maps. Flat indices are unchanged.
    pub fn chw(&self) -> [u32; 3] {
        match self.0.as_slice() {
            [] => [1, 1, 1],
            [n] => [*n, 1, 1],
            [a, b] => [a * b, 1, 1],
            [lead @ .., h, w] => [lead.iter().product(), *h, *w],
        }
    }

    /// The row-major coordinates of the element with the index `flat`.
    pub fn unravel(&self, flat: usize) -> Vec<u32> {
        let mut rest = flat;
        let mut coordinates: Vec<u32> = self
            .0
            .iter()
            .rev()
            .map(|&dim| {
                let coordinate = rest % dim as usize;
                rest /= dim as usize;
                coordinate as u32
            })
            .collect();
        coordinates.reverse();
        coordinates
    }

    /// The row-major index of the element at `coordinates`.
    pub fn ravel(&self, coordinates: &[u32]) -> usize {
        debug_assert_eq!(coordinates.len(), self.rank(), "one coordinate per axis");
        self.0
            .iter()
            .zip(coordinates)
            .fold(0, |flat, (&dim, &c)| flat * dim as usize + c as usize)
    }

    /// Whether a tensor of this shape can be repeated along its missing and unit axes into `target` (NumPy's rule,
    /// aligned at the innermost axis).
    pub fn broadcasts_to(&self, target: &Shape) -> bool {
        self.rank() <= target.rank()
            && self
                .0
                .iter()
                .rev()
                .zip(target.0.iter().rev())
                .all(|(&from, &to)| from == to || from == 1)
    }

    /// The shape that tensors of two shapes broadcast to together, by NumPy's rule; `None` when they do not.
    pub fn broadcast(&self, other: &Shape) -> Option<Shape> {
        let rank = self.rank().max(other.rank());
        let axis = |shape: &Shape, i: usize| {
            (i + shape.rank())
                .checked_sub(rank)
                .and_then(|k| shape.0.get(k).copied())
        };
        let dims: Option<Vec<u32>> = (0..rank)
            .map(
                |i| match (axis(self, i).unwrap_or(1), axis(other, i).unwrap_or(1)) {
                    (a, b) if a == b || b == 1 => Some(a),
                    (1, b) => Some(b),
                    _ => None,
                },
            )
            .collect();
        Shape::new(dims?).ok()
    }
}

/// The map from elements of a broadcast tensor to elements of its source, by flat indices.
#[derive(Clone, Debug)]
pub struct Broadcast {
    /// (dimension of the target, stride in the source), innermost first; stride 0 repeats.
    axes: Vec<(usize, usize)>,
}

impl Broadcast {
    /// The map from flat indices of `target` to flat indices of `source`, or `None` when it does not broadcast.
    pub fn new(source: &Shape, target: &Shape) -> Option<Self> {
        if !source.broadcasts_to(target) {
            return None;
        }
        let mut stride = 1;
        let mut from = source.0.iter().rev();
        let axes = target
            .0
            .iter()
            .rev()
            .map(|&to| {
                let dim = from.next().copied().unwrap_or(1) as usize;
                let step = if dim == 1 { 0 } else { stride };
                stride *= dim;
                (to as usize, step)
            })
            .collect();
        Some(Self { axes })
    }

    /// The number of neighbouring elements of the target that always read the same element of the source; such runs follow
    /// each other.
    pub fn run(&self) -> usize {
        let repeated = self.axes.iter().take_while(|(_, stride)| *stride == 0);
        repeated.map(|(dim, _)| dim).product()
    }

    /// The flat index in the source of the element with flat index `target`.
    pub fn source(&self, target: usize) -> usize {
        let (mut rest, mut source) = (target, 0);
        for &(dim, stride) in &self.axes {
            source += rest % dim * stride;
            rest /= dim;
        }
        source
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<String> = self.0.iter().map(u32::to_string).collect();
        write!(f, "[{}]", dims.join(", "))
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why dimensions are not a [`Shape`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// A dimension is zero.
    #[error("shape {dims:?} has an empty dimension")]
    EmptyDimension {
        /// The dimensions as given.
        dims: Vec<u32>,
    },
    /// The shape has too many elements.
    #[error(
        "shape {dims:?} has {elements} elements, the limit is {}",
        Shape::MAX_ELEMENTS
    )]
    TooLarge {
        /// The dimensions as given.
        dims: Vec<u32>,
        /// Their product.
        elements: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(dims: &[u32]) -> Shape {
        Shape::new(dims).unwrap()
    }

    #[test]
    fn ravel_inverts_unravel() {
        let s = shape(&[3, 4, 5]);
        for flat in 0..s.elements() {
            assert_eq!(s.ravel(&s.unravel(flat)), flat);
        }
    }

    #[test]
    fn broadcasting_follows_the_innermost_axis() {
        assert_eq!(
            shape(&[3, 1, 5]).broadcast(&shape(&[4, 1])),
            Some(shape(&[3, 4, 5]))
        );
        assert_eq!(shape(&[3]).broadcast(&shape(&[4])), None);
        let map = Broadcast::new(&shape(&[2, 1]), &shape(&[3, 2, 2])).unwrap();
        let sources: Vec<usize> = (0..12).map(|i| map.source(i)).collect();
        assert_eq!(sources, [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1]);
        let run =
            |from: &[u32], to: &[u32]| Broadcast::new(&shape(from), &shape(to)).map(|b| b.run());
        assert_eq!(run(&[2, 1], &[3, 2, 2]), Some(2));
        assert_eq!(run(&[3, 1, 1], &[3, 2, 5]), Some(10));
        assert_eq!(run(&[1], &[3, 2]), Some(6));
        assert_eq!(run(&[3, 2], &[3, 2]), Some(1));
    }

    #[test]
    fn hostile_dimensions_are_refused() {
        assert!(matches!(
            Shape::new([0, 3]),
            Err(ShapeError::EmptyDimension { .. })
        ));
        assert!(matches!(
            Shape::new([u32::MAX; 9]),
            Err(ShapeError::TooLarge { .. })
        ));
    }
}
