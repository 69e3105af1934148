//! Operators that only move elements: one description for encrypted tensors (a [`Gather`] map) and for constants.
#![deny(clippy::indexing_slicing)]

use crate::onnx::format::{Constant, elements};
use crate::onnx::problems::Problem;
use peregrine_ir::linear::{AxisMap, Gather};

/// Output element `i` copies the input element whose coordinate along each axis is read from a table, or is zero.
#[derive(Clone, Debug)]
pub(in crate::onnx) struct Movement {
    input: Vec<u32>,
    output: Vec<u32>,
    axes: Vec<AxisMap>,
}

/// The longest table; the shape of a tensor without elements may state any extent.
const MAX_EXTENT: u32 = 1 << 24;

fn straight(extent: u32) -> Result<Vec<Option<u32>>, Problem> {
    if extent > MAX_EXTENT {
        return Err(Problem::TooLarge {
            what: "one axis of the operand",
            found: u64::from(extent),
            limit: u64::from(MAX_EXTENT),
        });
    }
    Ok((0..extent).map(Some).collect())
}

impl Movement {
    /// Replaces the coordinates along some axes, each by a table of input coordinates.
    pub(in crate::onnx) fn along(
        input: &[u32],
        tables: Vec<(usize, Vec<Option<u32>>)>,
    ) -> Result<Self, Problem> {
        let mut output = input.to_vec();
        let mut given: Vec<Option<Vec<Option<u32>>>> = vec![None; input.len()];
        for (axis, table) in tables {
            if let Some(slot) = given.get_mut(axis) {
                *slot = Some(table);
            }
        }
        let mut axes = Vec::with_capacity(input.len());
        for ((dim, given), output_axis) in output.iter_mut().zip(given).zip(0..) {
            let table = match given {
                Some(table) => table,
                None => straight(*dim)?,
            };
            *dim = table.len() as u32;
            axes.push(AxisMap { output_axis, table });
        }
        Ok(Self {
            input: input.to_vec(),
            output,
            axes,
        })
    }

    /// Output axis `j` is input axis `permutation[j]`.
    pub(in crate::onnx) fn transpose(
        input: &[u32],
        permutation: &[usize],
    ) -> Result<Self, Problem> {
        let output = permutation
            .iter()
            .map(|&p| input.get(p).copied().unwrap_or(1))
            .collect();
        let mut axes = Vec::with_capacity(input.len());
        for (i, &extent) in input.iter().enumerate() {
            axes.push(AxisMap {
                output_axis: permutation.iter().position(|&p| p == i).unwrap_or(0) as u32,
                table: straight(extent)?,
            });
        }
        Ok(Self {
            input: input.to_vec(),
            output,
            axes,
        })
    }

    /// Input axis `i` runs along output axis `axes[i]` of `rank`; those that share one run together.
    pub(in crate::onnx) fn diagonal(
        input: &[u32],
        axes: &[usize],
        rank: usize,
    ) -> Result<Self, Problem> {
        let mut output = vec![1; rank];
        let mut maps = Vec::with_capacity(input.len());
        for (&extent, &axis) in input.iter().zip(axes) {
            if let Some(dim) = output.get_mut(axis) {
                if *dim != 1 && *dim != extent {
                    return Err(Problem::Mismatch {
                        what: "the extent of a repeated axis",
                        found: extent.to_string(),
                        expected: dim.to_string(),
                    });
                }
                *dim = extent;
            }
            maps.push(AxisMap {
                output_axis: axis as u32,
                table: straight(extent)?,
            });
        }
        Ok(Self {
            input: input.to_vec(),
            output,
            axes: maps,
        })
    }

    /// Repeats unit and missing leading axes; `input` must broadcast to `output`.
    pub(in crate::onnx) fn expand(input: &[u32], output: &[u32]) -> Result<Self, Problem> {
        let lead = output.len().saturating_sub(input.len());
        let mut axes = Vec::with_capacity(input.len());
        let extents = input.iter().zip(output.iter().skip(lead));
        for ((&from, &to), output_axis) in extents.zip(lead as u32..) {
            let mut table = straight(to)?;
            if from == 1 {
                table.fill(Some(0));
            }
            axes.push(AxisMap { output_axis, table });
        }
        Ok(Self {
            input: input.to_vec(),
            output: output.to_vec(),
            axes,
        })
    }

