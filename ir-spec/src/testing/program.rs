//! Random well-typed instructions: each step picks operands of suitable types, and an instruction that does not type is
//! left out.

use super::Draw;
use super::expectation;
use super::finish::{fitting, prepare, steps};
use super::tables::{layout, name, shape};
use crate::build::Builder;
use crate::circuit::Circuit;
use crate::entity::{Const, Entity, FunctionId, RingId, Value};
use crate::inst::Inst;
use crate::layout::Layout;
use crate::ring::{Level, RingTable, Rotation, SecretKind};
use crate::scale::Scale;
use crate::types::{Basis, Form, Type};

pub(super) fn build(draw: &mut Draw<'_>, circuit: Circuit) -> Circuit {
    let mut program = Program {
        builder: Builder::new(circuit),
        ciphers: Vec::new(),
        digits: Vec::new(),
    };
    if draw.sometimes(2) {
        for _ in 0..draw.between(1, 2) {
            program.function(draw);
        }
    }
    program.serve(draw);
    program.input(draw);
    for port in &mut program.circuit().inputs {
        port.prepare = prepare(draw, &port.shape);
    }
    let wished = steps(draw);
    let (range, expected) = (expectation::range(draw), expectation::expectation(draw));
    let imaginary = draw
        .sometimes(3)
        .then(|| f64::from(draw.between(1, 1 << 20)) / 64.0);
    while !draw.is_empty() {
        program.step(draw);
    }
    for _ in 0..draw.between(1, 3) {
        program.output(draw);
    }
    for port in &mut program.circuit().outputs {
        port.finish = fitting(&wished, &port.shape);
        port.expectation = expected;
        port.imaginary = imaginary;
    }
    for port in &mut program.circuit().inputs {
        port.range = range;
    }
    program.builder.finish()
}

struct Program {
    builder: Builder,
    ciphers: Vec<Value>,
    /// Digits with the ciphertext they belong to.
    digits: Vec<(Value, Value)>,
}

impl Program {
    fn circuit(&mut self) -> &mut Circuit {
        self.builder.circuit()
    }

    fn serve(&mut self, draw: &mut Draw<'_>) {
        let nodes: Vec<_> = self.circuit().nodes.keys().collect();
        if let Some(node) = draw.pick_from(&nodes) {
            self.builder.serve(node);
        }
    }

    fn input(&mut self, draw: &mut Draw<'_>) {
        let dims = [draw.between(1, 3), draw.between(1, 3), draw.between(1, 3)];
        let shape = shape(&dims);
        let (level, scale) = self.level_and_scale(draw);
        let rings = &self.circuit().rings;
        let (level, scale) = match (
            rings.at(level).secret().kind,
            rings.levels_of(RingId(0)).next(),
        ) {
            (SecretKind::Sparse { .. }, Some(lowest)) => (lowest, Scale::power_of_two(0)),
            _ => (level, scale),
        };
        let ring = rings.ring_of(level);
        let layout = layout(draw, self.circuit(), ring, shape.chw());
        let name = format!("{}{}", name(draw), self.circuit().inputs.len());
        if let Ok(values) = self.builder.input(&name, shape, layout, (level, scale)) {
            self.ciphers.extend(values);
        }
    }

    /// Any level and scale, or those of what a function takes, so that it can be called.
    fn level_and_scale(&mut self, draw: &mut Draw<'_>) -> (Level, Scale) {
        let taken = self.circuit().values.values();
        let taken = taken.filter_map(|definition| match &definition.inst {
            Inst::Input {
                ty: Type::Cipher { level, scale, .. },
            } => Some((*level, scale.clone())),
            _ => None,
        });
        let taken: Vec<(Level, Scale)> = taken.collect();
        match (
            draw.pick_from(&(0..taken.len()).collect::<Vec<_>>()),
            draw.sometimes(4),
        ) {
            (Some(at), false) => taken[at].clone(),
            _ => {
                let level = Level(draw.below(self.circuit().rings.levels.len() as u32));
                (level, self.scale(draw, level))
            }
        }
    }

