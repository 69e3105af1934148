//! Weight tensors, which the model owner brings and the client never sees.

use crate::entity::{Arena, TensorId};
use crate::shape::Shape;
use std::sync::Arc;

/// A named array of weights. Clones share its data.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The initializer of the ONNX model it came from, or what the compiler derived it from.
    pub name: String,
    shape: Shape,
    data: Arc<[f64]>,
    has_zero: bool,
}

impl Tensor {
    /// A tensor of `shape` with `data` in row-major order.
    ///
    /// # Errors
    /// When the number of elements differs from the shape's, or a value is not finite.
    pub fn new(name: impl Into<String>, shape: Shape, data: Vec<f64>) -> Result<Self, TensorError> {
        let name = name.into();
        if data.len() != shape.elements() {
            return Err(TensorError::Length {
                name,
                found: data.len(),
                shape,
            });
        }
        if let Some(index) = data.iter().position(|x| !x.is_finite()) {
            return Err(TensorError::NotFinite { name, index });
        }
        let has_zero = data.contains(&0.0);
        let data = data.into();
        Ok(Self {
            name,
            shape,
            data,
            has_zero,
        })
    }

    /// The number 1, a tensor without dimensions. Broadcast, it is the ones of a mask.
    pub fn one() -> Self {
        Self {
            name: "1".to_owned(),
            shape: Shape::scalar(),
            data: [1.0].into(),
            has_zero: false,
        }
    }

    /// The shape of the tensor.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The elements in row-major order; all are finite.
    pub fn data(&self) -> &[f64] {
        &self.data
    }

    /// Whether some element is zero. O(1).
    pub const fn has_zero(&self) -> bool {
        self.has_zero
    }

    /// Whether every element is exactly a 32-bit float, so that the binary form stores 4 bytes for each in place of 8.
    pub fn fits_f32(&self) -> bool {
        self.data.iter().all(|&x| f64::from(x as f32) == x)
    }
}

/// The weights of a model.
pub type Tensors = Arena<TensorId, Tensor>;

/// Why an array is not a [`Tensor`].
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TensorError {
    /// The data do not fill the shape.
    #[error("tensor `{name}` holds {found} values, its shape {shape} wants {}", shape.elements())]
    Length {
        /// The tensor.
        name: String,
        /// Values given.
        found: usize,
        /// The shape to fill.
        shape: Shape,
    },
    /// A value is NaN or infinite.
    #[error("tensor `{name}` holds a value that is not finite at flat index {index}")]
    NotFinite {
        /// The tensor.
        name: String,
        /// Flat index of the first such value.
        index: usize,
    },
}