    /// The dimensions of the result.
    pub(in crate::onnx) fn output(&self) -> &[u32] {
        &self.output
    }

    /// The tables, one per axis of the operand.
    pub(in crate::onnx) fn axes(&self) -> &[AxisMap] {
        &self.axes
    }

    /// Which axis of the operand is axis `j` of the result, when each is one; the order of the axes where only unit axes of
    /// the result are none.
    pub(in crate::onnx) fn order(&self) -> Option<Vec<u32>> {
        let driven = |j: u32| self.axes.iter().position(|axis| axis.output_axis == j);
        let mut order = Vec::with_capacity(self.axes.len());
        for (j, &extent) in (0..).zip(&self.output) {
            match driven(j) {
                Some(axis) => order.push(axis as u32),
                None if extent == 1 => {}
                None => return None,
            }
        }
        let whole = order.len() == self.axes.len();
        let same_rank = order.is_sorted() || self.output.len() == order.len();
        (whole && same_rank).then_some(order)
    }

    /// Whether every element stays where it is.
    pub(in crate::onnx) fn is_identity(&self) -> bool {
        self.input == self.output
            && self.axes.iter().enumerate().all(|(i, axis)| {
                let in_place = || axis.table.iter().zip(0..).all(|(&t, j)| t == Some(j));
                (axis.output_axis as usize == i || axis.table.len() == 1) && in_place()
            })
    }

    /// Whether elements keep their order and none is added or left out, so that a reshape does the same.
    pub(in crate::onnx) fn is_reshape(&self) -> bool {
        let kept: Vec<u32> = (self.axes.iter())
            .filter(|axis| axis.table.len() != 1)
            .map(|axis| axis.output_axis)
            .collect();
        elements(&self.input) == elements(&self.output)
            && kept.is_sorted()
            && self.axes.iter().zip(&self.input).all(|(axis, &extent)| {
                axis.table.len() == extent as usize
                    && axis.table.iter().zip(0..).all(|(&t, j)| t == Some(j))
            })
    }

    /// Entries of all its tables.
    pub(in crate::onnx) fn entries(&self) -> u64 {
        self.axes.iter().map(|axis| axis.table.len() as u64).sum()
    }

    /// The map for encrypted tensors.
    pub(in crate::onnx) fn gather(self) -> Gather {
        Gather { axes: self.axes }
    }

    /// The input element of every output element.
    pub(in crate::onnx) fn sources(&self) -> impl Iterator<Item = Option<usize>> + '_ {
        (0..elements(&self.output) as usize).map(|flat| self.source(flat))
    }

    fn source(&self, flat: usize) -> Option<usize> {
        let mut rest = flat;
        let mut coordinates = vec![0u32; self.output.len()];
        for (c, &dim) in coordinates.iter_mut().zip(&self.output).rev() {
            *c = (rest % dim as usize) as u32;
            rest /= dim as usize;
        }
        self.axes
            .iter()
            .zip(&self.input)
            .try_fold(0, |index, (axis, &extent)| {
                let c = *coordinates.get(axis.output_axis as usize)?;
                let source = (*axis.table.get(c as usize)?)?;
                Some(index * extent as usize + source as usize)
            })
    }

    /// The result for a constant.
    pub(in crate::onnx) fn apply(&self, constant: &Constant, fill: f64) -> Constant {
        let whole = || {
            self.axes
                .iter()
                .all(|axis| axis.table.iter().all(Option::is_some))
        };
        if constant.is_splat() && whole() {
            let value = constant.at(0);
            return Constant::splat(
                constant.name.clone(),
                constant.element,
                self.output.clone(),
                value,
            );
        }
        let data = self
            .sources()
            .map(|source| source.map_or(fill, |i| constant.at(i)))
            .collect();
        Constant::new(
            constant.name.clone(),
            constant.element,
            self.output.clone(),
            data,
        )
    }
}