    /// A function of random instructions on random parameters.
    fn function(&mut self, draw: &mut Draw<'_>) -> Option<()> {
        self.builder.begin_function();
        let (level, scale) = self.level_and_scale(draw);
        let ty = Type::cipher(level, scale);
        let first = self.push(Inst::Input { ty })?;
        for _ in 0..draw.below(3) {
            self.parameter(draw);
        }
        for _ in 0..draw.between(1, 6) {
            self.step(draw);
        }
        let results = (0..draw.between(1, 3)).filter_map(|_| draw.pick_from(&self.ciphers));
        let mut results: Vec<Value> = results.collect();
        results.push(first);
        let name = format!("f{}", self.circuit().functions.len());
        self.builder.end_function(&name, results);
        self.ciphers.clear();
        self.digits.clear();
        Some(())
    }

    /// A ciphertext in any form, with its digits or not, or a plaintext.
    fn parameter(&mut self, draw: &mut Draw<'_>) -> Option<Value> {
        let (level, scale) = self.level_and_scale(draw);
        if draw.sometimes(5) {
            let basis = *draw.pick(&[Basis::Normal, Basis::Extended]);
            let ty = Type::Plain {
                level,
                scale,
                basis,
            };
            return self.push(Inst::Input { ty });
        }
        let form = match draw.sometimes(4) {
            true => *draw.pick(&[Form::Product, Form::Extended]),
            false => Form::Normal,
        };
        let ty = Type::Cipher { level, scale, form };
        let a = self.push(Inst::Input { ty })?;
        if draw.sometimes(3) {
            let digits = self.push(Inst::InputDigits(a))?;
            self.digits.push((a, digits));
        }
        Some(a)
    }

    /// A call on ciphertexts, digits and plaintexts of the types that a function takes.
    fn call(&mut self, draw: &mut Draw<'_>) -> Option<Value> {
        let functions: Vec<FunctionId> = self.circuit().functions.keys().collect();
        let function = draw.pick_from(&functions)?;
        let parameters: Vec<Value> = self.circuit().parameters(function).collect();
        let mut arguments: Vec<Value> = Vec::new();
        for &parameter in &parameters {
            let argument = match self.ty(parameter) {
                Type::Plain {
                    level,
                    scale,
                    basis,
                } => self.encode(draw, level, scale, basis)?,
                ty @ Type::Cipher { .. } => self.alike(draw, &ty)?,
                Type::Digits { .. } => {
                    let of = self.circuit().digits_of(parameter)?;
                    let place = parameters.iter().position(|&p| p == of)?;
                    let a = *arguments.get(place)?;
                    let known = self.digits.iter().find(|(of, _)| *of == a);
                    known
                        .map(|(_, digits)| *digits)
                        .or_else(|| self.digits_of(a))?
                }
            };
            arguments.push(argument);
        }
        let results = self.builder.call(function, arguments).ok()?;
        self.ciphers.extend(&results);
        results.first().copied()
    }

    /// A scale of 1 to a third of the modulus: a power of two, or a prime times one.
    fn scale(&mut self, draw: &mut Draw<'_>, level: Level) -> Scale {
        let ring = &self.circuit().rings;
        let bits = ring.level_bits(level).unwrap_or(0.0) as u32 / 3;
        let plain = Scale::power_of_two(draw.between(0, bits) as i32);
        if !draw.sometimes(3) {
            return plain;
        }
        let primes = ring.primes.len() as u32;
        let prime = |draw: &mut Draw<'_>| Scale::prime(Entity::new(draw.below(primes)));
        let odd = plain.checked_mul(&prime(draw));
        let odd = odd.and_then(|s| s.checked_div(&prime(draw)));
        let fits = |s: &Scale| {
            let value = s.bits(&ring.primes);
            value.is_some_and(|b| (0.0..=f64::from(bits)).contains(&b))
        };
        odd.filter(fits).unwrap_or(plain)
    }

    fn ty(&self, value: Value) -> Type {
        match self.builder.type_of(value) {
            Some(ty) => ty.clone(),
            None => unreachable!("{value} was defined here"),
        }
    }

