//! Steps of the client before encryption and after decryption: the operators that a model begins and ends with.
//!
//! The compiler removes these operators from the ends of a model and states them in the circuit's ports. The client applies
//! them after decryption ([`Finish`]), or before it packs an input ([`Prepare`]). The client, the simulator and the reference
//! evaluation of the model share this definition.

mod function;
mod lines;
mod movement;
mod prepare;

pub use function::{ElementFunction, FunctionKind};
pub use prepare::{InputElement, Prepare, PrepareError};

use crate::shape::Shape;
use function::sigmoid;
use lines::{Lines, log_softmax, softmax};
use std::fmt;

/// The steps that the client takes after decryption, in order; empty for most circuits.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
#[serde(transparent)]
pub struct Finish(pub Vec<FinishStep>);

/// A step of the client: a function of a whole tensor.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(tag = "function", rename_all = "snake_case")]
pub enum FinishStep {
    /// `exp(x_i)` over the sum of `exp(x_j)` along an axis.
    Softmax {
        /// The axis, from 0.
        axis: u32,
    },
    /// The logarithm of the softmax.
    LogSoftmax {
        /// The axis, from 0.
        axis: u32,
    },
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// The position of the largest element along an axis, whose extent becomes 1. The result is integers.
    #[serde(rename = "argmax")]
    ArgMax {
        /// The axis, from 0.
        axis: u32,
        /// Whether the last of equal elements is taken instead of the first.
        last: bool,
    },
    /// The position of the smallest element along an axis, whose extent becomes 1. The result is integers.
    #[serde(rename = "argmin")]
    ArgMin {
        /// The axis, from 0.
        axis: u32,
        /// Whether the last of equal elements is taken instead of the first.
        last: bool,
    },
    /// The elements in row-major order under other dimensions.
    Reshape {
        /// The dimensions.
        shape: Shape,
    },
    /// A function of every element by itself.
    Elementwise(ElementFunction),
    /// `factor x + offset`, with a factor and an offset for every position along an axis.
    Affine {
        /// The axis, from 0.
        axis: u32,
        /// One per position.
        factor: Vec<f64>,
        /// One per position.
        offset: Vec<f64>,
    },
    /// Axis `j` of the result is axis `order[j]` of the operand.
    Transpose {
        /// Every axis once.
        order: Vec<u32>,
    },
    /// Positions at equal distances along an axis.
    Slice {
        /// The axis, from 0.
        axis: u32,
        /// The first position.
        start: u32,
        /// The distance from one position to the next; negative from the back to the front.
        step: i32,
        /// The number of positions.
        count: u32,
    },
    /// Listed positions along an axis.
    Take {
        /// The axis, from 0.
        axis: u32,
        /// The positions, in the order of the result.
        positions: Vec<u32>,
    },
}

impl Finish {
    /// The largest number of steps.
    pub const MAX_STEPS: usize = 32;

    /// The largest number of factors, offsets or positions in one step.
    pub const MAX_LIST: usize = 1 << 12;

    /// The largest number of elements that a step may give.
    pub const MAX_ELEMENTS: u64 = 1 << 24;

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the result of the steps is integers.
    pub fn gives_integers(&self) -> bool {
        self.0.iter().any(FinishStep::gives_integers)
    }

    /// The shape of the result for a tensor of `shape`.
    ///
    /// # Errors
    /// When there are too many steps, an axis or position does not exist, a parameter is no number, a reshape changes the
    /// number of elements, or a function follows one that gives integers.
    pub fn result_shape(&self, shape: &Shape) -> Result<Shape, FinishError> {
        let (found, limit) = (self.0.len(), Self::MAX_STEPS);
        if found > limit {
            return Err(FinishError::TooMany { found, limit });
        }
        let (mut shape, mut integers) = (shape.clone(), false);
        for step in &self.0 {
            if integers && !step.moves() {
                let step = step.to_string();
                return Err(FinishError::OfIntegers { step });
            }
            integers |= step.gives_integers();
            shape = step.result_shape(&shape)?;
        }
        Ok(shape)
    }

    /// The result for the row-major elements `x` of a tensor of `shape`, and its shape.
    ///
    /// # Errors
    /// When [`Finish::result_shape`] has an error, or the elements do not fill the shape.
    pub fn apply(&self, shape: &Shape, x: Vec<f64>) -> Result<(Shape, Vec<f64>), FinishError> {
        let result = self.result_shape(shape)?;
        if x.len() != shape.elements() {
            let (found, shape) = (x.len(), shape.clone());
            return Err(FinishError::Length { found, shape });
        }
        let (mut shape, mut x) = (shape.clone(), x);
        for step in &self.0 {
            let next = step.result_shape(&shape)?;
            x = step.apply(&shape, x);
            shape = next;
        }
        Ok((result, x))
    }
}

