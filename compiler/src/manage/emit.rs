//! Emission: from a settled slot program to the instructions of a circuit, with levels and scales.
//!
//! Every slot value has a *working* form (two parts, at its level and scale) and may have a *raw* form before rescale; the
//! working form is made where it is first needed. `at` brings a working value to another level and scale: by dropping primes
//! where the scale fits, otherwise by one product with 1.

mod refresh;

use super::raw::{Raw, masked, raw};
use super::refreshing::Refreshing;
use super::regions::Place;
use super::rescales::Rescales;
use super::scales::Scales;
use super::settled::Settled;
use super::{Defect, ManageError};
use crate::moduli::bits::{number_bits, spare_bits};
use crate::moduli::scale_bits::ScaleBits;
use crate::refresh::plan::RefreshPlan;
use crate::slots::{Program, SlotInst, SlotOp, SlotPort, SlotValue};
use peregrine_ir::{
    Basis, Builder, Circuit, Const, Inst, Level, Node, RingTable, Scale, SecondaryMap, Security,
    Value,
};
use std::collections::BTreeMap;
use std::mem::take;
use std::ops::Range;

/// The circuit of a settled program in `ring`. The ring has one level more than the program has steps to a lower level, and
/// its rescales drop what the program demands.
///
/// # Errors
/// Defects of earlier stages only.
pub fn emit(
    settled: Settled,
    ring: RingTable,
    bits: ScaleBits,
    security: Security,
    name: &str,
) -> Result<Circuit, ManageError> {
    let circuit = Circuit::new(name, security, ring);
    emitted(settled, (circuit, None), bits)
}

/// The circuit of a settled program with refreshes, in the rings of `plan`. The values of each output stay below its magnitude. Their
/// imaginary parts tell what refreshes changed.
///
/// # Errors
/// Defects of earlier stages only.
pub fn emit_refreshed(
    settled: Settled,
    (plan, magnitudes): (&RefreshPlan, &[f64]),
    bits: ScaleBits,
    security: Security,
    name: &str,
) -> Result<Circuit, ManageError> {
    let circuit = Circuit::new(name, security, plan.rings.clone());
    emitted(settled, (circuit, Some((plan, magnitudes))), bits)
}

fn emitted(
    settled: Settled,
    (mut circuit, refreshes): (Circuit, Option<(&RefreshPlan, &[f64])>),
    bits: ScaleBits,
) -> Result<Circuit, ManageError> {
    let Settled {
        mut program,
        rescales,
        scales,
        demand: _,
    } = settled;
    // The tables of the program become those of the circuit.
    let raw = raw(&program, &rescales);
    circuit.nodes = take(&mut program.nodes);
    circuit.remarks = take(&mut program.remarks);
    circuit.layouts = take(&mut program.layouts);
    circuit.tensors = take(&mut program.tensors);
    circuit.operators = take(&mut program.operators);
    circuit.constants = take(&mut program.constants);
    // The levels must be those that the program was counted to need; then symbolic scales become scales of this ring.
    let rows = rows(&circuit, refreshes.map(|(plan, _)| plan));
    let (found, needed) = (rows.end - rows.start, rescales.regions().levels());
    if found != needed {
        return Err(Defect::Levels { found, needed }.at(None));
    }
    let scales = scales.in_ring(&circuit.rings, Level(rows.end - 1));
    let scales = scales.ok_or_else(|| Defect::Exponent.at(None))?;
    let mut builder = Builder::new(circuit);
    let refreshing = refreshes
        .map(|(plan, magnitudes)| Refreshing::new(&mut builder, plan, &program, magnitudes));
    let refreshing = refreshing.transpose().map_err(|defect| defect.at(None))?;
    let mut emitter = Emitter {
        lowest: Level(rows.start),
        refreshing,
        bits,
        rescales,
        raw,
        masked: masked(&program),
        scales,
        builder,
        emitted: SecondaryMap::filled(&program.values, None),
        working: BTreeMap::new(),
        moved: BTreeMap::new(),
        encoded: BTreeMap::new(),
    };
    // Inputs first, then every value in order, then outputs, which bring their values to one level and scale.
    let inputs = emitter.inputs(&program);
    inputs.map_err(|defect| defect.at(None))?;
    for (value, inst) in program.values.iter() {
        emitter.builder.serve(inst.node);
        let done = emitter.value(value, inst);
        done.map_err(|defect| emitter.at_node(defect, inst.node))?;
    }
    emitter.outputs(&program)?;
    Ok(emitter.builder.finish())
}