    /// A ciphertext in one of these forms.
    fn cipher(&mut self, draw: &mut Draw<'_>, forms: &[Form]) -> Option<(Value, Type)> {
        let suits =
            |v: &Value| matches!(self.ty(*v), Type::Cipher { form, .. } if forms.contains(&form));
        let suited: Vec<Value> = self.ciphers.iter().copied().filter(suits).collect();
        let value = draw.pick_from(&suited)?;
        Some((value, self.ty(value)))
    }

    /// Some ciphertext of the same type, possibly the same.
    fn alike(&mut self, draw: &mut Draw<'_>, ty: &Type) -> Option<Value> {
        let alike = self.ciphers.iter().copied();
        let alike: Vec<Value> = alike.filter(|v| self.ty(*v) == *ty).collect();
        draw.pick_from(&alike)
    }

    /// What can be added to a ciphertext: one alike, or one of two parts to one of three.
    fn addend(&mut self, draw: &mut Draw<'_>, ty: &Type) -> Option<Value> {
        let shorter = match ty {
            Type::Cipher {
                level,
                scale,
                form: Form::Product,
            } => Some(Type::cipher(*level, scale.clone())),
            _ => None,
        };
        match shorter {
            Some(shorter) if draw.sometimes(2) => self.alike(draw, &shorter),
            _ => self.alike(draw, ty),
        }
    }

    fn push(&mut self, inst: Inst) -> Option<Value> {
        let value = self.builder.push(inst).ok()?;
        if matches!(self.ty(value), Type::Cipher { .. }) {
            self.ciphers.push(value);
        }
        Some(value)
    }

    /// Pushes an operation that needs a key, where the ring can have keys.
    fn push_keyed(&mut self, inst: Inst) -> Option<Value> {
        if self.circuit().rings.special.is_empty() {
            return None;
        }
        self.push(inst)
    }

    /// A constant that is a scalar, or one that has slots.
    fn constant(&mut self, draw: &mut Draw<'_>, level: Level, uniform: bool) -> Option<Const> {
        let circuit = self.circuit();
        let slots = Some(circuit.rings.at(level).slots());
        let constants = circuit.constants.iter();
        let suited: Vec<Const> = constants
            .filter(|(_, c)| c.is_uniform() == uniform && circuit.slots_of(c) == slots)
            .map(|(id, _)| id)
            .collect();
        draw.pick_from(&suited)
    }

    fn encode(
        &mut self,
        draw: &mut Draw<'_>,
        level: Level,
        scale: Scale,
        basis: Basis,
    ) -> Option<Value> {
        let constant = self.constant(draw, level, false)?;
        let imaginary = match draw.sometimes(6) {
            true => self.constant(draw, level, false),
            false => None,
        };
        self.push(Inst::Encode {
            constant,
            imaginary,
            level,
            scale,
            basis,
        })
    }

    fn step(&mut self, draw: &mut Draw<'_>) -> Option<Value> {
        const ANY: [Form; 3] = [Form::Normal, Form::Product, Form::Extended];
        match draw.below(30) {
            0 => {
                self.serve(draw);
                None
            }
            1 if draw.sometimes(4) && !self.builder.is_in_function() => {
                self.input(draw);
                None
            }
            24..=26 => self.call(draw),
            2 | 3 => self.key_switch(draw),
            4 | 5 => self.digits(draw),
            6 | 7 => self.extended(draw),
            8 => self.plain(draw),
            9 | 10 => self.dot(draw),
            11..=13 => self.product(draw),
            14..=16 => self.lower(draw),
            22 | 23 => self.switch_ring(draw),
            27 if draw.sometimes(2) => self.raise_ext(draw),
            17 => {
                let (a, ty) = self.cipher(draw, &ANY)?;
                let scale = self.scale(draw, ty.level());
                let factor = *draw.pick(&[0.5, -1.0, 0.0, -0.0, 0.1, 1e-300]);
                self.push(Inst::MulScalar { a, factor, scale })
            }
            18 => {
                let (a, ty) = self.cipher(draw, &ANY)?;
                let bound = 2 * self.circuit().rings.at(ty.level()).degree() as u32;
                let exponent = draw.below(bound);
                self.push(Inst::MulMonomial { a, exponent })
            }
            19 => {
                let a = self.cipher(draw, &ANY)?.0;
                self.push(Inst::Negate(a))
            }
            20 => {
                let (a, ty) = self.cipher(draw, &ANY)?;
                let b = self.alike(draw, &ty)?;
                self.push(Inst::Sub(a, b))
            }
            21 => self.dot_scalar(draw),
            _ => {
                let (a, ty) = self.cipher(draw, &ANY)?;
                let count = draw.between(1, 3);
                let more = (0..count).filter_map(|_| self.addend(draw, &ty));
                let values: Vec<Value> = more.collect();
                let values: Vec<Value> = [a].into_iter().chain(values).collect();
                self.push(Inst::Add(values))
            }
        }
    }

