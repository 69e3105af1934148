//! The instructions of the functions of a refresh: matrices in baby and giant steps, powers, and the exponential.

use super::error::RefreshError;
use super::exponential::Exponential;
use super::fourier::Diagonals;
use num_complex::Complex64;
use peregrine_ir::{
    Basis, Builder, Const, Constant, Inst, Layout, LayoutId, Level, Operator, Rotation, Scale,
    Shape, Tensor, Type, TypeError, Value,
};
use std::collections::BTreeMap;

/// A group of stages, where it runs, and the scale of its result.
#[derive(Clone, Debug)]
pub struct Group {
    /// The first and the last stage.
    pub stages: (u32, u32),
    /// Rotations that share a giant step.
    pub babies: usize,
    /// The level of the result.
    pub to: Level,
    /// The scale of the result.
    pub scale: Scale,
}

/// Where the parts of the exponential run.
#[derive(Clone, Debug)]
pub struct ExponentialLevels {
    /// Of `W_2`, of `W_4` and `W_3`, and of `W_8`.
    pub powers: [Level; 3],
    /// Of the products with coefficients.
    pub coefficients: Level,
    /// Of the value, and of each square of it.
    pub squares: Vec<Level>,
    /// The scale of the value. Each square doubles its exponents.
    pub scale: Scale,
    /// Of the result.
    pub out: Level,
}

/// A half of a ciphertext of complex values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Real,
    Imaginary,
}

/// A function that is being written.
pub(super) struct Writer<'b> {
    pub(super) builder: &'b mut Builder,
    /// All slots in order, by log2 of the slots.
    layouts: &'b mut BTreeMap<u32, LayoutId>,
}

impl<'b> Writer<'b> {
    pub(super) fn new(builder: &'b mut Builder, layouts: &'b mut BTreeMap<u32, LayoutId>) -> Self {
        Self { builder, layouts }
    }

    /// The layout of a vector that fills the slots of a level in order.
    fn slots_in_order(&mut self, level: Level) -> Result<(LayoutId, u32), RefreshError> {
        let circuit = self.builder.circuit();
        let slots = circuit.rings.at(level).slots();
        let layout = match self.layouts.get(&slots.ilog2()) {
            Some(&known) => known,
            None => {
                let layout = Layout::row_major(slots.ilog2(), [slots, 1, 1])?;
                let layout = circuit.layouts.push(layout);
                self.layouts.insert(slots.ilog2(), layout);
                layout
            }
        };
        Ok((layout, slots))
    }

    /// `i` times the real or the imaginary part of twice a value, whose conjugate is known.
    pub(super) fn half(
        &mut self,
        (a, conjugate): (Value, Value),
        half: Half,
    ) -> Result<Value, RefreshError> {
        match half {
            Half::Real => {
                let twice = self.builder.push(Inst::Add(vec![a, conjugate]))?;
                self.times_i(twice)
            }
            Half::Imaginary => Ok(self.builder.push(Inst::Sub(a, conjugate))?),
        }
    }

    fn scale(&self, value: Value) -> Result<Scale, RefreshError> {
        let ty = self.builder.type_of(value).and_then(Type::scale);
        ty.cloned().ok_or(RefreshError::Value(value))
    }

    fn level(&self, value: Value) -> Result<Level, RefreshError> {
        let ty = self.builder.type_of(value);
        Ok(ty.ok_or(RefreshError::Value(value))?.level())
    }

    /// The scale of a value over the modulus of a level.
    pub(super) fn share(&mut self, a: Value, level: Level) -> Result<f64, RefreshError> {
        let scale = self.scale(a)?;
        let rings = &self.builder.circuit().rings;
        let bits = scale.bits(&rings.primes).zip(rings.level_bits(level));
        let (scale, modulus) = bits.ok_or(RefreshError::Level(level))?;
        Ok((scale - modulus).exp2())
    }

    /// The scale at which a constant is encoded so that its product with a value has a scale at a level.
    fn beside(&mut self, a: Value, (to, wanted): (Level, &Scale)) -> Result<Scale, RefreshError> {
        let (from, own) = (self.level(a)?, self.scale(a)?);
        let ratio = match from == to {
            true => Scale::power_of_two(0),
            false => {
                let ratio = self.builder.circuit().rings.ratio(from, to);
                ratio.ok_or(RefreshError::Level(to))?
            }
        };
        let scale = wanted.checked_mul(&ratio).and_then(|s| s.checked_div(&own));
        scale.ok_or(RefreshError::Exponent)
    }

