//! Element-wise polynomials with coefficients per element, per channel or for the whole tensor.

use peregrine_ir::{Broadcast, Shape, TensorId, Tensors};

/// An element-wise polynomial `c[0] + c[1] x + c[2] x^2 + ...`, each coefficient a tensor that broadcasts to the
/// operand's shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Polynomial {
    coefficients: Vec<TensorId>,
}

impl Polynomial {
    /// The largest degree that is accepted; a fine-tuned activation has 2 to 8.
    pub const MAX_DEGREE: usize = 64;

    /// A polynomial with these coefficients, constant term first.
    ///
    /// # Errors
    /// When there are no coefficients or too many, one does not exist, or one does not broadcast to `shape`.
    pub fn new(
        coefficients: Vec<TensorId>,
        shape: &Shape,
        tensors: &Tensors,
    ) -> Result<Self, PolynomialError> {
        if coefficients.is_empty() || coefficients.len() > Self::MAX_DEGREE + 1 {
            return Err(PolynomialError::Degree {
                found: coefficients.len() as i64 - 1,
            });
        }
        for (power, &id) in coefficients.iter().enumerate() {
            let tensor = tensors.get(id).ok_or(PolynomialError::NoTensor { power })?;
            if !tensor.shape().broadcasts_to(shape) {
                return Err(PolynomialError::Shape {
                    power,
                    coefficient: tensor.shape().clone(),
                    operand: shape.clone(),
                });
            }
        }
        Ok(Self { coefficients })
    }

    /// The coefficients, constant term first; at least one.
    pub fn coefficients(&self) -> &[TensorId] {
        &self.coefficients
    }

    /// The polynomial with its tensors renamed.
    #[must_use]
    pub fn renamed(&self, name: impl Fn(TensorId) -> TensorId) -> Self {
        let coefficients = self.coefficients.iter().map(|&id| name(id));
        Self {
            coefficients: coefficients.collect(),
        }
    }

    /// The degree: one less than the number of coefficients.
    pub fn degree(&self) -> usize {
        self.coefficients.len() - 1
    }

    /// The values of the polynomial on `x`, a tensor of `shape` in row-major order, by Horner's rule.
    pub fn apply(&self, x: &[f64], shape: &Shape, tensors: &Tensors) -> Vec<f64> {
        let mut y = vec![0.0f64; x.len()];
        for &id in self.coefficients.iter().rev() {
            let tensor = &tensors[id];
            let Some(broadcast) = Broadcast::new(tensor.shape(), shape) else {
                // Of another shape than the polynomial was made for: nothing is known of its values.
                y.fill(f64::NAN);
                return y;
            };
            let run = broadcast.run();
            for (i, (y, x)) in y.chunks_mut(run).zip(x.chunks(run)).enumerate() {
                let c = tensor.data()[broadcast.source(i * run)];
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = y.mul_add(x, c);
                }
            }
        }
        y
    }
}

/// Why coefficients are not those of a [`Polynomial`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolynomialError {
    /// There are no coefficients, or too many.
    #[error(
        "polynomial of degree {found}, expected 0 to {}",
        Polynomial::MAX_DEGREE
    )]
    Degree {
        /// Number of coefficients less one.
        found: i64,
    },
    /// A coefficient tensor does not exist.
    #[error("the coefficient of x^{power} does not exist")]
    NoTensor {
        /// The power of x that it is the coefficient of.
        power: usize,
    },
    /// A coefficient does not broadcast to the operand.
    #[error(
        "the coefficient of x^{power} has shape {coefficient}, which does not broadcast to {operand}"
    )]
    Shape {
        /// The power of x that it is the coefficient of.
        power: usize,
        /// Shape of the coefficient.
        coefficient: Shape,
        /// Shape of the operand.
        operand: Shape,
    },
}