    fn key_switch(&mut self, draw: &mut Draw<'_>) -> Option<Value> {
        let form = if draw.sometimes(2) {
            Form::Product
        } else {
            Form::Normal
        };
        let (a, ty) = self.cipher(draw, &[form])?;
        let slots = self.circuit().rings.at(ty.level()).slots();
        let inst = match form {
            Form::Product if ty.level().0 > 0 && draw.sometimes(2) => {
                let to = Level(ty.level().0 - 1);
                Inst::RelinearizeRescale { a, to }
            }
            Form::Product => Inst::Relinearize(a),
            _ if draw.sometimes(4) => Inst::Conjugate(a),
            _ => Inst::Rotate {
                a,
                rotation: Rotation(draw.between(1, slots - 1)),
            },
        };
        self.push_keyed(inst)
    }

    fn digits(&mut self, draw: &mut Draw<'_>) -> Option<Value> {
        let a = self.cipher(draw, &[Form::Normal, Form::Product])?.0;
        self.digits_of(a)
    }

    fn digits_of(&mut self, a: Value) -> Option<Value> {
        let digits = self.push(Inst::Decompose(a))?;
        self.digits.push((a, digits));
        Some(digits)
    }

    fn extended(&mut self, draw: &mut Draw<'_>) -> Option<Value> {
        if draw.sometimes(3) {
            let (a, ty) = self.cipher(draw, &[Form::Extended])?;
            if ty.level().0 > 0 && draw.sometimes(3) {
                let to = Level(draw.below(ty.level().0));
                return self.push(Inst::Rescale { a, to });
            }
            return self.push(Inst::ModDown(a));
        }
        let (a, digits) = draw.pick_from(&self.digits)?;
        let ty = self.ty(a);
        let slots = self.circuit().rings.at(ty.level()).slots();
        let product = matches!(
            ty,
            Type::Cipher {
                form: Form::Product,
                ..
            }
        );
        let inst = if product {
            Inst::RelinearizeExt { a, digits }
        } else {
            Inst::RotateExt {
                a,
                digits,
                rotation: Rotation(draw.between(1, slots - 1)),
            }
        };
        self.push_keyed(inst)
    }

    fn plain(&mut self, draw: &mut Draw<'_>) -> Option<Value> {
        let (a, ty) = self.cipher(draw, &[Form::Normal, Form::Product])?;
        let p = self.encode(draw, ty.level(), ty.scale()?.clone(), Basis::Normal)?;
        self.push(Inst::AddPlain(a, p))
    }

    fn dot(&mut self, draw: &mut Draw<'_>) -> Option<Value> {
        let (a, ty) = self.cipher(draw, &[Form::Extended, Form::Normal, Form::Product])?;
        let Type::Cipher { level, form, .. } = ty else {
            return None;
        };
        let scale = self.scale(draw, level);
        let p = self.encode(draw, level, scale.clone(), form.basis())?;
        if draw.sometimes(2) {
            return self.push(Inst::MulPlain(a, p));
        }
        let (mut ciphers, mut plains) = (vec![a], vec![p]);
        for _ in 0..draw.below(4) {
            ciphers.push(self.alike(draw, &ty)?);
            plains.push(self.encode(draw, level, scale.clone(), form.basis())?);
        }
        self.push(Inst::Dot { ciphers, plains })
    }