    /// A constant of numbers that repeat over the slots of a level.
    fn constant(&mut self, period: &[f64], level: Level) -> Result<Const, RefreshError> {
        let (layout, slots) = self.slots_in_order(level)?;
        let circuit = self.builder.circuit();
        let name = format!("refresh{}", circuit.tensors.len());
        let length = period.len() as u32;
        let tensor = Tensor::new(name, Shape::new([1, length])?, period.to_vec())?;
        let tensor = circuit.tensors.push(tensor);
        let shape = Shape::new([slots / length, length])?;
        let operator = circuit.operators.push(Operator::Broadcast {
            tensor,
            shape,
            layout,
        });
        Ok(circuit.constants.push(Constant::Fill { operator, part: 0 }))
    }

    fn complex(
        &mut self,
        period: &[Complex64],
        (level, scale): (Level, Scale),
    ) -> Result<Value, RefreshError> {
        let re: Vec<f64> = period.iter().map(|z| z.re).collect();
        let im: Vec<f64> = period.iter().map(|z| z.im).collect();
        let constant = self.constant(&re, level)?;
        let real = im.iter().all(|&x| x == 0.0);
        let imaginary = match real {
            true => None,
            false => Some(self.constant(&im, level)?),
        };
        Ok(self.builder.push(Inst::Encode {
            constant,
            imaginary,
            level,
            scale,
            basis: Basis::Normal,
        })?)
    }

    /// A factor times the matrix of a group in baby and giant steps, and a rescale. The passes share decompositions and divisions.
    pub(super) fn group(
        &mut self,
        a: Value,
        matrix: &Diagonals,
        group: &Group,
        factor: f64,
    ) -> Result<Value, RefreshError> {
        let slots = 1usize << matrix.log_slots;
        let step = 1usize << (group.stages.0 - 1);
        let scale = self.beside(a, (group.to, &group.scale))?;
        let level = self.level(a)?;
        let mut giants: BTreeMap<usize, Vec<(usize, &Vec<Complex64>)>> = BTreeMap::new();
        for (rotation, diagonal) in &matrix.by_rotation {
            let steps = rotation / step;
            let baby = steps % group.babies;
            giants
                .entry(steps - baby)
                .or_default()
                .push((baby, diagonal));
        }
        let mut babies: BTreeMap<usize, Value> = BTreeMap::new();
        let mut sums = Vec::with_capacity(giants.len());
        for (giant, terms) in giants {
            let shift = giant * step;
            let (mut ciphers, mut plains) = (Vec::new(), Vec::new());
            for (baby, diagonal) in terms {
                let turned = match babies.get(&baby) {
                    Some(&turned) => turned,
                    None => self.rotate(a, baby * step % slots)?,
                };
                babies.insert(baby, turned);
                // Rotated back, so that the giant step brings it where it belongs.
                let period = matrix.period;
                let entry = |t: usize| diagonal[(t + period - shift % period) % period] * factor;
                let entries: Vec<Complex64> = (0..period).map(entry).collect();
                ciphers.push(turned);
                plains.push(self.complex(&entries, (level, scale.clone()))?);
            }
            let sum = self.builder.push(Inst::Dot { ciphers, plains })?;
            sums.push(self.rotate(sum, shift % slots)?);
        }
        let sum = self.sum(sums)?;
        Ok(self.builder.push(Inst::Rescale {
            a: sum,
            to: group.to,
        })?)
    }

    /// The sum of a value of a sparse ring, raised to a level, and its rotations by all multiples of `2^log_step` slots below
    /// `2^(log_step + doublings)`. The first ones are rotated on the way, where a key product and the transforms of what is small are cheaper than
    /// a rotation as long as they are few.
    pub(super) fn raised(
        &mut self,
        a: Value,
        to: Level,
        (log_step, doublings): (u32, u32),
    ) -> Result<Value, TypeError> {
        const ON_THE_WAY: u32 = 2;
        let first = doublings.min(ON_THE_WAY);
        let mut turned = Vec::with_capacity(1 << first);
        for i in 0..1 << first {
            let rotation = Rotation(i << log_step);
            turned.push(self.builder.push(Inst::RaiseExt { a, rotation, to })?);
        }
        let sum = self.sum(turned)?;
        let mut sum = self.builder.push(Inst::ModDown(sum))?;
        for log_step in log_step + first..log_step + doublings {
            let turned = self.rotate(sum, 1 << log_step)?;
            sum = self.sum(vec![sum, turned])?;
        }
        Ok(sum)
    }

