//! The typing rules: the only place that knows the type of an instruction's result.
//!
//! Builder, parser, verifier and passes call [`result_type`]; the executor and the simulator trust the types it gave.

mod calls;
mod error;

pub(crate) use calls::check_input;
pub use error::TypeError;

use crate::circuit::Circuit;
use crate::entity::Value;
use crate::inst::Inst;
use crate::ring::{Level, RingTable, Rotation};
use crate::scale::Scale;
use crate::types::{Basis, Form, Type};

/// The type of the result of `inst` in a circuit, given the types of earlier values.
///
/// # Errors
/// The first typing rule of the instruction that its operands break.
pub fn result_type<'t>(
    inst: &Inst,
    circuit: &Circuit,
    type_of: impl Fn(Value) -> Option<&'t Type>,
) -> Result<Type, TypeError> {
    let (op, ring) = (inst.keyword(), &circuit.rings);
    let rules = Rules { op, ring, type_of };
    match inst {
        Inst::Input { ty } => check_input(ty, ring).map(|()| ty.clone()),
        Inst::InputDigits(a) => rules.input_digits(circuit, *a),
        Inst::Encode {
            level,
            scale,
            basis,
            ..
        } => rules.encode(*level, scale, *basis),
        Inst::Add(values) => rules.add(values),
        Inst::Sub(a, b) => rules.add(&[*a, *b]),
        Inst::Negate(a) => rules.cipher(*a).map(Cipher::into_type),
        Inst::AddPlain(a, p) => rules.add_plain(*a, *p),
        Inst::MulPlain(a, p) => rules.dot(&[*a], &[*p]),
        Inst::MulScalar { a, factor, scale } => rules.mul_scalar(*a, *factor, scale),
        Inst::Dot { ciphers, plains } => rules.dot(ciphers, plains),
        Inst::DotScalar {
            ciphers,
            constants,
            scale,
        } => rules.dot_scalar(ciphers, constants.len(), scale),
        Inst::Mul(a, b) => rules.mul(*a, *b),
        Inst::Square(a) => rules.mul(*a, *a),
        Inst::Relinearize(a) => rules.with_form(*a, Form::Product, Form::Normal),
        Inst::RelinearizeExt { a, digits } => rules.key_product(*a, *digits, Form::Product),
        Inst::RelinearizeRescale { a, to } => rules.relinearize_rescale(*a, *to),
        Inst::Rescale { a, to } => rules.rescale(*a, *to),
        Inst::DropLevel { a, to } => rules.drop_level(*a, *to),
        Inst::SwitchRing { a, to } => rules.switch_ring(*a, *to),
        Inst::RaiseExt { a, rotation, to } => rules.raise_ext(*a, *rotation, *to),
        Inst::Decompose(a) => rules.decompose(*a),
        Inst::RotateExt {
            a,
            digits,
            rotation,
        } => {
            rules.rotation(*a, *rotation)?;
            rules.key_product(*a, *digits, Form::Normal)
        }
        Inst::ModDown(a) => rules.with_form(*a, Form::Extended, Form::Normal),
        Inst::Rotate { a, rotation } => {
            rules.rotation(*a, *rotation)?;
            rules.with_form(*a, Form::Normal, Form::Normal)
        }
        Inst::Conjugate(a) => rules.with_form(*a, Form::Normal, Form::Normal),
        Inst::MulMonomial { a, exponent } => rules.mul_monomial(*a, *exponent),
        Inst::Call {
            function,
            arguments,
        } => rules.call(circuit, *function, arguments),
        Inst::Result { call, index } => rules.result(circuit, *call, *index),
    }
}

/// A ciphertext operand, taken apart.
#[derive(Clone, PartialEq)]
struct Cipher {
    level: Level,
    scale: Scale,
    form: Form,
}

impl Cipher {
    fn into_type(self) -> Type {
        Type::Cipher {
            level: self.level,
            scale: self.scale,
            form: self.form,
        }
    }
}

struct Rules<'r, F> {
    op: &'static str,
    ring: &'r RingTable,
    type_of: F,
}

