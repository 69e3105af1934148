//! Values known at compile time: weights, shapes, axes.

use super::element::Element;
use peregrine_ir::TensorError;
use std::rc::Rc;

/// A tensor whose elements are known. Integers are held as `f64` too: they are shapes, axes and bounds, and the
/// largest and smallest 64-bit integers, which stand for "to the end", survive the round trip by saturation.
#[derive(Clone, Debug)]
pub(in crate::onnx) struct Constant {
    /// The initializer it is or came from, for messages.
    pub(in crate::onnx) name: Rc<str>,
    pub(in crate::onnx) element: Element,
    /// May contain zeros: an empty list of axes is a tensor of shape `[0]`.
    pub(in crate::onnx) dims: Vec<u32>,
    data: Data,
}

#[derive(Clone, Debug)]
enum Data {
    Each(Rc<[f64]>),
    /// One value for all elements; never expanded without need, for a few bytes of model can ask for any number of them.
    All(f64),
}

/// Number of elements of `dims`, saturating.
pub(in crate::onnx) fn elements(dims: &[u32]) -> u64 {
    if dims.contains(&0) {
        return 0;
    }
    dims.iter()
        .fold(1, |n, &d| u64::saturating_mul(n, u64::from(d)))
}

impl Constant {
    /// `data` must have as many elements as `dims`.
    pub(in crate::onnx) fn new(
        name: impl Into<Rc<str>>,
        element: Element,
        dims: Vec<u32>,
        data: Vec<f64>,
    ) -> Self {
        debug_assert_eq!(elements(&dims), data.len() as u64, "data fill the shape");
        let data = Data::Each(data.into());
        Self {
            name: name.into(),
            element,
            dims,
            data,
        }
    }

    pub(in crate::onnx) fn splat(
        name: impl Into<Rc<str>>,
        element: Element,
        dims: Vec<u32>,
        value: f64,
    ) -> Self {
        Self {
            name: name.into(),
            element,
            dims,
            data: Data::All(value),
        }
    }

    /// A list of integers.
    pub(in crate::onnx) fn list(name: impl Into<Rc<str>>, values: &[i64]) -> Self {
        let data = values.iter().map(|&v| v as f64).collect();
        Self::new(name, Element::INT64, vec![values.len() as u32], data)
    }

    /// Number of elements.
    pub(in crate::onnx) fn len(&self) -> u64 {
        elements(&self.dims)
    }

    /// Whether it is stored as one value.
    pub(in crate::onnx) fn is_splat(&self) -> bool {
        matches!(self.data, Data::All(_))
    }

    /// The elements of this constant under other dimensions (equal element count).
    pub(in crate::onnx) fn with_dims(&self, dims: Vec<u32>) -> Self {
        debug_assert_eq!(elements(&dims), self.len(), "a reshape keeps all elements");
        Self {
            dims,
            ..self.clone()
        }
    }

    /// The elements of this constant under another type.
    pub(in crate::onnx) fn with_element(&self, element: Element) -> Self {
        Self {
            element,
            ..self.clone()
        }
    }

    /// Element `index`; the model's bounds are checked by the caller, NaN beyond them.
    pub(in crate::onnx) fn at(&self, index: usize) -> f64 {
        match &self.data {
            Data::Each(data) => data.get(index).copied().unwrap_or(f64::NAN),
            Data::All(value) => *value,
        }
    }

    /// All elements in row-major order.
    pub(in crate::onnx) fn values(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.len() as usize).map(|i| self.at(i))
    }

    /// Applies `f` to every element.
    pub(in crate::onnx) fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        let data = match &self.data {
            Data::Each(data) => Data::Each(data.iter().map(|&x| f(x)).collect()),
            Data::All(value) => Data::All(f(*value)),
        };
        Self {
            data,
            ..self.clone()
        }
    }

    /// The value of every element, when they are all the same.
    pub(in crate::onnx) fn uniform(&self) -> Option<f64> {
        let first = self.at(0);
        (self.len() > 0 && (self.is_splat() || self.values().all(|x| x == first))).then_some(first)
    }

    /// Refuses NaN. Infinities are bounds and masks of exporters; as weights they are refused where they are used.
    pub(in crate::onnx) fn check_numbers(&self) -> Result<(), TensorError> {
        match self.values().position(|x| x.is_nan()) {
            None => Ok(()),
            Some(index) => Err(TensorError::NotFinite {
                name: self.name.to_string(),
                index,
            }),
        }
    }

    /// Identifies the storage, to recognise a weight used twice.
    pub(in crate::onnx) fn storage(&self) -> Option<Rc<[f64]>> {
        match &self.data {
            Data::Each(data) => Some(Rc::clone(data)),
            Data::All(_) => None,
        }
    }
}
