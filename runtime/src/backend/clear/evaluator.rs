//! The clear back end: computes on cleartext slots, and keeps exact accounts of level, scale and form.

use super::headroom::Headroom;
use super::mismatch::Mismatch;
use super::noise::Noise;
use super::slots::{Factor, Slots};
use super::tape::Errors;
use super::watch::{Seen, Watch};
use crate::ckks::Embedding;
use crate::exec::{Encoding, Evaluator, ScaleValue, Site};
use peregrine_ir::{
    Basis, Circuit, Definition, Form, Inst, Key, Level, RingTable, Rotation, Scale, Type, Value,
};
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

/// The number of plaintexts that one `dot` has encoded at a time. Sums of doubles depend on their order, and so on this
/// number.
const DOT_CHUNK: NonZeroUsize = match NonZeroUsize::new(32) {
    Some(count) => count,
    None => NonZeroUsize::MIN,
};

/// The work of evaluating a constant, in passes over its slots.
const FILLING: u64 = 8;

/// A simulator: runs circuits on cleartext slots, without keys.
///
/// It keeps its own accounts of level, scale and form, independent of the types in the circuit, and compares them after
/// every instruction.
#[derive(Debug)]
pub struct Simulator {
    ring: RingTable,
    noise: Option<Noise>,
    watch: Watch,
    headroom: Mutex<Option<Headroom>>,
    /// Values whose message is in their coefficients, where a modulus is raised.
    in_coefficients: BTreeSet<Value>,
}

/// The values from which moduli are raised, back to the products whose sums they are.
fn in_coefficients(circuit: &Circuit) -> BTreeSet<Value> {
    let raised = circuit.values.values();
    let raised = raised.filter_map(|definition| match definition.inst {
        Inst::RaiseExt { a, .. } => Some(a),
        _ => None,
    });
    let (mut left, mut found): (Vec<Value>, BTreeSet<Value>) = (raised.collect(), BTreeSet::new());
    while let Some(value) = left.pop() {
        let definition = circuit.values.get(value).filter(|_| found.insert(value));
        match definition.map(|definition| &definition.inst) {
            Some(
                &Inst::SwitchRing { a, .. }
                | &Inst::Rescale { a, .. }
                | &Inst::ModDown(a)
                | &Inst::Rotate { a, .. }
                | &Inst::RotateExt { a, .. },
            ) => left.push(a),
            Some(Inst::Add(terms)) => left.extend(terms),
            _ => {}
        }
    }
    found
}

/// A simulated ciphertext, of one image or of several that are computed together.
#[derive(Clone, Debug)]
pub struct Cipher {
    slots: Arc<Slots>,
    level: Level,
    scale: Scale,
    form: Form,
}

/// A simulated plaintext.
#[derive(Debug)]
pub struct Plain {
    slots: Slots,
    /// The errors of rounding, which twins do not have.
    errors: Option<Errors>,
    twins: usize,
    level: Level,
    scale: Scale,
    basis: Basis,
}

impl Plain {
    fn factor(&self) -> Factor<'_> {
        Factor {
            slots: &self.slots,
            errors: self.errors.as_ref(),
            twins: self.twins,
        }
    }
}

/// Simulated digits: the ciphertext that they are the decomposition of.
#[derive(Debug)]
pub struct Digits {
    of: Cipher,
}

impl Simulator {
    /// A simulator of exact arithmetic for a circuit.
    pub fn exact(circuit: &Circuit) -> Self {
        Self::new(circuit, None)
    }

    /// A simulator for a circuit, with simulated noise if `noise` is given.
    pub(crate) fn new(circuit: &Circuit, noise: Option<Noise>) -> Self {
        Self {
            ring: circuit.rings.clone(),
            watch: Watch::new(circuit),
            noise,
            headroom: Mutex::new(None),
            in_coefficients: in_coefficients(circuit),
        }
    }

    /// An input as the client would encrypt it. The slots of several images lie one after the other.
    pub fn encrypt(&self, slots: Vec<f64>, level: Level, scale: Scale) -> Cipher {
        Cipher {
            slots: Arc::new(Slots::real(slots)),
            level,
            scale,
            form: Form::Normal,
        }
    }