/// The levels of a program: all of a table of rings, or those between the argument of a refresh and its results.
fn rows(circuit: &Circuit, plan: Option<&RefreshPlan>) -> Range<u32> {
    match plan {
        Some(RefreshPlan { refresh, .. }) => refresh.from.0.0..refresh.levels.out.0 + 1,
        None => 0..circuit.rings.levels.len() as u32,
    }
}

struct Emitter {
    /// The level of the last place.
    lowest: Level,
    /// The refreshes, if there are any.
    refreshing: Option<Refreshing>,
    bits: ScaleBits,
    rescales: Rescales,
    raw: SecondaryMap<SlotValue, Raw>,
    /// Whether each value is a product to which a mask is applied.
    masked: SecondaryMap<SlotValue, bool>,
    scales: Scales,
    builder: Builder,
    /// The emitted form of each value: raw where [`Raw`] says so.
    emitted: SecondaryMap<SlotValue, Option<Value>>,
    /// The working form of raw values.
    working: BTreeMap<SlotValue, Value>,
    /// Working values that were brought to other levels and scales.
    moved: BTreeMap<(SlotValue, Level, Scale), Value>,
    encoded: BTreeMap<(Const, Level, Scale), Value>,
}

impl Emitter {
    fn inputs(&mut self, program: &Program) -> Result<(), Defect> {
        for port in &program.inputs {
            let top = self.level_of(Place::default())?;
            let at = (top, Scale::power_of_two(self.bits.unit as i32));
            let values =
                self.builder
                    .input(&port.name, port.shape.clone(), port.packed.layout, at)?;
            for (slot, value) in port.packed.values.iter().zip(values) {
                self.emitted[*slot] = Some(value);
            }
        }
        Ok(())
    }

    fn outputs(&mut self, program: &Program) -> Result<(), ManageError> {
        for port in &program.outputs {
            let values = port.packed.values.iter().copied();
            let deepest = values.max_by_key(|&v| self.place(v));
            let deepest = deepest.ok_or_else(|| Defect::Missing.at(None))?;
            let node = program.values[deepest].node;
            self.builder.serve(node);
            let done = self.output(port, deepest);
            done.map_err(|defect| self.at_node(defect, node))?;
        }
        Ok(())
    }

    /// Emits an output at the level and scale of the deepest of its values.
    fn output(&mut self, port: &SlotPort, deepest: SlotValue) -> Result<(), Defect> {
        let SlotPort {
            name,
            shape,
            packed,
        } = port;
        let scale = self.scale(deepest)?;
        let level = match self.refreshing {
            Some(_) => self.lowest,
            None => self.level(deepest)?,
        };
        let values = packed.values.iter();
        let values = values.map(|&v| self.at(v, level, &scale));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let (values, imaginary) = self.leaving(values)?;
        self.builder
            .output(name, shape.clone(), packed.layout, values);
        if let Some(port) = self.builder.circuit().outputs.last_mut() {
            port.imaginary = imaginary;
        }
        Ok(())
    }

    /// The error for a defect in the operations of a node.
    fn at_node(&mut self, defect: Defect, node: Node) -> ManageError {
        defect.at(self.builder.circuit().nodes.get(node))
    }

