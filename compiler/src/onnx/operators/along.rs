//! Products with a known matrix along one axis: interpolation, running sums.
#![deny(clippy::indexing_slicing)]

use super::gemm::contract;
use super::row::Operator;
use crate::onnx::build::{Builder, Call, Movement, Value};
use crate::onnx::format::{Constant, Element, elements};
use crate::onnx::model::rank;
use crate::onnx::problems::Problem;
use petgraph::graph::NodeIndex;

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    vec![
        Operator::encrypted("CumSum", cumulative_sum).by_library(),
        Operator::encrypted("Trilu", triangle).by_library(),
    ]
}

/// A matrix of `rows` rows of as many numbers as an axis has positions.
#[derive(Clone, Debug)]
pub(in crate::onnx) struct Matrix {
    pub(in crate::onnx) rows: u32,
    pub(in crate::onnx) columns: u32,
    /// Row by row.
    pub(in crate::onnx) data: Vec<f64>,
}

impl Matrix {
    /// `entry(row)` lists columns and what is added there.
    pub(in crate::onnx) fn new(
        b: &mut Builder,
        [rows, columns]: [u32; 2],
        entry: impl Fn(u32) -> Vec<(u32, f64)>,
    ) -> Result<Self, Problem> {
        b.spend(u64::from(rows) * u64::from(columns))?;
        let mut data = vec![0.0; rows as usize * columns as usize];
        for row in 0..rows {
            for (column, weight) in entry(row) {
                let at = row as usize * columns as usize + column as usize;
                if let Some(sum) = data.get_mut(at) {
                    *sum += weight;
                }
            }
        }
        Ok(Self {
            rows,
            columns,
            data,
        })
    }

    /// The Kronecker product: this matrix along an axis and `inner` along the next.
    fn beside(&self, b: &mut Builder, inner: &Self) -> Result<Self, Problem> {
        let (rows, columns) = (self.rows * inner.rows, self.columns * inner.columns);
        b.spend(u64::from(rows) * u64::from(columns))?;
        let line = |m: &Self, i: usize| {
            let width = m.columns as usize;
            m.data
                .get(i * width..(i + 1) * width)
                .unwrap_or(&[])
                .to_vec()
        };
        let mut data = Vec::with_capacity(rows as usize * columns as usize);
        for i in 0..self.rows as usize {
            for j in 0..inner.rows as usize {
                let (outer, inner) = (line(self, i), line(inner, j));
                data.extend(outer.iter().flat_map(|a| inner.iter().map(move |b| a * b)));
            }
        }
        Ok(Self {
            rows,
            columns,
            data,
        })
    }
}

/// The largest product of two matrices that is one matrix instead of two operators: a level less for small images.
const MAX_JOINED: u64 = 1 << 20;

/// `x` multiplied by these matrices along their axes, ascending.
pub(in crate::onnx) fn multiply(
    b: &mut Builder,
    x: NodeIndex,
    matrices: Vec<(usize, Matrix)>,
) -> Result<NodeIndex, Problem> {
    let mut joined: Vec<(usize, usize, Matrix)> = Vec::new();
    for (axis, matrix) in matrices {
        let size = |m: &Matrix| u64::from(m.rows) * u64::from(m.columns);
        match joined.last_mut() {
            Some((_, next, before))
                if *next == axis && size(before).saturating_mul(size(&matrix)) <= MAX_JOINED =>
            {
                *before = before.beside(b, &matrix)?;
                *next = axis + 1;
            }
            _ => joined.push((axis, axis + 1, matrix)),
        }
    }
    // The later axes first: what shrinks there spares work before.
    let mut y = x;
    let mut dims = b.dims(x);
    let full = dims.clone();
    for (first, next, matrix) in joined.into_iter().rev() {
        let part = |range: std::ops::Range<usize>| elements(dims.get(range).unwrap_or(&[])) as u32;
        let (outer, inner) = (part(0..first), part(next..dims.len()));
        let (m, k) = (matrix.rows, matrix.columns);
        debug_assert_eq!(elements(full.get(first..next).unwrap_or(&[])), u64::from(k));
        let weight = b.tensor("matrix", &[1, m, k], || matrix.data)?;
        let output = [outer, m, inner];
        let kind = contract(weight, [outer, 1, 1, m, k, inner]);
        y = b.linear(kind, (y, &dims), &output, None)?;
        // The axes before keep their names for the next matrix.
        let front = full.get(..first).unwrap_or(&[]);
        dims = [front, &[m * inner]].concat();
    }
    Ok(y)
}

/// CumSum, from the front or from the back, with or without the element itself.
pub(in crate::onnx) fn cumulative_sum(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.encrypted(0, "the operand")?;
    let dims = b.dims(x);
    let axes = call.constant(1, "the axis")?.integers("the axis")?;
    let axis = rank::axis(axes.first().copied().unwrap_or(0), dims.len(), "the axis")?;
    let extent = dims.get(axis).copied().unwrap_or(1);
    let (own, back) = (
        !call.flag("exclusive", false)?,
        call.flag("reverse", false)?,
    );
    let matrix = Matrix::new(b, [extent, extent], |row| {
        let sees = |column: &u32| match back {
            true => *column > row || own && *column == row,
            false => *column < row || own && *column == row,
        };
        (0..extent)
            .filter(sees)
            .map(|column| (column, 1.0))
            .collect()
    })?;
    let y = multiply(b, x, vec![(axis, matrix)])?;
    b.reshaped(&Value::Encrypted(y), &dims)
}

/// Trilu: the part of each matrix above or below a diagonal.
pub(in crate::onnx) fn triangle(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.encrypted(0, "the operand")?;
    let dims = b.dims(x);
    let [.., rows, columns] = *dims.as_slice() else {
        return Err(Problem::Mismatch {
            what: "the operand's rank",
            found: dims.len().to_string(),
            expected: "at least 2".to_owned(),
        });
    };
    let offset = call
        .optional_constant(1, "the diagonal")?
        .map_or(0.0, |c| c.at(0));
    let upper = call.flag("upper", true)?;
    b.spend(u64::from(rows) * u64::from(columns))?;
    let kept = |flat: u32| {
        let distance = f64::from(flat % columns) - f64::from(flat / columns);
        f64::from(u8::from(match upper {
            true => distance >= offset,
            false => distance <= offset,
        }))
    };
    let mask = (0..rows * columns).map(kept).collect();
    let mask = Constant::new("triangle", Element::FLOAT32, vec![rows, columns], mask);
    let coefficients = vec![b.scalar(0.0)?, b.coefficient(&mask)?];
    Ok(Value::Encrypted(b.polynomial(x, coefficients)?))
}

/// The value with its axes in this order.
pub(in crate::onnx) fn ordered(
    b: &mut Builder,
    x: NodeIndex,
    order: &[usize],
) -> Result<NodeIndex, Problem> {
    let movement = Movement::transpose(&b.dims(x), order)?;
    match b.moved(&Value::Encrypted(x), movement)? {
        Value::Encrypted(y) => Ok(y),
        _ => Ok(x),
    }
}
