//! Arithmetic of polynomials in one variable whose coefficients are [`Field`]s.
//!
//! Notation: `p = p[0] + p[1] x + ... + p[d] x^d`, `d` the degree. Every operation returns `None` when the coefficients
//! do not broadcast together, the degree passes [`Polynomial::MAX_DEGREE`] or a number stops being finite; a rule that
//! gets `None` does not fire. Cost: products of fields, O(d1 * d2) for a product, O(d1^2 * d2) for a composition.

use super::field::Field;
use crate::tensor::Polynomial;
use peregrine_ir::{Shape, Tensors};

/// A polynomial in one variable by its coefficients, constant term first; never empty.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Univariate {
    coefficients: Vec<Field>,
}

/// The identity of a polynomial: shapes and bits of its coefficients.
pub(super) type Key = Vec<(Vec<u32>, Vec<u64>)>;

impl Univariate {
    /// The polynomial with these coefficients; leading ones that vanish everywhere are dropped.
    pub(super) fn new(mut coefficients: Vec<Field>) -> Option<Self> {
        while coefficients.len() > 1 && coefficients.last().is_some_and(Field::is_zero) {
            coefficients.pop();
        }
        let degree = coefficients.len().checked_sub(1)?;
        let finite = coefficients.iter().all(|c| c.all(f64::is_finite));
        (finite && degree <= Polynomial::MAX_DEGREE).then_some(Self { coefficients })
    }

    /// The polynomial `x`.
    pub(super) fn identity() -> Self {
        Self {
            coefficients: vec![Field::scalar(0.0), Field::scalar(1.0)],
        }
    }

    /// The polynomial of an operator.
    pub(super) fn read(polynomial: &Polynomial, tensors: &Tensors) -> Option<Self> {
        let ids = polynomial.coefficients().iter();
        let fields = ids.map(|&id| Field::from_tensor(&tensors[id]));
        Self::new(fields.collect())
    }

    /// Coefficients, constant term first.
    pub(super) fn coefficients(&self) -> &[Field] {
        &self.coefficients
    }

    /// The coefficient of `x^power`; zero above the degree.
    pub(super) fn coefficient(&self, power: usize) -> Field {
        self.coefficients
            .get(power)
            .cloned()
            .unwrap_or_else(|| Field::scalar(0.0))
    }

    /// The coefficient of the highest power.
    pub(super) fn leading(&self) -> Field {
        self.coefficient(self.degree())
    }

    /// The highest power.
    pub(super) fn degree(&self) -> usize {
        self.coefficients.len() - 1
    }

    /// Whether the polynomial is `x`.
    pub(super) fn is_identity(&self) -> bool {
        match self.coefficients.as_slice() {
            [shift, scale] => shift.is_zero() && scale.all(|x| x == 1.0),
            _ => false,
        }
    }

    /// Whether the polynomial is a monomial `a x^k`.
    pub(super) fn is_monomial(&self) -> bool {
        self.coefficients.iter().filter(|c| !c.is_zero()).count() <= 1
    }

    /// The sum `p + q` of two polynomials.
    pub(super) fn sum(&self, other: &Self) -> Option<Self> {
        let powers = self.coefficients.len().max(other.coefficients.len());
        let terms: Option<Vec<Field>> = (0..powers)
            .map(|k| self.coefficient(k).zip(&other.coefficient(k), |a, b| a + b))
            .collect();
        Self::new(terms?)
    }

    /// The product `p q` of two polynomials.
    pub(super) fn product(&self, other: &Self) -> Option<Self> {
        let degree = self.degree() + other.degree();
        if degree > Polynomial::MAX_DEGREE {
            return None;
        }
        let mut terms = vec![Field::scalar(0.0); degree + 1];
        for (i, a) in self.coefficients.iter().enumerate() {
            for (j, b) in other.coefficients.iter().enumerate() {
                if !a.is_zero() && !b.is_zero() {
                    let term = a.zip(b, |a, b| a * b)?;
                    terms[i + j] = terms[i + j].zip(&term, |sum, t| sum + t)?;
                }
            }
        }
        Self::new(terms)
    }