    fn value(&mut self, value: SlotValue, inst: &SlotInst) -> Result<(), Defect> {
        let done = match &inst.op {
            SlotOp::Input => return Ok(()),
            SlotOp::Rotate(a, rotation) => {
                let a = if self.raw[value] == Raw::Constants {
                    self.emitted(*a)?
                } else {
                    self.working(*a)?
                };
                self.builder.push(Inst::Rotate {
                    a,
                    rotation: *rotation,
                })?
            }
            SlotOp::Negate(a) => {
                let a = self.emitted(*a)?;
                self.builder.push(Inst::Negate(a))?
            }
            SlotOp::Dot(terms) => self.dot(value, terms)?,
            SlotOp::Mask(terms) => self.mask(value, terms)?,
            SlotOp::Scalars(terms, mask) => self.scalars(value, terms, *mask)?,
            SlotOp::MulScalar(a, factor) => {
                let level = self.level_before(value)?;
                let source = self.scale(*a)?;
                let a = self.at(*a, level, &source)?;
                let scale = self.constant_scale(value, &source)?;
                self.builder.push(Inst::MulScalar {
                    a,
                    factor: *factor,
                    scale,
                })?
            }
            SlotOp::AddConst(a, constant) => {
                let a = self.working(*a)?;
                let (level, scale) = (self.level(value)?, self.scale(value)?);
                let p = self.encode(*constant, level, scale)?;
                self.builder.push(Inst::AddPlain(a, p))?
            }
            SlotOp::Add(terms) => self.add(value, terms)?,
            SlotOp::Mul(a, b) => self.mul(value, *a, *b)?,
            SlotOp::SwitchRing(a) => {
                let (to, scale) = (self.level(value)?, self.scale(*a)?);
                let regions = self.rescales.regions();
                let from = self.level_of(regions.last(self.place(*a).region))?;
                let a = self.at(*a, from, &scale)?;
                self.builder.push(Inst::SwitchRing { a, to })?
            }
            SlotOp::Refresh(values, of) => self.refresh(value, values, *of)?,
        };
        self.emitted[value] = Some(done);
        Ok(())
    }

    fn dot(&mut self, value: SlotValue, terms: &[(SlotValue, Const)]) -> Result<Value, Defect> {
        let (level, ciphers, mut scale) = self.aligned(value, terms)?;
        if self.masked[value] {
            scale = scale
                .checked_div(&self.mask_scale())
                .ok_or(Defect::Exponent)?;
        }
        let plains = terms
            .iter()
            .map(|&(_, constant)| self.encode(constant, level, scale.clone()))
            .collect::<Result<Vec<_>, _>>()?;
        self.products(ciphers, plains)
    }

    /// Emits a product with masks of values that are not yet rescaled.
    fn mask(&mut self, value: SlotValue, terms: &[(SlotValue, Const)]) -> Result<Value, Defect> {
        let level = self.level_before(value)?;
        let scale = self.mask_scale();
        let (mut ciphers, mut plains) = (Vec::new(), Vec::new());
        for &(a, constant) in terms {
            ciphers.push(self.emitted(a)?);
            plains.push(self.encode(constant, level, scale.clone())?);
        }
        self.products(ciphers, plains)
    }

    fn mask_scale(&self) -> Scale {
        Scale::power_of_two(self.bits.mask as i32)
    }

    fn products(&mut self, ciphers: Vec<Value>, plains: Vec<Value>) -> Result<Value, Defect> {
        Ok(match (ciphers.as_slice(), plains.as_slice()) {
            ([a], [p]) => self.builder.push(Inst::MulPlain(*a, *p))?,
            _ => self.builder.push(Inst::Dot { ciphers, plains })?,
        })
    }

