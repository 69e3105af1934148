//! What the client does with a decrypted tensor: the functions that models end with and no polynomial computes.
//!
//! The compiler takes them off the end of a model and writes them into the circuit's output ports; the client applies them
//! after decryption. This is their one definition, for the client, the simulator and the reference in the clear.

use crate::shape::Shape;
use std::fmt;

/// The steps that follow decryption, in order; none for most circuits.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Finish(pub Vec<FinishStep>);

/// A function of a whole tensor.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
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
    /// The position of the largest element along an axis, of which one position is left. Gives integers.
    #[serde(rename = "argmax")]
    ArgMax {
        /// The axis, from 0.
        axis: u32,
        /// Whether the last of equal elements is taken instead of the first.
        last: bool,
    },
    /// The position of the smallest element along an axis, of which one position is left. Gives integers.
    #[serde(rename = "argmin")]
    ArgMin {
        /// The axis, from 0.
        axis: u32,
        /// Whether the last of equal elements is taken instead of the first.
        last: bool,
    },
    /// The elements under other dimensions.
    Reshape {
        /// The dimensions.
        shape: Shape,
    },
}

impl Finish {
    /// The most steps.
    pub const MAX_STEPS: usize = 16;

    /// Whether nothing is left to the client.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the result consists of integers.
    pub fn gives_integers(&self) -> bool {
        self.0.iter().any(FinishStep::gives_integers)
    }

    /// The shape of the result for a decrypted tensor of `shape`.
    ///
    /// # Errors
    /// When there are too many steps, an axis does not exist, a reshape changes the number of elements, or a function
    /// follows one that gives integers.
    pub fn result_shape(&self, shape: &Shape) -> Result<Shape, FinishError> {
        let (found, limit) = (self.0.len(), Self::MAX_STEPS);
        if found > limit {
            return Err(FinishError::TooMany { found, limit });
        }
        let (mut shape, mut integers) = (shape.clone(), false);
        for step in &self.0 {
            if integers && !matches!(step, FinishStep::Reshape { .. }) {
                let step = step.to_string();
                return Err(FinishError::OfIntegers { step });
            }
            integers |= step.gives_integers();
            shape = step.result_shape(&shape)?;
        }
        Ok(shape)
    }

    /// The result for the row-major elements `x` of a decrypted tensor of `shape`, and its shape.
    ///
    /// # Errors
    /// As [`Finish::result_shape`]; also when the elements do not fill the shape.
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

    fn result_shape(&self, shape: &Shape) -> Result<Shape, FinishError> {
        match self {
            Self::Sigmoid | Self::Tanh => Ok(shape.clone()),
            Self::Softmax { axis } | Self::LogSoftmax { axis } => {
                self.check_axis(*axis, shape)?;
                Ok(shape.clone())
            }
            Self::ArgMax { axis, .. } | Self::ArgMin { axis, .. } => {
                self.check_axis(*axis, shape)?;
                let dims = shape.dims().iter().zip(0..);
                let dims: Vec<u32> = dims.map(|(&d, i)| if i == *axis { 1 } else { d }).collect();
                Shape::new(dims).map_err(|_| self.no_axis(shape))
            }
            Self::Reshape { shape: to } if to.elements() == shape.elements() => Ok(to.clone()),
            Self::Reshape { shape: to } => Err(FinishError::Elements {
                to: to.clone(),
                shape: shape.clone(),
            }),
        }
    }

    fn check_axis(&self, axis: u32, shape: &Shape) -> Result<(), FinishError> {
        if (axis as usize) < shape.rank() {
            return Ok(());
        }
        Err(self.no_axis(shape))
    }

    fn no_axis(&self, shape: &Shape) -> FinishError {
        FinishError::Axis {
            step: self.to_string(),
            shape: shape.clone(),
        }
    }

    /// The function of a tensor whose shape it takes.
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
        }
        x
    }
}

/// The lines of a tensor along an axis.
struct Lines {
    outer: usize,
    length: usize,
    inner: usize,
}

impl Lines {
    fn new(shape: &Shape, axis: u32) -> Self {
        let (mut outer, mut length, mut inner) = (1, 1, 1);
        for (&dim, i) in shape.dims().iter().zip(0..) {
            let part = match axis.cmp(&i) {
                std::cmp::Ordering::Greater => &mut outer,
                std::cmp::Ordering::Equal => &mut length,
                std::cmp::Ordering::Less => &mut inner,
            };
            *part *= dim as usize;
        }
        Self {
            outer,
            length,
            inner,
        }
    }

    /// Where each line starts, in row-major order of what is left without the axis.
    fn starts(&self) -> impl Iterator<Item = usize> + use<> {
        let (inner, block) = (self.inner, self.length * self.inner);
        (0..self.outer).flat_map(move |o| (0..inner).map(move |i| o * block + i))
    }

    /// The elements of the line that starts there.
    fn line<'x>(&self, x: &'x [f64], start: usize) -> impl Iterator<Item = f64> + use<'x> {
        let line = x.iter().skip(start).step_by(self.inner.max(1));
        line.take(self.length).copied()
    }

    /// Replaces every line by its image.
    fn map(&self, x: &mut [f64], f: fn(&mut [f64])) {
        for start in self.starts() {
            let mut line: Vec<f64> = self.line(x, start).collect();
            f(&mut line);
            let places = x.iter_mut().skip(start).step_by(self.inner.max(1));
            places.zip(line).for_each(|(x, y)| *x = y);
        }
    }

    /// The position in every line that no other beats.
    fn best(&self, x: &[f64], better: impl Fn(f64, f64) -> bool) -> Vec<f64> {
        let best = |start| {
            let line = self.line(x, start).enumerate();
            let best = line.reduce(|best, next| if better(next.1, best.1) { next } else { best });
            best.map_or(0.0, |(i, _)| i as f64)
        };
        self.starts().map(best).collect()
    }
}