impl FinishStep {
    fn gives_integers(&self) -> bool {
        matches!(self, Self::ArgMax { .. } | Self::ArgMin { .. })
    }

    /// Whether the step only moves elements, or leaves some out, and computes nothing.
    pub fn moves(&self) -> bool {
        match self {
            Self::Reshape { .. }
            | Self::Transpose { .. }
            | Self::Slice { .. }
            | Self::Take { .. } => true,
            Self::Softmax { .. }
            | Self::LogSoftmax { .. }
            | Self::Sigmoid
            | Self::Tanh
            | Self::ArgMax { .. }
            | Self::ArgMin { .. }
            | Self::Elementwise(_)
            | Self::Affine { .. } => false,
        }
    }

    fn result_shape(&self, shape: &Shape) -> Result<Shape, FinishError> {
        match self {
            Self::Sigmoid | Self::Tanh => Ok(shape.clone()),
            Self::Softmax { axis } | Self::LogSoftmax { axis } => {
                self.check_axis(*axis, shape)?;
                Ok(shape.clone())
            }
            Self::ArgMax { axis, .. } | Self::ArgMin { axis, .. } => self.along(*axis, shape, 1),
            Self::Reshape { shape: to } if to.elements() == shape.elements() => Ok(to.clone()),
            Self::Reshape { shape: to } => Err(FinishError::Elements {
                to: to.clone(),
                shape: shape.clone(),
            }),
            Self::Elementwise(function) => self.numbers(&function.parameters, shape),
            Self::Affine {
                axis,
                factor,
                offset,
            } => {
                let extent = self.check_axis(*axis, shape)? as usize;
                if factor.len() != extent || offset.len() != extent || extent > Finish::MAX_LIST {
                    return Err(self.no_axis(shape));
                }
                let finite = factor.iter().chain(offset).all(|x| x.is_finite());
                let numbers = if finite { &[][..] } else { &[f64::NAN] };
                self.numbers(numbers, shape)
            }
            Self::Transpose { order } => self.transposed(order, shape),
            Self::Slice {
                axis,
                start,
                step,
                count,
            } => {
                let extent = i64::from(self.check_axis(*axis, shape)?);
                let first = i64::from(*start);
                let last = first + i64::from(*step) * (i64::from(*count) - 1);
                let inside = |at: i64| (0..extent).contains(&at);
                if *count == 0 || !inside(first) || !inside(last) {
                    return Err(self.no_axis(shape));
                }
                self.along(*axis, shape, *count)
            }
            Self::Take { axis, positions } => {
                let extent = self.check_axis(*axis, shape)?;
                let count = positions.len();
                if count == 0 || count > Finish::MAX_LIST || positions.iter().any(|&p| p >= extent)
                {
                    return Err(self.no_axis(shape));
                }
                self.along(*axis, shape, count as u32)
            }
        }
    }

    /// Bounds of the results for elements between `low` and `high`; `None` for a function that is not monotonic.
    pub(super) fn range(&self, [low, high]: [f64; 2]) -> Option<[f64; 2]> {
        let hull = |a: [f64; 2], b: [f64; 2]| [a[0].min(b[0]), a[1].max(b[1])];
        let line = |(a, b): (&f64, &f64)| {
            let (x, y) = (a.mul_add(low, *b), a.mul_add(high, *b));
            [x.min(y), x.max(y)]
        };
        match self {
            step if step.moves() => Some([low, high]),
            Self::Affine { factor, offset, .. } => factor.iter().zip(offset).map(line).reduce(hull),
            Self::Elementwise(function) => match function.kind {
                FunctionKind::Affine => {
                    Some(line((&function.parameters[0], &function.parameters[1])))
                }
                FunctionKind::Clip
                | FunctionKind::Relu
                | FunctionKind::Floor
                | FunctionKind::Ceil
                | FunctionKind::Round
                | FunctionKind::Exp
                | FunctionKind::Log
                | FunctionKind::Sqrt => Some([function.apply(low), function.apply(high)]),
                _ => None,
            },
            _ => None,
        }
    }

    /// The extent of an axis.
    fn check_axis(&self, axis: u32, shape: &Shape) -> Result<u32, FinishError> {
        let extent = shape.dims().get(axis as usize).copied();
        extent.ok_or_else(|| self.no_axis(shape))
    }

    /// `shape`, after checking that the parameters are numbers.
    fn numbers(&self, parameters: &[f64], shape: &Shape) -> Result<Shape, FinishError> {
        if parameters.iter().any(|x| x.is_nan()) {
            return Err(FinishError::NotANumber {
                step: self.to_string(),
            });
        }
        Ok(shape.clone())
    }