    /// Emits a sum of products with scalars. A mask shares the bits of its rescale.
    fn scalars(
        &mut self,
        value: SlotValue,
        terms: &[(SlotValue, Const)],
        mask: Option<Const>,
    ) -> Result<Value, Defect> {
        let (level, ciphers, scale) = self.aligned(value, terms)?;
        let constants = terms.iter().map(|&(_, constant)| constant).collect();
        let Some(mask) = mask else {
            return Ok(self.builder.push(Inst::DotScalar {
                ciphers,
                constants,
                scale,
            })?);
        };
        let ring = &self.builder.circuit().rings;
        let bits = scale.bits(&ring.primes).ok_or(Defect::Exponent)?;
        let numbers = Scale::power_of_two(number_bits(bits, self.bits.mask));
        let a = self.builder.push(Inst::DotScalar {
            ciphers,
            constants,
            scale: numbers.clone(),
        })?;
        let p = self.encode(
            mask,
            level,
            scale.checked_div(&numbers).ok_or(Defect::Exponent)?,
        )?;
        Ok(self.builder.push(Inst::MulPlain(a, p))?)
    }

    /// The factors of products with constants, brought to one level and scale, and the scale of the constants.
    fn aligned(
        &mut self,
        value: SlotValue,
        terms: &[(SlotValue, Const)],
    ) -> Result<(Level, Vec<Value>, Scale), Defect> {
        let level = self.level_before(value)?;
        let factors = || terms.iter().map(|&(a, _)| a);
        let deepest = factors()
            .max_by_key(|&a| self.place(a))
            .ok_or(Defect::Missing)?;
        let source = self.scale(deepest)?;
        let ciphers = factors()
            .map(|a| self.at(a, level, &source))
            .collect::<Result<_, _>>()?;
        let scale = self.constant_scale(value, &source)?;
        Ok((level, ciphers, scale))
    }

    /// The scale of constants that takes operands of scale `source` to the scale of `value`, once that is rescaled.
    fn constant_scale(&mut self, value: SlotValue, source: &Scale) -> Result<Scale, Defect> {
        let (from, to) = (self.level_before(value)?, self.level(value)?);
        let ring = &self.builder.circuit().rings;
        let ratio = ring.ratio(from, to).ok_or(Defect::Exponent)?;
        let target = self.scale(value)?;
        target
            .checked_mul(&ratio)
            .and_then(|s| s.checked_div(source))
            .ok_or(Defect::Exponent)
    }

    fn add(&mut self, value: SlotValue, terms: &[SlotValue]) -> Result<Value, Defect> {
        let terms = if self.raw[value] == Raw::No {
            let (level, scale) = (self.level(value)?, self.scale(value)?);
            terms
                .iter()
                .map(|&t| self.at(t, level, &scale))
                .collect::<Result<_, _>>()?
        } else {
            terms
                .iter()
                .map(|&t| self.emitted(t))
                .collect::<Result<_, _>>()?
        };
        Ok(self.builder.push(Inst::Add(terms))?)
    }

    fn mul(&mut self, value: SlotValue, a: SlotValue, b: SlotValue) -> Result<Value, Defect> {
        let (lazy, to) = (self.rescales.is_lazy(value), self.level(value)?);
        let level = match lazy {
            true => to,
            false => self.level_before(value)?,
        };
        let (scale_a, scale_b) = (self.scale(a)?, self.scale(b)?);
        let x = self.at(a, level, &scale_a)?;
        let spare = match lazy {
            true => 0,
            false => spare_bits(&self.builder.circuit().rings, to).ok_or(Defect::Exponent)?,
        };
        if spare == 0 && a == b {
            return Ok(self.builder.push(Inst::Square(x))?);
        }
        let y = self.at(b, level, &scale_b)?;
        let x = match spare {
            0 => x,
            _ => self.builder.push(Inst::MulScalar {
                a: x,
                factor: 1.0,
                scale: Scale::power_of_two(spare as i32),
            })?,
        };
        Ok(self.builder.push(Inst::Mul(x, y))?)
    }

