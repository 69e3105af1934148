//! `y[i] = w[i] * x[i]`, with `w` broadcast to the shape of `x`.

use super::family::{Family, ReadFields, WeightField, WriteFields};
use super::{BoundMap, LinearError, LinearMap, weight_shape};
use crate::entity::TensorId;
use crate::shape::Broadcast;
use crate::tensor::{Tensor, Tensors};

/// Element-wise factor: the weight tensor, broadcast to the shape of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElementScale {
    /// The factors; their shape broadcasts to that of the input.
    pub weight: TensorId,
}

impl Family for ElementScale {
    const KEYWORD: &'static str = "scale";
    const TAG: u32 = 11;
    const IS_BARE: bool = true;
    const WEIGHT: Option<WeightField<Self>> = Some(WeightField {
        get: |scale| scale.weight,
        set: |scale, weight| scale.weight = weight,
    });

    fn read<R: ReadFields>(fields: &mut R) -> Result<Self, R::Error> {
        let weight = fields.weight(1)?;
        Ok(Self { weight })
    }

    fn write<W: WriteFields>(&self, fields: &mut W) -> Result<(), W::Error> {
        let Self { weight } = self;
        fields.weight(1, *weight)
    }

    fn check(&self, map: &LinearMap, tensors: &Tensors) -> Result<(), LinearError> {
        let shapes = |what, found, expected| LinearError::shapes("scale", what, found, expected);
        let weight = weight_shape(self.weight, tensors)?;
        if map.input != map.output {
            return Err(shapes("output", &map.output, &map.input));
        }
        if !weight.broadcasts_to(&map.input) {
            return Err(shapes("weight", weight, &map.input));
        }
        Ok(())
    }

    fn broadcast(&self, map: &LinearMap, weight: &Tensor) -> Option<Broadcast> {
        Broadcast::new(weight.shape(), &map.input)
    }

    fn for_each_tap(&self, bound: &BoundMap<'_>, output: usize, mut tap: impl FnMut(usize, f64)) {
        tap(output, factor(bound, output));
    }

    fn coefficient(&self, bound: &BoundMap<'_>, output: usize, input: usize) -> f64 {
        if input == output {
            factor(bound, output)
        } else {
            0.0
        }
    }

    fn macs(&self, map: &LinearMap) -> u64 {
        map.output.elements() as u64
    }
}

fn factor(bound: &BoundMap<'_>, output: usize) -> f64 {
    let at = bound
        .broadcast
        .as_ref()
        .map_or(output, |b| b.source(output));
    bound.weights.data.get(at).copied().unwrap_or(0.0)
}