    /// `shape` with another extent along `axis`.
    fn along(&self, axis: u32, shape: &Shape, extent: u32) -> Result<Shape, FinishError> {
        let own = u64::from(self.check_axis(axis, shape)?);
        let elements = shape.elements() as u64 / own.max(1) * u64::from(extent);
        if extent > own as u32 && elements > Finish::MAX_ELEMENTS {
            return Err(self.no_axis(shape));
        }
        let dims = shape.dims().iter().zip(0..);
        let dims: Vec<u32> = dims
            .map(|(&d, i)| if i == axis { extent } else { d })
            .collect();
        Shape::new(dims).map_err(|_| self.no_axis(shape))
    }

    fn transposed(&self, order: &[u32], shape: &Shape) -> Result<Shape, FinishError> {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if sorted.len() != shape.rank() || !sorted.iter().zip(0..).all(|(&a, i)| a == i) {
            return Err(self.no_axis(shape));
        }
        let dims: Result<Vec<u32>, _> = order
            .iter()
            .map(|&axis| self.check_axis(axis, shape))
            .collect();
        Shape::new(dims?).map_err(|_| self.no_axis(shape))
    }

    fn no_axis(&self, shape: &Shape) -> FinishError {
        FinishError::Axis {
            step: self.to_string(),
            shape: shape.clone(),
        }
    }

    /// The function of a tensor.
    fn apply(&self, shape: &Shape, mut x: Vec<f64>) -> Vec<f64> {
        match self {
            Self::Sigmoid => x.iter_mut().for_each(|x| *x = sigmoid(*x)),
            Self::Tanh => x.iter_mut().for_each(|x| *x = x.tanh()),
            Self::Softmax { axis } => Lines::new(shape, *axis).map(&mut x, softmax),
            Self::LogSoftmax { axis } => Lines::new(shape, *axis).map(&mut x, log_softmax),
            Self::ArgMax { axis, last } => {
                let better = |a: f64, b: f64| a > b || (*last && a == b);
                return Lines::new(shape, *axis).best(&x, better);
            }
            Self::ArgMin { axis, last } => {
                let better = |a: f64, b: f64| a < b || (*last && a == b);
                return Lines::new(shape, *axis).best(&x, better);
            }
            Self::Reshape { .. } => {}
            Self::Elementwise(function) => x.iter_mut().for_each(|x| *x = function.apply(*x)),
            Self::Affine {
                axis,
                factor,
                offset,
            } => {
                Lines::new(shape, *axis).scale(&mut x, factor, offset);
            }
            Self::Transpose { order } => return movement::transpose(shape, order, &x),
            Self::Slice {
                axis,
                start,
                step,
                count,
            } => {
                let at = |i: u32| (i64::from(*start) + i64::from(*step) * i64::from(i)) as u32;
                let positions: Vec<u32> = (0..*count).map(at).collect();
                return movement::take(shape, *axis, &positions, &x);
            }
            Self::Take { axis, positions } => return movement::take(shape, *axis, positions, &x),
        }
        x
    }
}

impl fmt::Display for FinishStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = |last: &bool| if *last { " last" } else { "" };
        match self {
            Self::Softmax { axis } => write!(f, "softmax axis={axis}"),
            Self::LogSoftmax { axis } => write!(f, "log_softmax axis={axis}"),
            Self::Sigmoid => f.write_str("sigmoid"),
            Self::Tanh => f.write_str("tanh"),
            Self::ArgMax { axis, last: l } => write!(f, "argmax axis={axis}{}", last(l)),
            Self::ArgMin { axis, last: l } => write!(f, "argmin axis={axis}{}", last(l)),
            Self::Reshape { shape } => write!(f, "reshape {shape}"),
            Self::Elementwise(function) => function.fmt(f),
            Self::Affine {
                axis,
                factor,
                offset,
            } => {
                write!(f, "affine axis={axis} factor={factor:?} offset={offset:?}")
            }
            Self::Transpose { order } => write!(f, "transpose {order:?}"),
            Self::Slice {
                axis,
                start,
                step,
                count,
            } => {
                write!(
                    f,
                    "slice axis={axis} start={start} step={step} count={count}"
                )
            }
            Self::Take { axis, positions } => write!(f, "take axis={axis} {positions:?}"),
        }
    }
}

/// Prints the steps as the text form lists them, without brackets.
impl fmt::Display for Finish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{step}")?;
        }
        Ok(())
    }
}

/// Why steps do not fit a tensor or each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences name every field")]
pub enum FinishError {
    #[error("{found} steps are left to the client, the limit is {limit}")]
    TooMany { found: usize, limit: usize },
    #[error("{step}: a tensor of shape {shape} has no such axis or position")]
    Axis { step: String, shape: Shape },
    #[error("reshape {to}: a tensor of shape {shape} has another number of elements")]
    Elements { to: Shape, shape: Shape },
    #[error("{step}: only movements follow a step that gives integers")]
    OfIntegers { step: String },
    #[error("{step}: a parameter is not a number")]
    NotANumber { step: String },
    #[error("{found} values do not fill the shape {shape}")]
    Length { found: usize, shape: Shape },
}

#[cfg(test)]
mod tests;