    /// The working form of a value: relinearized, and rescaled unless the value is lazy.
    fn working(&mut self, value: SlotValue) -> Result<Value, Defect> {
        let emitted = self.emitted(value)?;
        let raw = self.raw[value];
        if raw == Raw::No {
            return Ok(emitted);
        }
        if let Some(&done) = self.working.get(&value) {
            return Ok(done);
        }
        let done = match raw {
            Raw::Product | Raw::Lazy => self.builder.push(Inst::Relinearize(emitted))?,
            Raw::Constants | Raw::No => emitted,
        };
        let done = match raw {
            Raw::Lazy => done,
            _ => {
                let (a, to) = (done, self.level(value)?);
                self.builder.push(Inst::Rescale { a, to })?
            }
        };
        self.working.insert(value, done);
        Ok(done)
    }

    /// The working form of a value, brought to a scale and a level that is not above its own.
    fn at(&mut self, value: SlotValue, level: Level, scale: &Scale) -> Result<Value, Defect> {
        let working = self.working(value)?;
        let (own_level, own_scale) = (self.level(value)?, self.scale(value)?);
        if own_level == level && own_scale == *scale {
            return Ok(working);
        }
        let key = (value, level, scale.clone());
        if let Some(&done) = self.moved.get(&key) {
            return Ok(done);
        }
        let nested = self.builder.circuit().rings.contains(own_level, level);
        let done = if own_scale == *scale && nested {
            self.builder.push(Inst::DropLevel {
                a: working,
                to: level,
            })?
        } else {
            self.rescaled_to(working, (own_level, &own_scale), (level, scale))?
        };
        self.moved.insert(key, done);
        Ok(done)
    }

    /// Brings a value to a level and scale by a product with 1 and a rescale, after dropping the primes that can be dropped.
    fn rescaled_to(
        &mut self,
        a: Value,
        (own_level, own_scale): (Level, &Scale),
        (level, scale): (Level, &Scale),
    ) -> Result<Value, Defect> {
        let ring = &self.builder.circuit().rings;
        let between = (level.0 + 1..own_level.0).map(Level);
        let above = between
            .into_iter()
            .find(|&above| ring.contains(own_level, above));
        let from = above.unwrap_or(own_level);
        let by = ring.ratio(from, level).ok_or(Defect::Exponent)?;
        let by = scale
            .checked_mul(&by)
            .and_then(|s| s.checked_div(own_scale))
            .ok_or(Defect::Exponent)?;
        let a = match above {
            Some(to) => self.builder.push(Inst::DropLevel { a, to })?,
            None => a,
        };
        let a = self.builder.push(Inst::MulScalar {
            a,
            factor: 1.0,
            scale: by,
        })?;
        Ok(self.builder.push(Inst::Rescale { a, to: level })?)
    }

    fn encode(&mut self, constant: Const, level: Level, scale: Scale) -> Result<Value, Defect> {
        let key = (constant, level, scale);
        if let Some(&done) = self.encoded.get(&key) {
            return Ok(done);
        }
        let done = self
            .builder
            .encode(constant, level, key.2.clone(), Basis::Normal)?;
        self.encoded.insert(key, done);
        Ok(done)
    }

    fn emitted(&self, value: SlotValue) -> Result<Value, Defect> {
        self.emitted[value].ok_or(Defect::Missing)
    }

    fn place(&self, value: SlotValue) -> Place {
        self.rescales.place(value)
    }

    fn level(&self, value: SlotValue) -> Result<Level, Defect> {
        self.level_of(self.place(value))
    }

    fn level_of(&self, place: Place) -> Result<Level, Defect> {
        let level = self.rescales.regions().level(place)?;
        Ok(Level(self.lowest.0 + level.0))
    }

    /// The level of a value before its rescale.
    fn level_before(&self, value: SlotValue) -> Result<Level, Defect> {
        let before = self.place(value).before_rescale();
        let before = before.ok_or(Defect::Shallow)?;
        self.level_of(before)
    }

    fn scale(&self, value: SlotValue) -> Result<Scale, Defect> {
        self.scales.of(value).cloned().ok_or(Defect::Missing)
    }
}