/// Neither branch overflows.
fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        x.exp() / (1.0 + x.exp())
    }
}

/// Subtracts the largest element, so that no exponential overflows and one of them is 1; their sum.
fn shift(line: &mut [f64]) -> f64 {
    let largest = line.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    line.iter_mut().for_each(|x| *x -= largest);
    line.iter().map(|x| x.exp()).sum()
}

fn softmax(line: &mut [f64]) {
    let total = shift(line);
    line.iter_mut().for_each(|x| *x = x.exp() / total);
}

fn log_softmax(line: &mut [f64]) {
    let total = shift(line).ln();
    line.iter_mut().for_each(|x| *x -= total);
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
        }
    }
}

/// As the text form lists it, without brackets.
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
    #[error("{found} steps follow decryption, the limit is {limit}")]
    TooMany { found: usize, limit: usize },
    #[error("{step}: a tensor of shape {shape} has no such axis")]
    Axis { step: String, shape: Shape },
    #[error("reshape {to}: a tensor of shape {shape} has another number of elements")]
    Elements { to: Shape, shape: Shape },
    #[error("{step}: only reshapes follow a step that gives integers")]
    OfIntegers { step: String },
    #[error("{found} values do not fill the shape {shape}")]
    Length { found: usize, shape: Shape },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(dims: &[u32]) -> Shape {
        Shape::new(dims).unwrap()
    }

    fn apply(step: FinishStep, dims: &[u32], x: &[f64]) -> Vec<f64> {
        Finish(vec![step])
            .apply(&shape(dims), x.to_vec())
            .unwrap()
            .1
    }

    #[test]
    fn positions_are_found_along_any_axis() {
        let x = [3.0, 1.0, 3.0, 0.0, 5.0, 0.0];
        let at = |axis, last, dims: &[u32]| apply(FinishStep::ArgMax { axis, last }, dims, &x);
        assert_eq!(at(1, false, &[2, 3]), [0.0, 1.0]);
        assert_eq!(at(1, true, &[2, 3]), [2.0, 1.0]);
        assert_eq!(at(0, false, &[2, 3]), [0.0, 1.0, 0.0]);
        assert_eq!(at(1, false, &[1, 3, 2]), [2.0, 0.0]);
        let least = FinishStep::ArgMin {
            axis: 1,
            last: true,
        };
        assert_eq!(apply(least, &[2, 3], &x), [1.0, 2.0]);
    }

    #[test]
    fn exponentials_do_not_overflow() {
        let x = [1000.0, 999.0, -1000.0, 7.0];
        let softmax = apply(FinishStep::Softmax { axis: 1 }, &[2, 2], &x);
        let half: f64 = 1.0 / (1.0 + (-1.0f64).exp());
        for (y, expected) in softmax.iter().zip([half, 1.0 - half, 0.0, 1.0]) {
            assert!((y - expected).abs() < 1e-15, "{softmax:?}");
        }
        let logs = apply(FinishStep::LogSoftmax { axis: 0 }, &[2, 2], &x);
        for (y, expected) in logs.iter().zip([0.0, 0.0, -2000.0, -992.0]) {
            assert!((y - expected).abs() < 1e-12, "{logs:?}");
        }
        assert_eq!(
            apply(FinishStep::Sigmoid, &[3], &[-1e4, 0.0, 1e4]),
            [0.0, 0.5, 1.0]
        );
        assert_eq!(apply(FinishStep::Tanh, &[2], &[-1e4, 0.0]), [-1.0, 0.0]);
    }

    #[test]
    fn steps_must_fit() {
        let refuse = |steps: Vec<FinishStep>| {
            Finish(steps)
                .result_shape(&shape(&[2, 3]))
                .unwrap_err()
                .to_string()
        };
        let best = || FinishStep::ArgMax {
            axis: 1,
            last: false,
        };
        let reshape = |dims: &[u32]| FinishStep::Reshape { shape: shape(dims) };
        assert_eq!(
            refuse(vec![FinishStep::Softmax { axis: 2 }]),
            "softmax axis=2: a tensor of shape [2, 3] has no such axis"
        );
        assert_eq!(
            refuse(vec![best(), reshape(&[3])]),
            "reshape [3]: a tensor of shape [2, 1] has another number of elements"
        );
        assert_eq!(
            refuse(vec![best(), reshape(&[2]), FinishStep::Tanh]),
            "tanh: only reshapes follow a step that gives integers"
        );
        assert_eq!(
            refuse(vec![FinishStep::Tanh; 17]),
            "17 steps follow decryption, the limit is 16"
        );
        let good = Finish(vec![FinishStep::Sigmoid, best(), reshape(&[2])]);
        assert_eq!(good.result_shape(&shape(&[2, 3])), Ok(shape(&[2])));
        assert!(good.gives_integers());
        assert!(good.apply(&shape(&[2, 3]), vec![0.0; 5]).is_err());
    }
}