impl<'t, F: Fn(Value) -> Option<&'t Type>> Rules<'_, F> {
    fn operand(&self, value: Value) -> Result<&'t Type, TypeError> {
        (self.type_of)(value).ok_or(TypeError::Undefined { op: self.op, value })
    }

    fn cipher(&self, value: Value) -> Result<Cipher, TypeError> {
        match self.operand(value)? {
            Type::Cipher { level, scale, form } => Ok(Cipher {
                level: *level,
                scale: scale.clone(),
                form: *form,
            }),
            other => Err(self.kind(value, other, "a ciphertext")),
        }
    }

    /// A ciphertext modulo `Q_l`, of two or three parts.
    fn unextended(&self, value: Value) -> Result<Cipher, TypeError> {
        let x = self.cipher(value)?;
        if x.form == Form::Extended {
            return Err(TypeError::Form {
                op: self.op,
                value,
                found: x.form,
                expected: Form::Normal,
            });
        }
        Ok(x)
    }

    fn kind(&self, value: Value, found: &Type, expected: &'static str) -> TypeError {
        TypeError::Kind {
            op: self.op,
            value,
            found: found.display(self.ring.unit_bits),
            expected,
        }
    }

    /// Checks a level and a scale that an instruction states itself.
    fn stated(&self, level: Level, scale: &Scale) -> Result<(), TypeError> {
        let levels = self.ring.levels.len();
        let bits = self.ring.level_bits(level).ok_or(TypeError::NoLevel {
            op: self.op,
            level,
            levels,
        })?;
        self.fits(scale, bits)
    }

    /// Checks that a scale leaves room for the message below the modulus.
    fn fits(&self, scale: &Scale, modulus_bits: f64) -> Result<(), TypeError> {
        let text = || scale.display(self.ring.unit_bits);
        let bits = scale
            .bits(&self.ring.primes)
            .ok_or_else(|| TypeError::ScalePrime {
                op: self.op,
                scale: text(),
            })?;
        if bits > modulus_bits {
            return Err(TypeError::ScaleTooLarge {
                op: self.op,
                scale: text(),
                bits,
                modulus_bits,
            });
        }
        if bits < 0.0 {
            return Err(TypeError::ScaleTooSmall {
                op: self.op,
                scale: text(),
                bits,
            });
        }
        Ok(())
    }

    fn encode(&self, level: Level, scale: &Scale, basis: Basis) -> Result<Type, TypeError> {
        self.stated(level, scale)?;
        if basis == Basis::Extended {
            self.key_switched(level)?;
        }
        Ok(Type::Plain {
            level,
            scale: scale.clone(),
            basis,
        })
    }

    fn add(&self, values: &[Value]) -> Result<Type, TypeError> {
        let &[first, _, ..] = values else {
            return Err(self.count(values.len(), "at least two operands"));
        };
        let sum = self.cipher(first)?;
        for &value in values.iter().skip(1) {
            let mut term = self.cipher(value)?;
            if term.form == Form::Normal && sum.form == Form::Product {
                // It has no third part.
                term.form = Form::Product;
            }
            self.agree((first, &sum), (value, &term))?;
        }
        Ok(sum.into_type())
    }

    /// Checks that level, form and scale are equal, in this order.
    fn agree(&self, (a, x): (Value, &Cipher), (b, y): (Value, &Cipher)) -> Result<(), TypeError> {
        self.same_level((a, x.level), (b, y.level))?;
        if x.form != y.form {
            return Err(TypeError::Forms {
                op: self.op,
                a,
                a_form: x.form,
                b,
                b_form: y.form,
            });
        }
        self.same_scale((a, &x.scale), (b, &y.scale))
    }

    fn same_level(
        &self,
        (a, a_level): (Value, Level),
        (b, b_level): (Value, Level),
    ) -> Result<(), TypeError> {
        if a_level == b_level {
            return Ok(());
        }
        Err(TypeError::Levels {
            op: self.op,
            a,
            a_level,
            b,
            b_level,
        })
    }

    fn same_scale(
        &self,
        (a, x): (Value, &Scale),
        (b, y): (Value, &Scale),
    ) -> Result<(), TypeError> {
        if x == y {
            return Ok(());
        }
        let unit = self.ring.unit_bits;
        Err(TypeError::Scales {
            op: self.op,
            a,
            a_scale: x.display(unit),
            b,
            b_scale: y.display(unit),
        })
    }

    fn plain(&self, value: Value) -> Result<(Level, Scale, Basis), TypeError> {
        match self.operand(value)? {
            Type::Plain {
                level,
                scale,
                basis,
            } => Ok((*level, scale.clone(), *basis)),
            other => Err(self.kind(value, other, "a plaintext")),
        }
    }

    /// Checks that a plaintext has the level and basis of a ciphertext, and returns its scale.
    fn plain_beside(&self, a: Value, x: &Cipher, p: Value) -> Result<Scale, TypeError> {
        let (level, scale, basis) = self.plain(p)?;
        self.same_level((a, x.level), (p, level))?;
        if basis != x.form.basis() {
            return Err(TypeError::Basis {
                op: self.op,
                a,
                a_basis: x.form.basis(),
                p,
                p_basis: basis,
            });
        }
        Ok(scale)
    }

    fn add_plain(&self, a: Value, p: Value) -> Result<Type, TypeError> {
        let x = self.unextended(a)?;
        let scale = self.plain_beside(a, &x, p)?;
        self.same_scale((a, &x.scale), (p, &scale))?;
        Ok(x.into_type())
    }

    fn dot(&self, ciphers: &[Value], plains: &[Value]) -> Result<Type, TypeError> {
        let (&[a, ..], &[p, ..]) = (ciphers, plains) else {
            return Err(self.count(0, "at least one product"));
        };
        if ciphers.len() != plains.len() {
            return Err(self.count(plains.len(), "a plaintext per ciphertext"));
        }
        let x = self.cipher(a)?;
        let scale = self.plain_beside(a, &x, p)?;
        for &other in ciphers.iter().skip(1) {
            self.agree((a, &x), (other, &self.cipher(other)?))?;
        }
        for &other in plains.iter().skip(1) {
            self.same_scale((p, &scale), (other, &self.plain_beside(a, &x, other)?))?;
        }
        self.product(x, &scale, None)
    }

    fn mul_scalar(&self, a: Value, factor: f64, scale: &Scale) -> Result<Type, TypeError> {
        if !factor.is_finite() {
            return Err(TypeError::Factor {
                factor: factor.to_string(),
            });
        }
        self.dot_scalar(&[a], 1, scale)
    }

    fn dot_scalar(
        &self,
        ciphers: &[Value],
        constants: usize,
        scale: &Scale,
    ) -> Result<Type, TypeError> {
        let &[a, ..] = ciphers else {
            return Err(self.count(0, "at least one product"));
        };
        if ciphers.len() != constants {
            return Err(self.count(constants, "a constant per ciphertext"));
        }
        let x = self.cipher(a)?;
        for &other in ciphers.iter().skip(1) {
            self.agree((a, &x), (other, &self.cipher(other)?))?;
        }
        self.stated(x.level, scale)?;
        self.product(x, scale, None)
    }

    fn count(&self, found: usize, expected: &'static str) -> TypeError {
        TypeError::Count {
            op: self.op,
            found,
            expected,
        }
    }

    fn mul(&self, a: Value, b: Value) -> Result<Type, TypeError> {
        let (x, y) = (self.cipher(a)?, self.cipher(b)?);
        for (value, form) in [(a, x.form), (b, y.form)] {
            if form != Form::Normal {
                return Err(TypeError::Form {
                    op: self.op,
                    value,
                    found: form,
                    expected: Form::Normal,
                });
            }
        }
        self.same_level((a, x.level), (b, y.level))?;
        self.product(x, &y.scale, Some(Form::Product))
    }

    fn product(&self, x: Cipher, by: &Scale, form: Option<Form>) -> Result<Type, TypeError> {
        let scale = x
            .scale
            .checked_mul(by)
            .ok_or(TypeError::ScaleExponent { op: self.op })?;
        self.stated(x.level, &scale)?;
        Ok(Type::Cipher {
            level: x.level,
            scale,
            form: form.unwrap_or(x.form),
        })
    }

    fn with_form(&self, a: Value, from: Form, to: Form) -> Result<Type, TypeError> {
        let x = self.cipher(a)?;
        if x.form != from {
            return Err(TypeError::Form {
                op: self.op,
                value: a,
                found: x.form,
                expected: from,
            });
        }
        if to == Form::Extended {
            self.key_switched(x.level)?;
        }
        Ok(Cipher { form: to, ..x }.into_type())
    }

    fn decompose(&self, a: Value) -> Result<Type, TypeError> {
        let x = self.unextended(a)?;
        self.key_switched(x.level)?;
        Ok(Type::Digits { level: x.level })
    }

    /// Checks that digits have the level of the ciphertext; the verifier checks that they are *its* digits.
    fn digits_of(&self, a: Value, digits: Value) -> Result<(), TypeError> {
        let x = self.cipher(a)?;
        match self.operand(digits)? {
            Type::Digits { level } => self.same_level((a, x.level), (digits, *level)),
            other => Err(self.kind(digits, other, "digits")),
        }
    }

    fn key_product(&self, a: Value, digits: Value, from: Form) -> Result<Type, TypeError> {
        self.digits_of(a, digits)?;
        self.with_form(a, from, Form::Extended)
    }

    fn rotation(&self, a: Value, rotation: Rotation) -> Result<(), TypeError> {
        let slots = self.ring.at(self.operand(a)?.level()).slots();
        if rotation.0 == 0 || rotation.0 >= slots {
            return Err(TypeError::Rotation {
                op: self.op,
                rotation,
                slots,
            });
        }
        Ok(())
    }

    fn exists(&self, level: Level) -> Result<(), TypeError> {
        let levels = self.ring.levels.len();
        match self.ring.row(level) {
            Some(_) => Ok(()),
            None => Err(TypeError::NoLevel {
                op: self.op,
                level,
                levels,
            }),
        }
    }

    fn lower(&self, x: &Cipher, to: Level) -> Result<(), TypeError> {
        self.exists(to)?;
        if to >= x.level {
            return Err(TypeError::NotLower {
                op: self.op,
                from: x.level,
                to,
            });
        }
        Ok(())
    }

    /// Checks that `to` is a lower level of the operand's ring.
    fn lower_in_ring(&self, x: &Cipher, to: Level) -> Result<(), TypeError> {
        self.lower(x, to)?;
        if self.ring.ring_of(x.level) == self.ring.ring_of(to) {
            return Ok(());
        }
        Err(TypeError::OtherRing {
            op: self.op,
            from: x.level,
            to,
        })
    }

    fn relinearize_rescale(&self, a: Value, to: Level) -> Result<Type, TypeError> {
        self.with_form(a, Form::Product, Form::Normal)?;
        let form = Form::Normal;
        self.rescaled(
            Cipher {
                form,
                ..self.cipher(a)?
            },
            to,
        )
    }

    fn rescale(&self, a: Value, to: Level) -> Result<Type, TypeError> {
        let mut x = self.cipher(a)?;
        if x.form == Form::Extended {
            x.form = Form::Normal;
        }
        self.rescaled(x, to)
    }

    fn rescaled(&self, x: Cipher, to: Level) -> Result<Type, TypeError> {
        self.lower_in_ring(&x, to)?;
        let ratio = self
            .ring
            .ratio(x.level, to)
            .ok_or(TypeError::ScaleExponent { op: self.op })?;
        let scale = x
            .scale
            .checked_div(&ratio)
            .ok_or(TypeError::ScaleExponent { op: self.op })?;
        self.stated(to, &scale)?;
        Ok(Type::Cipher {
            level: to,
            scale,
            form: x.form,
        })
    }

    fn drop_level(&self, a: Value, to: Level) -> Result<Type, TypeError> {
        let x = self.unextended(a)?;
        self.lower_in_ring(&x, to)?;
        self.nested(x, to)
    }

    /// The type of the ciphertext at level `to`, after checking that it has no other primes.
    fn nested(&self, x: Cipher, to: Level) -> Result<Type, TypeError> {
        if !self.ring.contains(x.level, to) {
            return Err(TypeError::NotNested {
                op: self.op,
                from: x.level,
                to,
            });
        }
        self.stated(to, &x.scale)?;
        Ok(Cipher { level: to, ..x }.into_type())
    }

    fn switch_ring(&self, a: Value, to: Level) -> Result<Type, TypeError> {
        self.with_form(a, Form::Normal, Form::Normal)?;
        let x = self.cipher(a)?;
        self.exists(to)?;
        let secret = |level| self.ring.at(level).secret();
        if !secret(x.level).leads_to(secret(to)) {
            return Err(TypeError::NoSwitch {
                op: self.op,
                from: x.level,
                to,
            });
        }
        self.key_switched(to)?;
        self.nested(x, to)
    }

    fn raise_ext(&self, a: Value, rotation: Rotation, to: Level) -> Result<Type, TypeError> {
        self.with_form(a, Form::Normal, Form::Normal)?;
        let x = self.cipher(a)?;
        self.exists(to)?;
        let (op, from) = (self.op, x.level);
        let (own, into) = (self.ring.at(from), self.ring.at(to));
        if !own.secret().raises_to(into.secret()) {
            return Err(TypeError::NoRaise { op, from, to });
        }
        if !self.ring.contains(to, from) || self.ring.contains(from, to) {
            return Err(TypeError::NotRaised { op, from, to });
        }
        let slots = own.slots();
        if rotation.0 >= slots {
            return Err(TypeError::RaiseRotation {
                op,
                rotation,
                slots,
            });
        }
        self.key_switched(to)?;
        let (bits, special) = (self.ring.level_bits(from), into.special_bits());
        if bits.is_none_or(|bits| bits > special) {
            return Err(TypeError::SmallSpecial { op, from, special });
        }
        self.stated(to, &x.scale)?;
        let form = Form::Extended;
        Ok(Cipher {
            level: to,
            form,
            ..x
        }
        .into_type())
    }

    /// Checks that there is an extended basis at a level.
    fn key_switched(&self, level: Level) -> Result<(), TypeError> {
        match self.ring.at(level).special_count() {
            0 => Err(TypeError::NoSpecialPrimes { op: self.op }),
            _ => Ok(()),
        }
    }

    fn mul_monomial(&self, a: Value, exponent: u32) -> Result<Type, TypeError> {
        let x = self.cipher(a)?;
        let bound = 2 * self.ring.at(x.level).degree() as u32;
        if exponent >= bound {
            return Err(TypeError::Exponent { exponent, bound });
        }
        Ok(x.into_type())
    }
}
