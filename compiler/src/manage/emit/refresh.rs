//! Emission of refreshes: values are brought to the argument, the functions of the circuit run, and the results brought back.

use super::super::Defect;
use super::Emitter;
use crate::slots::SlotValue;
use peregrine_ir::{Inst, Level, Scale, Value};

impl Emitter {
    /// Emits what brings one of some values back from their refresh, and the refresh if it is the first of them.
    pub(super) fn refresh(
        &mut self,
        value: SlotValue,
        values: &[(SlotValue, f64)],
        of: usize,
    ) -> Result<Value, Defect> {
        let operands: Vec<SlotValue> = values.iter().map(|&(v, _)| v).collect();
        let refreshing = self.refreshing.as_ref().ok_or(Defect::Missing)?;
        let results = match refreshing.done.get(&operands) {
            Some(results) => results.clone(),
            None => self.refreshed_together(values)?,
        };
        let refreshing = self.refreshing.as_mut().ok_or(Defect::Missing)?;
        refreshing.done.insert(operands, results.clone());
        let &(a, factor) = results.get(of).ok_or(Defect::Missing)?;
        let (from, to) = (refreshing.out, self.level(value)?);
        let source = self.builder.type_of(a).and_then(|ty| ty.scale().cloned());
        let scale = self.between((from, source.as_ref()), (to, &self.scale(value)?))?;
        let a = self.builder.push(Inst::MulScalar { a, factor, scale })?;
        Ok(self.builder.push(Inst::Rescale { a, to })?)
    }

    /// Emits the refresh of some values; gives the results, each with what it is to be multiplied with.
    fn refreshed_together(
        &mut self,
        values: &[(SlotValue, f64)],
    ) -> Result<Vec<(Value, f64)>, Defect> {
        let refreshing = self.refreshing.as_ref().ok_or(Defect::Missing)?;
        let (functions, gain) = (refreshing.functions, refreshing.gain);
        let (to, wanted) = refreshing.from.clone();
        let (mut arguments, mut factors) = (Vec::new(), Vec::new());
        for &(value, bound) in values {
            let own = self.scale(value)?;
            let above = self.lowest_within(self.level(value)?, to);
            let a = self.at(value, above, &own)?;
            let scale = self.between((above, Some(&own)), (to, &wanted))?;
            let primes = &self.builder.circuit().rings.primes;
            let size = scale.bits(primes).ok_or(Defect::Exponent)?.exp2();
            // A whole number, so that its rounding adds no error; the bound grows by what is rounded.
            let whole = (size / bound).floor().max(1.0);
            let factor = whole / size;
            let a = self.builder.push(Inst::MulScalar { a, factor, scale })?;
            arguments.push(self.builder.push(Inst::Rescale { a, to })?);
            factors.push(gain / factor);
        }
        let results = functions.call(&mut self.builder, &arguments)?;
        Ok(results.into_iter().zip(factors).collect())
    }

    /// The lowest level above another that a value drops to without a rescale.
    fn lowest_within(&mut self, own: Level, above: Level) -> Level {
        let rings = &self.builder.circuit().rings;
        let mut levels = (above.0 + 1..own.0).map(Level);
        levels
            .find(|&level| rings.contains(own, level))
            .unwrap_or(own)
    }

    /// The scale of a constant whose product with a value, rescaled, is at a level and scale.
    fn between(
        &mut self,
        (from, source): (Level, Option<&Scale>),
        (to, wanted): (Level, &Scale),
    ) -> Result<Scale, Defect> {
        let ratio = self.builder.circuit().rings.ratio(from, to);
        let scale = ratio.and_then(|ratio| wanted.checked_mul(&ratio));
        let scale = scale.and_then(|scale| scale.checked_div(source?));
        scale.ok_or(Defect::Exponent)
    }

    /// Outputs at the level at which they leave: where there are refreshes, the lowest that has room for them.
    pub(super) fn lowered(&mut self, values: Vec<Value>) -> Result<Vec<Value>, Defect> {
        let Some(refreshing) = &self.refreshing else {
            return Ok(values);
        };
        let to = refreshing.leaving;
        let lower = |a| Ok(self.builder.push(Inst::DropLevel { a, to })?);
        values.into_iter().map(lower).collect()
    }
}
