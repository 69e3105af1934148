//! Emission of refreshes: values are brought to the argument, the functions of the circuit run, and the results brought back.

use super::super::Defect;
use super::Emitter;
use crate::slots::SlotValue;
use peregrine_ir::{Inst, Level, Scale, Type, Value};

/// What refreshes change of a value, as a share of its bound, before it is far outside that: they are right to 2^-13, and to 2^-9 at twice
/// the bound.
const MOST_CHANGE: f64 = 1.0 / 256.0;

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
        for (&argument, &result) in arguments.iter().zip(&results) {
            self.note_change(argument, result)?;
        }
        Ok(results.into_iter().zip(factors).collect())
    }

    /// A value at a level within its own, which may be its own.
    fn dropped(&mut self, a: Value, to: Level) -> Result<Value, Defect> {
        let own = self.builder.type_of(a).map(Type::level);
        match own == Some(to) {
            true => Ok(a),
            false => Ok(self.builder.push(Inst::DropLevel { a, to })?),
        }
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
        let one = Scale::power_of_two(0);
        let ratio = match from == to {
            true => Some(one),
            false => self.builder.circuit().rings.ratio(from, to),
        };
        let scale = ratio.and_then(|ratio| wanted.checked_mul(&ratio));
        let scale = scale.and_then(|scale| scale.checked_div(source?));
        scale.ok_or(Defect::Exponent)
    }

    /// Notes what a refresh changed: its result less its argument, at the level and scale of the argument.
    fn note_change(&mut self, argument: Value, result: Value) -> Result<(), Defect> {
        let refreshing = self.refreshing.as_ref().ok_or(Defect::Missing)?;
        let (out, factor) = (refreshing.out, refreshing.gain);
        let (to, wanted) = refreshing.from.clone();
        let low = self.lowest_within(out, to);
        let a = self.dropped(result, low)?;
        let source = self.builder.type_of(a).and_then(|ty| ty.scale().cloned());
        let scale = self.between((low, source.as_ref()), (to, &wanted))?;
        let a = self.builder.push(Inst::MulScalar { a, factor, scale })?;
        let a = self.builder.push(Inst::Rescale { a, to })?;
        let change = self.builder.push(Inst::Sub(a, argument))?;
        let refreshing = self.refreshing.as_mut().ok_or(Defect::Missing)?;
        refreshing.changes.push(change);
        Ok(())
    }

    /// Twice the real part of what all refreshes changed.
    fn changed(&mut self) -> Result<Value, Defect> {
        let refreshing = self.refreshing.as_ref().ok_or(Defect::Missing)?;
        if let Some(done) = refreshing.changed {
            return Ok(done);
        }
        let sum = match refreshing.changes.as_slice() {
            &[only] => only,
            all => self.builder.push(Inst::Add(all.to_vec()))?,
        };
        let conjugate = self.builder.push(Inst::Conjugate(sum))?;
        let done = self.builder.push(Inst::Add(vec![sum, conjugate]))?;
        let refreshing = self.refreshing.as_mut().ok_or(Defect::Missing)?;
        refreshing.changed = Some(done);
        Ok(done)
    }

    /// The ciphertexts of an output at the level at which they leave. Where there are refreshes, that is the lowest that has room for them, and
    /// the imaginary parts of the first are what refreshes changed, below the limit that is given back unless they changed much.
    pub(super) fn leaving(
        &mut self,
        mut values: Vec<Value>,
    ) -> Result<(Vec<Value>, Option<f64>), Defect> {
        let number = self.builder.circuit().outputs.len();
        let refreshing = self.refreshing.as_ref();
        let Some(refreshing) = refreshing.filter(|known| !known.changes.is_empty()) else {
            return Ok((values, None));
        };
        let to = refreshing.leaving;
        let ((from, argument), magnitude) = (
            refreshing.from.clone(),
            refreshing.magnitudes.get(number).copied(),
        );
        let magnitude = magnitude.ok_or(Defect::Missing)?;
        for value in &mut values {
            *value = self.dropped(*value, to)?;
        }
        let first = values.first_mut().ok_or(Defect::Missing)?;
        let a = self.changed()?;
        let own = self.builder.type_of(*first).and_then(Type::scale).cloned();
        let own = own.ok_or(Defect::Missing)?;
        let scale = self.between((from, Some(&argument)), (to, &own))?;
        let primes = &self.builder.circuit().rings.primes;
        let size = scale.bits(primes).ok_or(Defect::Exponent)?.exp2();
        let whole = (size * magnitude / (2.0 * MOST_CHANGE)).ceil().max(1.0);
        let factor = whole / size;
        let a = self.builder.push(Inst::MulScalar { a, factor, scale })?;
        let a = match from == to {
            true => a,
            false => self.builder.push(Inst::Rescale { a, to })?,
        };
        let slots = self.builder.circuit().rings.at(to).slots();
        let turned = self
            .builder
            .push(Inst::MulMonomial { a, exponent: slots })?;
        *first = self.builder.push(Inst::Add(vec![*first, turned]))?;
        Ok((values, Some(2.0 * factor * MOST_CHANGE)))
    }
}
