//! `y[i] = x[j]` with each `j_a` read from a table indexed by one coordinate of `i`, or zero.

use super::family::{Family, ReadFields, WeightField, WriteFields};
use super::{BoundMap, LinearError, LinearMap};
use crate::tensor::Tensors;

/// Moves elements: each input axis is driven by one output axis through a table.
///
/// Output axes that drive no input axis repeat (broadcast). This covers padding, slicing with any step, transposition,
/// expansion, nearest-neighbour resizing, and a part's place in a concatenation.
#[derive(Clone, Debug, PartialEq)]
pub struct Gather {
    /// One per input axis.
    pub axes: Vec<AxisMap>,
}

/// Where the coordinate along one input axis comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct AxisMap {
    /// The output axis whose coordinate indexes the table.
    pub output_axis: u32,
    /// Input coordinate per output coordinate; `None` puts a zero.
    pub table: Vec<Option<u32>>,
}

impl Family for Gather {
    const KEYWORD: &'static str = "gather";
    const TAG: u32 = 12;
    const WEIGHT: Option<WeightField<Self>> = None;

    fn read<R: ReadFields>(fields: &mut R) -> Result<Self, R::Error> {
        let axes = fields.axes(1, "axes")?;
        Ok(Self { axes })
    }

    fn write<W: WriteFields>(&self, fields: &mut W) -> Result<(), W::Error> {
        let Self { axes } = self;
        fields.axes(1, "axes", axes)
    }

    fn check(&self, map: &LinearMap, _: &Tensors) -> Result<(), LinearError> {
        if self.axes.len() != map.input.rank() {
            let expected = format!("{}, one per input axis", map.input.rank());
            return Err(LinearError::attribute(
                "gather",
                "number of axes",
                self.axes.len(),
                expected,
            ));
        }
        for (axis, &extent) in self.axes.iter().zip(map.input.dims()) {
            let length = map.output.dims().get(axis.output_axis as usize).copied();
            if length != Some(axis.table.len() as u32) {
                let found = format!(
                    "{} entries for output axis {}",
                    axis.table.len(),
                    axis.output_axis
                );
                return Err(LinearError::attribute(
                    "gather",
                    "table",
                    found,
                    format!("{length:?} entries"),
                ));
            }
            if let Some(bad) = axis.table.iter().flatten().find(|&&j| j >= extent) {
                return Err(LinearError::attribute(
                    "gather",
                    "table entry",
                    bad,
                    format!("below {extent}"),
                ));
            }
        }
        Ok(())
    }

    /// Output elements that are read from somewhere: those where no table along any axis puts a zero.
    fn macs(&self, map: &LinearMap) -> u64 {
        let extents = (0..).zip(map.output.dims());
        let read = extents.map(|(output_axis, &extent)| {
            let tables = self
                .axes
                .iter()
                .filter(|axis| axis.output_axis == output_axis);
            let reads = |at: &u32| {
                let mut tables = tables.clone();
                tables.all(|axis| axis.table.get(*at as usize).is_some_and(Option::is_some))
            };
            (0..extent).filter(reads).count() as u64
        });
        read.fold(1, u64::saturating_mul)
    }

    fn for_each_tap(&self, bound: &BoundMap<'_>, output: usize, mut tap: impl FnMut(usize, f64)) {
        if let Some(input) = self.source(bound.map, output) {
            tap(input, 1.0);
        }
    }

    fn coefficient(&self, bound: &BoundMap<'_>, output: usize, input: usize) -> f64 {
        f64::from(u8::from(self.source(bound.map, output) == Some(input)))
    }

    fn table_entries(&self) -> usize {
        let lengths = self.axes.iter().map(|axis| axis.table.len());
        lengths.fold(0, usize::saturating_add)
    }
}

impl Gather {
    /// Flat input index that output element `output` copies, or `None` for zero.
    fn source(&self, map: &LinearMap, output: usize) -> Option<usize> {
        let at = map.output.unravel(output);
        self.axes
            .iter()
            .zip(map.input.dims())
            .try_fold(0usize, |flat, (axis, &extent)| {
                let coordinate = *at.get(axis.output_axis as usize)?;
                let source = (*axis.table.get(coordinate as usize)?)?;
                Some(flat * extent as usize + source as usize)
            })
    }
}