    /// The smallest headroom that any value has had so far.
    pub(crate) fn headroom(&self) -> Option<Headroom> {
        *self.headroom.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was recorded of the values that nodes hand on.
    pub(crate) fn into_seen(self) -> Seen {
        self.watch.into_seen()
    }

    /// The number of slots of one image.
    fn width(&self, a: &Cipher) -> usize {
        self.ring.at(a.level).slots() as usize
    }

    fn note_headroom(&self, value: Value, a: &Cipher) {
        let magnitude = a.slots.magnitude();
        let bits = self
            .ring
            .level_bits(a.level)
            .zip(a.scale.bits(&self.ring.primes));
        let Some((modulus, scale)) = bits.filter(|_| magnitude > 0.0) else {
            return;
        };
        let largest = match self.in_coefficients.contains(&value) {
            true => self.largest_coefficient(a),
            false => magnitude,
        };
        let bits = modulus - 1.0 - scale - largest.log2();
        let found = Headroom {
            bits,
            value,
            magnitude,
        };
        self.watch.room(found);
        let mut least = self.headroom.lock().unwrap_or_else(PoisonError::into_inner);
        *least = Headroom::least(*least, Some(found));
    }

    /// The largest magnitude of a coefficient of any image.
    fn largest_coefficient(&self, a: &Cipher) -> f64 {
        let width = self.width(a);
        let embedding = Embedding::new(2 * width);
        let coefficients = (0..a.slots.re.len() / width.max(1)).flat_map(|image| {
            let slots = a.slots.complex(image * width..(image + 1) * width);
            embedding.coefficients(slots, 1.0)
        });
        coefficients.fold(0.0, |most, x| x.abs().max(most))
    }

    fn product(&self, a: &Cipher, slots: Slots, by: &Scale) -> Result<Cipher, Mismatch> {
        Ok(Cipher {
            slots: Arc::new(slots),
            scale: a.scale.checked_mul(by).ok_or(Mismatch::Exponent)?,
            ..a.clone()
        })
    }
}

impl Cipher {
    /// The real parts of the slots. Those of several images lie one after the other.
    pub fn slots(&self) -> &[f64] {
        &self.slots.re
    }

    /// The imaginary parts of the slots, in the same order; none while every slot is real.
    pub fn imaginary(&self) -> Option<&[f64]> {
        self.slots.im.as_deref()
    }

    fn with(&self, slots: Slots) -> Self {
        Self {
            slots: Arc::new(slots),
            ..self.clone()
        }
    }

    fn agree(&self, other: &Self) -> Result<(), Mismatch> {
        let same = (self.level, &self.scale, self.form) == (other.level, &other.scale, other.form);
        same.then_some(()).ok_or(Mismatch::Operands)
    }

    fn meets(&self, p: &Plain) -> Result<(), Mismatch> {
        let same = (self.level, self.form.basis()) == (p.level, p.basis);
        same.then_some(()).ok_or(Mismatch::Operands)
    }

    fn reform(&self, from: Form, to: Form) -> Result<Self, Mismatch> {
        if self.form != from {
            return Err(Mismatch::Operands);
        }
        Ok(Self {
            form: to,
            ..self.clone()
        })
    }
}

impl Evaluator for Simulator {
    type Cipher = Cipher;
    type Plain = Plain;
    type Digits = Digits;
    type Error = Mismatch;

    fn accept(&self, circuit: &Circuit) -> Result<(), Mismatch> {
        let same = circuit.rings == self.ring;
        same.then_some(()).ok_or(Mismatch::Ring)
    }

    /// The slots that each instruction passes over; evaluating a constant counts as several passes.
    fn work(&self, circuit: &Circuit) -> Vec<u64> {
        let work = |definition: &Definition| {
            let inst = &definition.inst;
            let (mut passes, mut filled) = (1, 0);
            inst.for_each_operand(|operand| {
                let operand = circuit.values.get(operand);
                let is_plain = operand.is_some_and(|d| matches!(d.inst, Inst::Encode { .. }));
                passes += 1;
                filled += u64::from(is_plain) * FILLING;
            });
            let slots = circuit.rings.at(definition.ty.level()).slots();
            (passes + filled) * u64::from(slots)
        };
        circuit.values.values().map(work).collect()
    }

    fn dot_chunk(&self) -> NonZeroUsize {
        DOT_CHUNK
    }

    fn prepare(&self, _: &[Key]) -> Result<(), Mismatch> {
        Ok(())
    }