    fn rotate(&mut self, a: Value, by: usize) -> Result<Value, TypeError> {
        let rotation = Rotation(by as u32);
        match by {
            0 => Ok(a),
            _ => self.builder.push(Inst::Rotate { a, rotation }),
        }
    }

    fn sum(&mut self, terms: Vec<Value>) -> Result<Value, TypeError> {
        match terms.as_slice() {
            [only] => Ok(*only),
            _ => self.builder.push(Inst::Add(terms)),
        }
    }

    fn times_i(&mut self, a: Value) -> Result<Value, RefreshError> {
        let level = self.level(a)?;
        let exponent = self.builder.circuit().rings.at(level).slots();
        Ok(self.builder.push(Inst::MulMonomial { a, exponent })?)
    }

    fn add_number(&mut self, a: Value, number: f64) -> Result<Value, RefreshError> {
        let at = (self.level(a)?, self.scale(a)?);
        let plain = self.complex(&[Complex64::from(number)], at)?;
        Ok(self.builder.push(Inst::AddPlain(a, plain))?)
    }

    /// `r_1 a_1 + r_2 a_2 + ...` at a scale, all at one level.
    fn combine(&mut self, terms: &[(Value, f64)], scale: &Scale) -> Result<Value, RefreshError> {
        let mut products = Vec::with_capacity(terms.len());
        for &(a, factor) in terms {
            let level = self.level(a)?;
            let scale = self.beside(a, (level, scale))?;
            products.push(self.builder.push(Inst::MulScalar { a, factor, scale })?);
        }
        Ok(self.sum(products)?)
    }

    /// A value at another level and scale.
    fn brought(&mut self, a: Value, to: Level, scale: &Scale) -> Result<Value, RefreshError> {
        let own = self.beside(a, (to, scale))?;
        let factor = 1.0;
        let a = self.builder.push(Inst::MulScalar {
            a,
            factor,
            scale: own,
        })?;
        Ok(self.builder.push(Inst::Rescale { a, to })?)
    }

    /// `a b`, of three parts.
    fn product(&mut self, a: Value, b: Value) -> Result<Value, TypeError> {
        self.builder.push(match a == b {
            true => Inst::Square(a),
            false => Inst::Mul(a, b),
        })
    }

    /// A value of three parts, relinearized and rescaled to a level.
    fn reduced(&mut self, a: Value, to: Level) -> Result<Value, TypeError> {
        self.builder.push(Inst::RelinearizeRescale { a, to })
    }

    /// `W_2n` from `W_n`: `2 W_n^2 + 1` for `n = 1`, `2 W_n^2 - 1` for even `n`; at a level.
    fn doubled(&mut self, w: Power, sign: f64, to: Level) -> Result<Power, RefreshError> {
        let times = 2.0 * w.times * w.times;
        let square = self.product(w.value, w.value)?;
        let a = self.add_number(square, sign / times)?;
        let value = self.reduced(a, to)?;
        Ok(Power { value, times })
    }

    /// `W_3 = 2 W_2 W_1 + W_1`, at a level.
    fn third(&mut self, w1: Power, w2: Power, to: Level) -> Result<Power, RefreshError> {
        let times = 2.0 * w1.times * w2.times;
        let product = self.product(w2.value, w1.value)?;
        let scale = self.scale(product)?;
        let once = self.combine(&[(w1.value, w1.times / times)], &scale)?;
        let a = self.builder.push(Inst::Add(vec![product, once]))?;
        let value = self.reduced(a, to)?;
        Ok(Power { value, times })
    }

    /// A power at another level, at its own scale.
    fn lowered(&mut self, w: Power, to: Level) -> Result<Power, RefreshError> {
        let scale = self.scale(w.value)?;
        let value = self.brought(w.value, to, &scale)?;
        Ok(Power { value, ..w })
    }

