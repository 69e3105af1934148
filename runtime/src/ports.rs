//! Tensors by name, and their way into and out of the slots of a port.

use crate::range::{self, Outlier};
use peregrine_ir::{
    Finish, FinishError, InputElement, InputRange, Layout, Prepare, PrepareError, Shape,
    given_shape,
};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A tensor of doubles in row-major order, as clients and the simulator take and give it.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    shape: Shape,
    data: Vec<f64>,
    integers: bool,
}

/// Tensors by name.
pub type Arrays = BTreeMap<String, Array>;

impl Array {
    /// A tensor of real numbers of some shape, from its values in row-major order.
    ///
    /// # Errors
    /// When the number of values is not the shape's.
    pub fn new(shape: Shape, data: Vec<f64>) -> Result<Self, PortError> {
        if data.len() != shape.elements() {
            return Err(PortError::Length {
                found: data.len(),
                shape,
            });
        }
        Ok(Self {
            shape,
            data,
            integers: false,
        })
    }

    /// A tensor of integers of some shape, such as the pixels of an image file, from its values in row-major order.
    ///
    /// # Errors
    /// As [`Array::new`].
    pub fn of_integers(shape: Shape, data: Vec<f64>) -> Result<Self, PortError> {
        Ok(Self {
            integers: true,
            ..Self::new(shape, data)?
        })
    }

    /// The tensor after the steps that a client takes once it has decrypted it.
    ///
    /// # Errors
    /// When the steps do not fit the tensor.
    pub fn finished(&self, finish: &Finish) -> Result<Self, PortError> {
        let (shape, data) = finish.apply(&self.shape, self.data.clone())?;
        Ok(Self {
            shape,
            data,
            integers: finish.gives_integers(),
        })
    }

    /// Concatenates tensors into one of `shape`, one after the other; the result holds integers if all of them do.
    ///
    /// # Errors
    /// When they do not fill the shape.
    pub fn concatenated(shape: Shape, parts: &[&Self]) -> Result<Self, PortError> {
        let data = parts.iter().flat_map(|part| part.data.iter().copied());
        let integers = parts.iter().all(|part| part.integers);
        Ok(Self {
            integers,
            ..Self::new(shape, data.collect())?
        })
    }

    /// Whether the values are positions or bytes, not approximate numbers.
    pub fn is_integer(&self) -> bool {
        self.integers
    }

    /// The shape of the tensor.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The values of the tensor in row-major order.
    pub fn data(&self) -> &[f64] {
        &self.data
    }

    /// The values of the tensor in row-major order, without a copy.
    pub fn into_data(self) -> Vec<f64> {
        self.data
    }
}

/// How a tensor enters or leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PortView<'p> {
    /// Name of the input in the model.
    pub(crate) name: &'p str,
    /// Shape of the input in the model.
    pub(crate) shape: &'p Shape,
    /// How it is packed.
    pub(crate) layout: &'p Layout,
    /// What the client does before it packs.
    pub(crate) prepare: Option<&'p Prepare>,
    /// Where its values lie as they are given, if it is an input of which that is known.
    pub(crate) range: Option<InputRange>,
    /// The largest magnitude of its values: infinite where nothing is encrypted.
    pub(crate) largest: f64,
}