    fn release(&self, _: &[Key]) {}

    fn seal(&self, site: Site<'_>, a: Cipher) -> Result<Cipher, Mismatch> {
        let found = Type::Cipher {
            level: a.level,
            scale: a.scale.clone(),
            form: a.form,
        };
        if found != *site.ty {
            return Err(Mismatch::Type {
                value: site.value,
                found: found.display(self.ring.unit_bits),
                expected: site.ty.display(self.ring.unit_bits),
            });
        }
        self.note_headroom(site.value, &a);
        let Some(noise) = &self.noise else {
            return Ok(a);
        };
        let mut sealed = a;
        noise.disturb(site, &mut sealed.slots);
        let (width, twins) = (self.width(&sealed), noise.twins());
        self.watch.twins(site.value, &sealed.slots, (width, twins));
        Ok(sealed)
    }

    fn encode(&self, slots: peregrine_ir::Slots, at: Encoding<'_>) -> Result<Plain, Mismatch> {
        let slots = Slots::from(slots);
        let noise = self.noise.as_ref();
        Ok(Plain {
            errors: noise.and_then(|noise| noise.of_rounding(&slots, at)),
            twins: noise.map_or(0, Noise::twins),
            slots,
            level: at.level,
            scale: at.scale.exact.clone(),
            basis: at.basis,
        })
    }

    fn add(&self, terms: &[&Cipher]) -> Result<Cipher, Mismatch> {
        let first = *terms.first().ok_or(Mismatch::Operands)?;
        terms.iter().try_for_each(|term| match term.form {
            Form::Normal if first.form == Form::Product => {
                first.agree(&term.reform(Form::Normal, Form::Product)?)
            }
            _ => first.agree(term),
        })?;
        let slots: Vec<&Slots> = terms.iter().map(|term| &*term.slots).collect();
        Ok(first.with(Slots::sum(&slots)))
    }

    fn sub(&self, a: &Cipher, b: &Cipher) -> Result<Cipher, Mismatch> {
        a.agree(b)?;
        Ok(a.with(a.slots.sub(&b.slots)))
    }

    fn negate(&self, a: &Cipher) -> Result<Cipher, Mismatch> {
        Ok(a.with(a.slots.scaled(-1.0)))
    }

    fn add_plain(&self, a: &Cipher, p: &Plain) -> Result<Cipher, Mismatch> {
        a.meets(p)?;
        if a.scale != p.scale || a.form == Form::Extended {
            return Err(Mismatch::Operands);
        }
        Ok(a.with(a.slots.add_plain(p.factor())))
    }

    fn mul_plain(&self, a: &Cipher, p: &Plain) -> Result<Cipher, Mismatch> {
        self.dot(&[a], &[p])
    }

    fn mul_scalar(
        &self,
        a: &Cipher,
        factor: f64,
        scale: ScaleValue<'_>,
    ) -> Result<Cipher, Mismatch> {
        self.dot_scalar(&[a], &[factor], scale)
    }

    fn dot(&self, ciphers: &[&Cipher], plains: &[&Plain]) -> Result<Cipher, Mismatch> {
        let (Some(&a), Some(&p)) = (ciphers.first(), plains.first()) else {
            return Err(Mismatch::Operands);
        };
        for (other, plain) in ciphers.iter().zip(plains) {
            a.agree(other)?;
            a.meets(plain)?;
            if plain.scale != p.scale {
                return Err(Mismatch::Operands);
            }
        }
        let slots: Vec<&Slots> = ciphers.iter().map(|c| &*c.slots).collect();
        let factors: Vec<Factor<'_>> = plains.iter().map(|p| p.factor()).collect();
        self.product(a, Slots::dot(&slots, &factors), &p.scale)
    }

    fn dot_scalar(
        &self,
        ciphers: &[&Cipher],
        factors: &[f64],
        scale: ScaleValue<'_>,
    ) -> Result<Cipher, Mismatch> {
        let &a = ciphers.first().ok_or(Mismatch::Operands)?;
        ciphers.iter().try_for_each(|other| a.agree(other))?;
        // The integers that stand for the factors are part of the semantics, not noise.
        let rounded = |factor: &f64| (factor * scale.value).round() / scale.value;
        let terms: Vec<Slots> = ciphers
            .iter()
            .zip(factors)
            .map(|(a, factor)| a.slots.scaled(rounded(factor)))
            .collect();
        let sum = Slots::sum(&terms.iter().collect::<Vec<_>>());
        self.product(a, sum, scale.exact)
    }

