//! `y[o, g, r, m, b] = sum over k of w[g, m, k] * x[o, g, r, k, b]`: fully connected layers and products with a matrix.

use super::family::{Family, ReadFields, WeightField, WriteFields};
use super::{BoundMap, LinearError, LinearMap, weight_shape};
use crate::entity::TensorId;
use crate::tensor::Tensors;

/// Product with weight matrices along one axis; the input is viewed as `[outer, groups, rows, K, inner]`.
///
/// A fully connected layer has every other extent 1; `W x` with a matrix `x` on the right has its columns in `inner`;
/// a batch of different matrices has them in `groups`.
#[derive(Clone, Debug, PartialEq)]
pub struct Contract {
    /// The matrices, shape `[groups, M, K]`.
    pub weight: TensorId,
    /// Leading extent over which the matrices repeat.
    pub outer: u32,
    /// Number of matrices.
    pub groups: u32,
    /// Rows of `x` each matrix is applied to.
    pub rows: u32,
    /// Output extent.
    pub m: u32,
    /// Contracted extent.
    pub k: u32,
    /// Trailing extent.
    pub inner: u32,
}

impl Contract {
    /// A fully connected layer: one matrix of `m` rows and `k` columns, applied once; `weight` has the shape `[1, m, k]`.
    pub const fn matrix(weight: TensorId, m: u32, k: u32) -> Self {
        Self {
            weight,
            outer: 1,
            groups: 1,
            rows: 1,
            m,
            k,
            inner: 1,
        }
    }

    /// Whether it is one matrix that is applied once.
    pub const fn is_matrix(&self) -> bool {
        matches!(
            [self.outer, self.groups, self.rows, self.inner],
            [1, 1, 1, 1]
        )
    }
}

impl Family for Contract {
    const KEYWORD: &'static str = "contract";
    const TAG: u32 = 10;
    const WEIGHT: Option<WeightField<Self>> = Some(WeightField {
        get: |contract| contract.weight,
        set: |contract, weight| contract.weight = weight,
    });

    fn read<R: ReadFields>(fields: &mut R) -> Result<Self, R::Error> {
        Ok(Self {
            weight: fields.weight(1)?,
            outer: fields.number(2, "outer")?,
            groups: fields.number(3, "groups")?,
            rows: fields.number(4, "rows")?,
            m: fields.number(5, "m")?,
            k: fields.number(6, "k")?,
            inner: fields.number(7, "inner")?,
        })
    }

    fn write<W: WriteFields>(&self, fields: &mut W) -> Result<(), W::Error> {
        let Self {
            weight,
            outer,
            groups,
            rows,
            m,
            k,
            inner,
        } = *self;
        fields.weight(1, weight)?;
        fields.number(2, "outer", outer)?;
        fields.number(3, "groups", groups)?;
        fields.number(4, "rows", rows)?;
        fields.number(5, "m", m)?;
        fields.number(6, "k", k)?;
        fields.number(7, "inner", inner)
    }

    fn check(&self, map: &LinearMap, tensors: &Tensors) -> Result<(), LinearError> {
        let extents = [self.outer, self.groups, self.rows, self.inner];
        let around = extents
            .iter()
            .fold(1u64, |product, &e| product.saturating_mul(u64::from(e)));
        for (what, shape, own) in [
            ("input", &map.input, self.k),
            ("output", &map.output, self.m),
        ] {
            if around.saturating_mul(u64::from(own)) != shape.elements() as u64 {
                return Err(LinearError::shapes(
                    "contract",
                    what,
                    shape,
                    format!("{extents:?} times {own} elements"),
                ));
            }
        }
        let weight = weight_shape(self.weight, tensors)?;
        if weight.dims() != [self.groups, self.m, self.k] {
            let expected = format!("{:?}", [self.groups, self.m, self.k]);
            return Err(LinearError::shapes("contract", "weight", weight, expected));
        }
        Ok(())
    }

    fn for_each_tap(&self, bound: &BoundMap<'_>, output: usize, mut tap: impl FnMut(usize, f64)) {
        let weights = bound.weights.data;
        let [line, m, b] = split(output, self.m, self.inner);
        for k in 0..self.k as usize {
            tap(
                (line * self.k as usize + k) * self.inner as usize + b,
                self.weight_at(weights, line, m, k),
            );
        }
    }

    fn coefficient(&self, bound: &BoundMap<'_>, output: usize, input: usize) -> f64 {
        let [line, m, b] = split(output, self.m, self.inner);
        let [other_line, k, other_b] = split(input, self.k, self.inner);
        if line == other_line && b == other_b {
            self.weight_at(bound.weights.data, line, m, k)
        } else {
            0.0
        }
    }

    fn macs(&self, map: &LinearMap) -> u64 {
        let outputs = map.output.elements() as u64;
        outputs.saturating_mul(self.k.into())
    }

    fn for_each_zero_entry(&self, bound: &BoundMap<'_>, mut zero: impl FnMut(usize, usize)) {
        if !self.is_matrix() {
            return;
        }
        let rows = bound.weights.data.chunks_exact(self.k as usize);
        for (row, weights) in rows.enumerate() {
            let weights = weights.iter().enumerate();
            weights
                .filter(|(_, w)| **w == 0.0)
                .for_each(|(column, _)| zero(row, column));
        }
    }
}

impl Contract {
    fn weight_at(&self, weights: &[f64], line: usize, m: usize, k: usize) -> f64 {
        let group = line / self.rows as usize % self.groups as usize;
        weights
            .get((group * self.m as usize + m) * self.k as usize + k)
            .copied()
            .unwrap_or(0.0)
    }
}

/// A flat index of `[lines, extent, inner]`.
fn split(flat: usize, extent: u32, inner: u32) -> [usize; 3] {
    let (extent, inner) = (extent as usize, inner as usize);
    [flat / inner / extent, flat / inner % extent, flat % inner]
}