    /// The composition `p(q(x))`, by Horner's rule.
    pub(super) fn compose(&self, inner: &Self) -> Option<Self> {
        if self.degree() * inner.degree() > Polynomial::MAX_DEGREE {
            return None;
        }
        let mut result = Self::new(vec![self.leading()])?;
        for coefficient in self.coefficients.iter().rev().skip(1) {
            result = result
                .product(inner)?
                .sum(&Self::new(vec![coefficient.clone()])?)?;
        }
        Some(result)
    }

    /// The polynomial `p'` with `p(input * x) = output * p'(x)`; `output` has no zero.
    pub(super) fn rescaled(&self, input: &Field, output: &Field) -> Option<Self> {
        let mut power = Field::scalar(1.0);
        let mut terms = Vec::with_capacity(self.coefficients.len());
        for (k, coefficient) in self.coefficients.iter().enumerate() {
            if k > 0 {
                power = power.zip(input, |a, b| a * b)?;
            }
            let scaled = coefficient.zip(&power, |c, p| c * p)?;
            terms.push(scaled.zip(output, |c, out| c / out)?);
        }
        Self::new(terms)
    }

    /// This polynomial with another coefficient of `x^power`.
    pub(super) fn with_coefficient(&self, power: usize, value: Field) -> Option<Self> {
        let mut coefficients = self.coefficients.clone();
        *coefficients.get_mut(power)? = value;
        Self::new(coefficients)
    }

    /// This polynomial for a reshaped tensor.
    pub(super) fn reshaped(&self, from: &Shape, to: &Shape) -> Option<Self> {
        let terms: Option<Vec<Field>> = self
            .coefficients
            .iter()
            .map(|c| c.reshaped(from, to))
            .collect();
        Self::new(terms?)
    }

    /// This polynomial with coefficients in their smallest shapes.
    pub(super) fn compacted(&self) -> Self {
        Self {
            coefficients: self
                .coefficients
                .iter()
                .map(|c| c.clone().compacted())
                .collect(),
        }
    }

    /// The key that equal polynomials share.
    pub(super) fn key(&self) -> Key {
        let bits = |field: &Field| field.data().iter().map(|x| x.to_bits()).collect();
        self.coefficients
            .iter()
            .map(|c| (c.shape().dims().to_vec(), bits(c)))
            .collect()
    }

    /// Products in a row that evaluating degree `degree` takes, any leading coefficient allowed: `ceil(log2(d + 1))`.
    pub(super) fn depth(degree: usize) -> u32 {
        (degree + 1).next_power_of_two().trailing_zeros()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polynomial(coefficients: &[f64]) -> Univariate {
        Univariate::new(coefficients.iter().map(|&c| Field::scalar(c)).collect()).unwrap()
    }

    #[test]
    fn a_composition_by_hand() {
        // (x + 1)^2 + 3 (x + 1) = x^2 + 5 x + 4
        let outer = polynomial(&[0.0, 3.0, 1.0]);
        let composed = outer.compose(&polynomial(&[1.0, 1.0])).unwrap();
        assert_eq!(composed, polynomial(&[4.0, 5.0, 1.0]));
    }

    #[test]
    fn vanishing_leading_terms_lower_the_degree() {
        let zero = polynomial(&[0.0, 1.0, 2.0])
            .sum(&polynomial(&[0.0, 0.0, -2.0]))
            .unwrap();
        assert!(zero.is_identity());
    }

    #[test]
    fn depth_counts_the_leading_coefficient() {
        let depths: Vec<u32> = (0..9).map(Univariate::depth).collect();
        assert_eq!(depths, [0, 1, 2, 2, 3, 3, 3, 3, 4]);
    }
}