    fn mul(&self, a: &Cipher, b: &Cipher) -> Result<Cipher, Mismatch> {
        if a.level != b.level || b.form != Form::Normal {
            return Err(Mismatch::Operands);
        }
        let product = self.product(a, a.slots.mul(&b.slots), &b.scale)?;
        product.reform(Form::Normal, Form::Product)
    }

    fn square(&self, a: &Cipher) -> Result<Cipher, Mismatch> {
        self.mul(a, a)
    }

    fn relinearize(&self, a: &Cipher) -> Result<Cipher, Mismatch> {
        a.reform(Form::Product, Form::Normal)
    }

    fn relinearize_ext(&self, a: &Cipher, digits: &Digits) -> Result<Cipher, Mismatch> {
        a.agree(&digits.of)?;
        digits.of.reform(Form::Product, Form::Extended)
    }

    fn relinearize_rescale(&self, a: &Cipher, to: Level) -> Result<Cipher, Mismatch> {
        self.rescale(&self.relinearize(a)?, to)
    }

    fn rescale(&self, a: &Cipher, to: Level) -> Result<Cipher, Mismatch> {
        let ratio = self.ring.ratio(a.level, to).ok_or(Mismatch::Exponent)?;
        Ok(Cipher {
            level: to,
            scale: a.scale.checked_div(&ratio).ok_or(Mismatch::Exponent)?,
            form: match a.form {
                Form::Extended => Form::Normal,
                form => form,
            },
            ..a.clone()
        })
    }

    fn drop_level(&self, a: &Cipher, to: Level) -> Result<Cipher, Mismatch> {
        Ok(Cipher {
            level: to,
            ..a.clone()
        })
    }

    fn switch_ring(&self, a: &Cipher, to: Level) -> Result<Cipher, Mismatch> {
        let secret = |level| self.ring.at(level).secret();
        if !secret(a.level).leads_to(secret(to)) || a.form != Form::Normal {
            return Err(Mismatch::Operands);
        }
        let below = Cipher {
            level: to,
            ..a.clone()
        };
        let widths = (self.width(a), self.width(&below));
        Ok(below.with(a.slots.switched(widths)))
    }

    /// Messages without what the real ones wrap around; that is drawn with the noise.
    fn raise_ext(&self, a: &Cipher, rotation: Rotation, to: Level) -> Result<Cipher, Mismatch> {
        let [secret, into] = [a.level, to].map(|level| self.ring.at(level).secret());
        if !secret.raises_to(into) || a.form != Form::Normal || !self.ring.contains(to, a.level) {
            return Err(Mismatch::Operands);
        }
        let above = Cipher {
            level: to,
            form: Form::Extended,
            ..a.clone()
        };
        let widths = (self.width(a), self.width(&above));
        let repeated = a.slots.switched(widths);
        Ok(above.with(repeated.rotate(rotation.0 as usize, widths.1)))
    }

    fn decompose(&self, a: &Cipher) -> Result<Digits, Mismatch> {
        Ok(Digits { of: a.clone() })
    }

    fn rotate_ext(
        &self,
        a: &Cipher,
        digits: &Digits,
        rotation: Rotation,
    ) -> Result<Cipher, Mismatch> {
        a.agree(&digits.of)?;
        self.rotate(&digits.of, rotation)?
            .reform(Form::Normal, Form::Extended)
    }

    fn mod_down(&self, a: &Cipher) -> Result<Cipher, Mismatch> {
        a.reform(Form::Extended, Form::Normal)
    }

    fn rotate(&self, a: &Cipher, rotation: Rotation) -> Result<Cipher, Mismatch> {
        Ok(a.with(a.slots.rotate(rotation.0 as usize, self.width(a))))
    }

    fn conjugate(&self, a: &Cipher) -> Result<Cipher, Mismatch> {
        Ok(a.with(a.slots.conjugate()))
    }

    fn mul_monomial(&self, a: &Cipher, exponent: u32) -> Result<Cipher, Mismatch> {
        Ok(a.with(a.slots.mul_monomial(exponent, self.width(a))))
    }
}