    /// The polynomial of degree 15 of `i y`, its squarings, and twice the imaginary part of the corrected square.
    pub(super) fn exponential(
        &mut self,
        w1: Value,
        polynomial: &Exponential,
        levels: &ExponentialLevels,
    ) -> Result<Value, RefreshError> {
        let [at2, at4, at8] = levels.powers;
        let w1 = Power {
            value: w1,
            times: 1.0,
        };
        let w2 = self.doubled(w1, 1.0, at2)?;
        let w4 = self.doubled(w2, -1.0, at4)?;
        let w8 = self.doubled(w4, -1.0, at8)?;
        let w1 = self.lowered(w1, at2)?;
        let w3 = self.third(w1, w2, at4)?;
        let babies = [self.lowered(w1, at4)?, self.lowered(w2, at4)?, w3];
        // p = low + W_8 high, and each half again low + W_4 high.
        let [low, high] = halves(&polynomial.coefficients, 8);
        let ([ll, lh], [hl, hh]) = (halves(&low, 4), halves(&high, 4));
        let to = levels.coefficients;
        let w8 = self.lowered(w8, to)?;
        let first = levels.squares.first().copied().unwrap_or(levels.out);
        let wanted = self.beside(w8.value, (first, &levels.scale))?;
        let inner = self.inner(babies, (&hh, &hl), w4, (to, &wanted, w8.times))?;
        let inner = self.reduced(inner, to)?;
        let product = self.product(inner, w8.value)?;
        let scale = self.scale(product)?;
        // The rest needs no relinearization of its own.
        let rest = self.inner(babies, (&lh, &ll), w4, (to, &scale, 1.0))?;
        let rest = self.builder.push(Inst::Rescale { a: rest, to })?;
        let mut z = self.builder.push(Inst::Add(vec![product, rest]))?;
        for &to in &levels.squares {
            z = self.reduced(z, to)?;
            if Some(&to) != levels.squares.last() {
                z = self.builder.push(Inst::Square(z))?;
            }
        }
        let [a1, a2] = polynomial.correction;
        let z = self.add_number(z, a1 / (2.0 * a2))?;
        let z = self.builder.push(Inst::Square(z))?;
        let z = self.reduced(z, levels.out)?;
        let conjugate = self.builder.push(Inst::Conjugate(z))?;
        let twice = self.builder.push(Inst::Sub(z, conjugate))?;
        self.times_i(twice)
    }

    /// `times` times `low + W_4 high` for two cubics in the babies, of three parts, which has a scale once it is rescaled to a level.
    fn inner(
        &mut self,
        babies: [Power; 3],
        (high, low): (&[f64], &[f64]),
        w4: Power,
        (to, wanted, times): (Level, &Scale, f64),
    ) -> Result<Value, RefreshError> {
        let scale = self.beside(w4.value, (to, wanted))?;
        let high = self.cubic(babies, high, (&scale, times * w4.times))?;
        let product = self.product(high, w4.value)?;
        let scale = self.scale(product)?;
        let low = self.cubic(babies, low, (&scale, times))?;
        Ok(self.builder.push(Inst::Add(vec![product, low]))?)
    }

    /// `times` times a cubic in the babies, at a scale.
    fn cubic(
        &mut self,
        babies: [Power; 3],
        coefficients: &[f64],
        (scale, times): (&Scale, f64),
    ) -> Result<Value, RefreshError> {
        let of = |i: usize| times * coefficients.get(i).copied().unwrap_or(0.0);
        let terms = [0, 1, 2].map(|i| (babies[i].value, of(i + 1) * babies[i].times));
        let sum = self.combine(&terms, scale)?;
        self.add_number(sum, of(0))
    }
}

/// `W_n` as `times` times a value: doubling leaves its factors there, so that they cost neither instructions nor bits.
#[derive(Clone, Copy)]
struct Power {
    value: Value,
    times: f64,
}

/// `[low, high]` with `p = low + W_m high`, all in `W_0, W_1, ...`: `2 W_m W_j = W_(m + j) + (-1)^j W_(m - j)`.
fn halves(coefficients: &[f64], m: usize) -> [Vec<f64>; 2] {
    let of = |i: usize| coefficients.get(i).copied().unwrap_or(0.0);
    let mut low: Vec<f64> = (0..m).map(of).collect();
    let mut high = vec![0.0; m];
    for (j, high) in high.iter_mut().enumerate() {
        let x = of(m + j);
        match j {
            0 => *high = x,
            _ => {
                *high = 2.0 * x;
                let sign = if j % 2 == 0 { 1.0 } else { -1.0 };
                if let Some(low) = low.get_mut(m - j) {
                    *low -= sign * x;
                }
            }
        }
    }
    [low, high]
}
