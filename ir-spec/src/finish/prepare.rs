//! Steps of the client before it packs and encrypts an input.

use super::{Finish, FinishError};
use crate::shape::Shape;
use std::fmt;

/// An input tensor as the model declares it, and the steps from there to the tensor that is packed.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Prepare {
    /// The shape that the model declares.
    pub shape: Shape,
    /// The element type that the model declares.
    pub element: InputElement,
    /// The steps; none of them gives integers.
    pub steps: Finish,
}

/// The element type of an input: which numbers it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InputElement {
    /// Real numbers.
    Real,
    /// Signed integers of so many bits.
    Signed(u8),
    /// Unsigned integers of so many bits.
    Unsigned(u8),
    /// 0 and 1.
    Bool,
}

impl InputElement {
    /// All types; the position of a type is its number in the binary form.
    pub const ALL: [Self; 10] = [
        Self::Real,
        Self::Bool,
        Self::Unsigned(8),
        Self::Signed(8),
        Self::Unsigned(16),
        Self::Signed(16),
        Self::Unsigned(32),
        Self::Signed(32),
        Self::Unsigned(64),
        Self::Signed(64),
    ];

    /// The word of the text form for this type, which is NumPy's.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Bool => "bool",
            Self::Unsigned(8) => "uint8",
            Self::Unsigned(16) => "uint16",
            Self::Unsigned(32) => "uint32",
            Self::Unsigned(_) => "uint64",
            Self::Signed(8) => "int8",
            Self::Signed(16) => "int16",
            Self::Signed(32) => "int32",
            Self::Signed(_) => "int64",
        }
    }

    /// The smallest and the largest value of the type; infinite for real numbers.
    pub fn range(self) -> [f64; 2] {
        let power = |bits: u8| 2f64.powi(i32::from(bits));
        match self {
            Self::Real => [f64::NEG_INFINITY, f64::INFINITY],
            Self::Bool => [0.0, 1.0],
            Self::Unsigned(bits) => [0.0, power(bits) - 1.0],
            Self::Signed(bits) => [-power(bits - 1), power(bits - 1) - 1.0],
        }
    }

    /// Whether a tensor of this type may hold `x`.
    pub fn holds(self, x: f64) -> bool {
        let [least, most] = self.range();
        self == Self::Real || (x.fract() == 0.0 && (least..=most).contains(&x))
    }
}

impl Prepare {
    /// The shape of the tensor that is packed.
    ///
    /// # Errors
    /// When steps do not fit the tensor or each other, or give positions.
    pub fn packed_shape(&self) -> Result<Shape, PrepareError> {
        if self.steps.gives_integers() {
            return Err(PrepareError::Integers);
        }
        Ok(self.steps.result_shape(&self.shape)?)
    }

    /// Bounds of the packed values, for given values between `low` and `high`; `None` where a step is not monotonic.
    pub fn range(&self, [low, high]: [f64; 2]) -> Option<[f64; 2]> {
        let [least, most] = self.element.range();
        let mut range = [low.max(least), high.min(most)];
        for step in &self.steps.0 {
            range = step.range(range)?;
        }
        Some(range)
    }

    /// The tensor to pack, with its shape, from the row-major elements `x` that the client is given.
    ///
    /// # Errors
    /// When [`Prepare::packed_shape`] has an error, or an element is not a number of the declared type.
    pub fn apply(&self, x: Vec<f64>) -> Result<(Shape, Vec<f64>), PrepareError> {
        if let Some(index) = x.iter().position(|&x| !self.element.holds(x)) {
            return Err(PrepareError::Element {
                found: x.get(index).copied().unwrap_or_default().to_string(),
                index: self.shape.unravel(index),
                element: self.element,
            });
        }
        self.packed_shape()?;
        Ok(self.steps.apply(&self.shape, x)?)
    }
}

impl fmt::Display for InputElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}

/// Prints the shape and the steps as the text form has them: `uint8 [1, 8, 8, 1] [transpose [0, 3, 1, 2]]`.
impl fmt::Display for Prepare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} [{}]", self.element, self.shape, self.steps)
    }
}

/// Why an input cannot be prepared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences name every field")]
pub enum PrepareError {
    #[error("a step before encryption gives positions")]
    Integers,
    #[error("the value {found} at {index:?} is not of type {element}")]
    Element {
        found: String,
        index: Vec<u32>,
        element: InputElement,
    },
    #[error(transparent)]
    Step(#[from] FinishError),
}