    fn dot_scalar(&mut self, draw: &mut Draw<'_>) -> Option<Value> {
        let (a, ty) = self.cipher(draw, &[Form::Normal, Form::Extended, Form::Product])?;
        let scale = self.scale(draw, ty.level());
        let level = ty.level();
        let (mut ciphers, mut constants) = (vec![a], vec![self.constant(draw, level, true)?]);
        for _ in 0..draw.below(4) {
            ciphers.push(self.alike(draw, &ty)?);
            constants.push(self.constant(draw, level, true)?);
        }
        self.push(Inst::DotScalar {
            ciphers,
            constants,
            scale,
        })
    }

    fn product(&mut self, draw: &mut Draw<'_>) -> Option<Value> {
        let a = self.cipher(draw, &[Form::Normal])?.0;
        if draw.sometimes(3) {
            return self.push(Inst::Square(a));
        }
        let b = self.cipher(draw, &[Form::Normal])?.0;
        self.push(Inst::Mul(a, b))
    }

    fn lower(&mut self, draw: &mut Draw<'_>) -> Option<Value> {
        let (a, ty) = self.cipher(draw, &[Form::Normal, Form::Product])?;
        let to = Level(draw.below(ty.level().0));
        if draw.sometimes(3) {
            return self.push(Inst::DropLevel { a, to });
        }
        if matches!(ty, Type::Cipher { form, .. } if form == Form::Product) {
            return match draw.sometimes(3) {
                true => self.push(Inst::Rescale { a, to }),
                false => self.push_keyed(Inst::RelinearizeRescale { a, to }),
            };
        }
        self.push(Inst::Rescale { a, to })
    }

    /// Ciphertexts with levels of other rings that are suitable.
    fn ways_to_other_rings(
        &mut self,
        suits: impl Fn(&RingTable, Level, Level) -> bool,
    ) -> Vec<(Value, Level)> {
        let ring = &self.circuit().rings.clone();
        let normal = |v: &Value| match self.ty(*v) {
            Type::Cipher {
                level,
                form: Form::Normal,
                ..
            } => Some((*v, level)),
            _ => None,
        };
        let ciphers: Vec<(Value, Level)> = self.ciphers.iter().filter_map(normal).collect();
        let levels = || (0..ring.levels.len() as u32).map(Level);
        let ways = ciphers.iter().flat_map(|&(a, from)| {
            let secret = |level| ring.at(level).secret();
            let there = levels().filter(|&to| secret(from).leads_to(secret(to)));
            let there = there.filter(|&to| suits(ring, from, to));
            there.map(move |to| (a, to)).collect::<Vec<_>>()
        });
        ways.collect()
    }

    /// Takes a ciphertext to any level of another ring whose primes it has.
    fn switch_ring(&mut self, draw: &mut Draw<'_>) -> Option<Value> {
        let ways = self.ways_to_other_rings(|ring, from, to| ring.contains(from, to));
        let (a, to) = draw.pick_from(&ways)?;
        self.push_keyed(Inst::SwitchRing { a, to })
    }

    /// Raises a ciphertext to any level of another ring that has all of its primes.
    fn raise_ext(&mut self, draw: &mut Draw<'_>) -> Option<Value> {
        let ways = self.ways_to_other_rings(|ring, from, to| ring.contains(to, from));
        let (a, to) = draw.pick_from(&ways)?;
        let from = self.ty(a).level();
        let slots = self.circuit().rings.at(from).slots();
        let rotation = Rotation(draw.below(slots));
        self.push_keyed(Inst::RaiseExt { a, rotation, to })
    }

    fn output(&mut self, draw: &mut Draw<'_>) -> Option<()> {
        let (_, ty) = self.cipher(draw, &[Form::Normal])?;
        let dims = [draw.between(1, 3), 1, draw.between(1, 3)];
        let shape = shape(&dims);
        let ring = self.circuit().rings.ring_of(ty.level());
        let layout = layout(draw, self.circuit(), ring, shape.chw());
        let count = self
            .circuit()
            .layouts
            .get(layout)
            .map(Layout::ciphertexts)?;
        let values = (0..count).filter_map(|_| self.alike(draw, &ty)).collect();
        let name = format!("{}{}", name(draw), self.circuit().outputs.len());
        self.builder.output(&name, shape, layout, values);
        Some(())
    }
}