impl PortView<'_> {
    /// The slots of each ciphertext, from the tensor of this name.
    pub(crate) fn pack(&self, arrays: &Arrays) -> Result<Vec<Vec<f64>>, PortError> {
        Ok(self.layout.pack(&self.checked(arrays)?.0.data))
    }

    /// The tensor of this name as it is packed, and what is odd about it.
    pub(crate) fn checked<'a>(
        &self,
        arrays: &'a Arrays,
    ) -> Result<(Cow<'a, Array>, Option<Outlier>), PortError> {
        let name = || self.name.to_owned();
        let array = arrays
            .get(self.name)
            .ok_or_else(|| PortError::Missing { name: name() })?;
        let given = given_shape(self.shape, self.prepare);
        if core(&array.shape) != core(given) {
            return Err(PortError::Shape {
                name: name(),
                found: array.shape.clone(),
                expected: given.clone(),
            });
        }
        if let Some(index) = array.data.iter().position(|x| !x.is_finite()) {
            return Err(PortError::NotFinite {
                name: name(),
                index: array.shape.unravel(index),
            });
        }
        let odd = range::check(self.name, self.range, array, self.largest)?;
        Ok((self.prepared(array)?, odd))
    }

    /// What the client makes of the tensor that it is given, before it packs.
    fn prepared<'a>(&self, array: &'a Array) -> Result<Cow<'a, Array>, PortError> {
        let element = self.prepare.map_or(InputElement::Real, |p| p.element);
        if array.integers && element == InputElement::Real {
            let name = self.name.to_owned();
            return Err(PortError::Integers { name });
        }
        let Some(prepare) = self.prepare else {
            return Ok(Cow::Borrowed(array));
        };
        let prepared = prepare.apply(array.data.clone());
        let (shape, data) = prepared.map_err(|source| PortError::Prepare {
            name: self.name.to_owned(),
            source,
        })?;
        Array::new(shape, data).map(Cow::Owned)
    }

    /// The tensor that the slots of the ciphertexts hold.
    pub(crate) fn unpack(&self, slots: &[Vec<f64>]) -> Result<Array, PortError> {
        Array::new(self.shape.clone(), self.layout.unpack(slots))
    }
}

/// The dimensions without leading ones: `[1, 3, 32, 32]` and `[3, 32, 32]` are the same image.
fn core(shape: &Shape) -> &[u32] {
    let dims = shape.dims();
    let ones = dims.iter().take_while(|&&d| d == 1).count();
    dims.get(ones..).unwrap_or(&[])
}

/// Refuses tensors whose name no port has.
pub(crate) fn check_names<'p>(
    arrays: &Arrays,
    ports: impl Iterator<Item = &'p str> + Clone,
) -> Result<(), PortError> {
    for name in arrays.keys() {
        if !ports.clone().any(|port| port == name) {
            return Err(PortError::Unknown {
                name: name.clone(),
                known: ports.map(|port| format!("`{port}`")).collect::<Vec<_>>(),
            });
        }
    }
    Ok(())
}

/// Why a tensor is not one that the circuit takes.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PortError {
    /// Values that do not fill the shape.
    #[error("{found} values do not fill the shape {shape}")]
    Length {
        /// Number of values.
        found: usize,
        /// The shape.
        shape: Shape,
    },
    /// An input that is not given.
    #[error("input `{name}` is missing")]
    Missing {
        /// Name of the input.
        name: String,
    },
    /// A tensor that is no input of the circuit.
    #[error("the model has no input `{name}`, its inputs are {}", known.join(", "))]
    Unknown {
        /// Name of the tensor.
        name: String,
        /// Names of the circuit's inputs.
        known: Vec<String>,
    },
    /// A tensor of another shape than the model's.
    #[error("input `{name}` has shape {found}, the model takes {expected}")]
    Shape {
        /// Name of the input.
        name: String,
        /// Shape of the tensor.
        found: Shape,
        /// Shape of the input in the model.
        expected: Shape,
    },
    /// A value that is not finite: NaN or infinity.
    #[error("input `{name}` holds a value that is not finite at {index:?}")]
    NotFinite {
        /// Name of the input.
        name: String,
        /// Coordinates of the value.
        index: Vec<u32>,
    },
    /// A value of a magnitude that no circuit holds.
    #[error("input `{name}` holds {value:e} at {index:?}, no circuit holds more than {limit:e}")]
    TooLarge {
        /// Name of the input.
        name: String,
        /// Coordinates of the value.
        index: Vec<u32>,
        /// The value.
        value: f64,
        /// The largest magnitude that is taken.
        limit: f64,
    },
    /// Values far outside the range of an input.
    #[error("{0}")]
    OutOfRange(Box<Outlier>),
    /// Integers where the model takes real numbers.
    #[error("input `{name}` holds integers, the model takes real numbers")]
    Integers {
        /// Name of the input.
        name: String,
    },
    /// Values that are not of the input's type.
    #[error("input `{name}`: {source}")]
    Prepare {
        /// Name of the input.
        name: String,
        /// Which values, and why.
        source: PrepareError,
    },
    /// Steps after decryption that do not fit; does not happen for verified circuits.
    #[error(transparent)]
    Finish(#[from] FinishError),
}
