//! Simulated noise: every instruction adds the noise that the noise model predicts for it.

use super::random::Normal;
use super::slots::Slots;
use super::tape::{Errors, Part, Tape};
use crate::ckks::Embedding;
use crate::exec::{Encoding, Site};
use peregrine_ir::noise::{NoiseModel, combine};
use peregrine_ir::{
    Entity, Form, Inst, Level, RingTable, Rotation, Scale, SecretKind, Type, Value,
};
use std::sync::Arc;

/// A source of simulated noise. A seed determines the noise whatever the order of execution, and each image has noise of its own
/// whatever the images beside it. Plaintexts are encoded once for all images. The first images of a value may be twins: copies of
/// the next ones that get no noise.
#[derive(Debug)]
pub(crate) struct Noise {
    seed: u64,
    /// The number of the first image.
    first: usize,
    /// The number of images that are twins.
    twins: usize,
    ring: RingTable,
    tape: Arc<Tape>,
}

impl Noise {
    /// A source of noise for images numbered from `first`, after `twins` twins.
    pub(crate) fn new(ring: &RingTable, seed: u64, (first, twins): (usize, usize)) -> Self {
        Self {
            seed,
            first,
            twins,
            ring: ring.clone(),
            tape: Arc::new(Tape::new(seed)),
        }
    }

    /// Adds the noise of the instruction that computed slots, if it has any.
    pub(super) fn disturb(&self, site: Site<'_>, slots: &mut Arc<Slots>) {
        let level = site.ty.level();
        if let Inst::RaiseExt { a, rotation, .. } = *site.inst {
            let from = site.circuit.type_of(a).map(Type::level);
            let wrapped = from.and_then(|from| self.wrapped(site, (a, from, rotation), slots));
            if let Some(wrapped) = wrapped {
                *slots = Arc::new(wrapped);
            }
        }
        let absolute = self.absolute(site).zip(site.ty.scale());
        let deviation = absolute.and_then(|(absolute, scale)| self.deviation(absolute, scale));
        let Some(deviation) = deviation else {
            return;
        };
        let width = self.ring.at(level).slots() as usize;
        let Slots { re, im } = Arc::make_mut(slots);
        let im = im.iter_mut().flat_map(|im| im.chunks_mut(width));
        let mut im = im.skip(self.twins);
        for (image, re) in re.chunks_mut(width).skip(self.twins).enumerate() {
            let errors = Errors {
                tape: self.tape.clone(),
                place: self.place(self.first + image, (site.value, site.call)),
                deviation,
                period: width,
            };
            errors.add_to(re, Part::Real, 0);
            if let Some(im) = im.next() {
                errors.add_to(im, Part::Imaginary, 0);
            }
        }
    }

    /// The root mean square of the modulus of the noise of an instruction, in units of its coefficients; none where it adds none.
    ///
    /// Sums, products and automorphisms add no noise of their own: the slots already carry that of their operands.
    fn absolute(&self, site: Site<'_>) -> Option<f64> {
        let level = site.ty.level();
        let model = self.model(level);
        let absolute = match site.inst {
            // What a fragment takes from another one has the noise it has there.
            Inst::Input { .. } if site.circuit.fragment.is_none() => model.fresh(),
            Inst::Relinearize(_) | Inst::Rotate { .. } | Inst::Conjugate(_) => {
                combine([self.key_product(model, level), model.division(2)])
            }
            Inst::RelinearizeRescale { a, .. } => {
                let from = site.circuit.type_of(*a)?.level();
                let bits = self.ring.level_bits(level)? - self.ring.level_bits(from)?;
                let product = self.key_product(self.model(from), from) * bits.exp2();
                combine([product, model.division(2)])
            }
            Inst::RelinearizeExt { .. } | Inst::RotateExt { .. } => self.key_product(model, level),
            Inst::SwitchRing { a, .. } => {
                let from = site.circuit.type_of(*a)?.level();
                self.ring_switch(from, level)
            }
            Inst::RaiseExt { a, .. } => {
                let from = site.circuit.type_of(*a)?.level();
                let special_bits = self.ring.at(level).special_bits();
                model.key_product(&[self.ring.level_bits(from)?], special_bits)
            }
            Inst::ModDown(_) => model.division(2),
            Inst::Rescale { .. } => model.division(parts(site.ty)),
            Inst::Input { .. }
            | Inst::InputDigits(_)
            | Inst::Call { .. }
            | Inst::Result { .. }
            | Inst::Encode { .. }
            | Inst::Add(_)
            | Inst::Sub(..)
            | Inst::Negate(_)
            | Inst::AddPlain(..)
            | Inst::MulPlain(..)
            | Inst::MulScalar { .. }
            | Inst::Dot { .. }
            | Inst::DotScalar { .. }
            | Inst::Mul(..)
            | Inst::Square(_)
            | Inst::DropLevel { .. }
            | Inst::Decompose(_)
            | Inst::MulMonomial { .. } => return None,
        };
        Some(absolute)
    }

    /// The slots of `m + Q_l I`, repeated and rotated, for the level that a modulus was raised from: each coefficient of `I` is a sum of as many
    /// uniform numbers as the secret has coefficients other than 0, rounded. All raises of one operand wrap alike.
    fn wrapped(
        &self,
        site: Site<'_>,
        (operand, from, rotation): (Value, Level, Rotation),
        slots: &Slots,
    ) -> Option<Slots> {
        let view = self.ring.at(from);
        let scale = site.ty.scale()?.value(&self.ring.primes)?;
        let unit = self.ring.level_bits(from)?.exp2() / scale;
        let terms = match view.secret().kind {
            SecretKind::Sparse { weight } => weight,
            SecretKind::Ternary => view.degree() as u32 * 2 / 3,
        };
        let (width, embedding) = (
            self.ring.at(site.ty.level()).slots() as usize,
            Embedding::new(view.degree()),
        );
        let mut wrapped = slots.clone();
        let images = wrapped.re.len() / width.max(1);
        for image in self.twins..images {
            let at = (self.first + image - self.twins, (operand, site.call));
            let mut normal = self.normal_of(at, Stream::Wraps);
            let wraps: Vec<f64> = (0..view.degree())
                .map(|_| normal.uniform_sum(terms).round())
                .collect();
            let wraps = embedding.values(&wraps, unit);
            let wraps = || wraps.iter().cycle().skip(rotation.0 as usize);
            let at = image * width..(image + 1) * width;
            let re = wrapped.re.get_mut(at.clone())?;
            re.iter_mut().zip(wraps()).for_each(|(x, z)| *x += z.re);
            let im = wrapped.imaginary().get_mut(at)?;
            im.iter_mut().zip(wraps()).for_each(|(x, z)| *x += z.im);
        }
        Some(wrapped)
    }

    /// The number of images that are twins.
    pub(super) fn twins(&self) -> usize {
        self.twins
    }

    /// The errors of a plaintext whose coefficients are rounded: slots with a period are a polynomial in a power of `X`, of which only so
    /// many coefficients are rounded, and the errors have the period of the slots. Those of real slots are real.
    pub(super) fn of_rounding(&self, slots: &Slots, at: Encoding<'_>) -> Option<Errors> {
        let period = slots.period();
        let log_n = (2 * period).ilog2();
        let encoding = NoiseModel { log_n }.encoding();
        let whole = match slots.im {
            Some(_) => encoding,
            None => encoding * std::f64::consts::SQRT_2,
        };
        Some(Errors {
            tape: self.tape.clone(),
            place: self.place(0, (at.value, 0)),
            deviation: self.deviation(whole, at.scale.exact)?,
            period,
        })
    }

    /// Standard deviation of the real parts of errors whose modulus has root mean square `absolute`, at a scale.
    fn deviation(&self, absolute: f64, scale: &Scale) -> Option<f64> {
        let scale = scale.value(&self.ring.primes)?;
        Some(absolute / scale * std::f64::consts::FRAC_1_SQRT_2)
    }

    /// Where on the tape the noise of a value begins.
    fn place(&self, image: usize, at: (Value, u64)) -> usize {
        (self.normal(image, at).word() >> 32) as usize
    }

    /// The stream of random numbers for the noise of a value.
    fn normal(&self, image: usize, at: (Value, u64)) -> Normal {
        self.normal_of((image, at), Stream::Noise)
    }

    /// A stream of random numbers for a value of the main program, or of a body that a call runs.
    fn normal_of(&self, (image, (value, call)): (usize, (Value, u64)), stream: Stream) -> Normal {
        let seed = match stream {
            Stream::Noise => self.seed,
            Stream::Wraps => !self.seed,
        };
        Normal::new(seed, image as u64, (call << 32) | value.index() as u64)
    }

    /// The noise model of the ring of a level.
    fn model(&self, level: Level) -> NoiseModel {
        NoiseModel {
            log_n: self.ring.at(level).log_n(),
        }
    }

    /// The noise of the inner product of a key switch, in the degree of `model`, with the digits and special primes of a level.
    fn key_product(&self, model: NoiseModel, level: Level) -> f64 {
        let special_bits = self.ring.at(level).special_bits();
        model.key_product(&self.digit_bits(level), special_bits)
    }

    /// The noise of a switch between rings. The inner product has the degree of the larger ring, and on the way to a smaller one its
    /// noise is averaged like the slots; of the rounding only the coefficients that are kept count: that of a division in the ring that it leads to.
    fn ring_switch(&self, from: Level, to: Level) -> f64 {
        let (own, into) = (self.model(from), self.model(to));
        let larger = if own.log_n > into.log_n { own } else { into };
        let averaged = f64::from(larger.log_n - into.log_n) / -2.0;
        let product = self.key_product(larger, to) * averaged.exp2();
        combine([product, into.division(2)])
    }

    /// log2 of the product of the primes that each digit shares with a level.
    fn digit_bits(&self, level: Level) -> Vec<f64> {
        let row = self.ring.row(level).unwrap_or_default();
        let bits = |p| self.ring.primes.get(p).map_or(0.0, |&p| (p as f64).log2());
        let shared = self.ring.at(level).digits().iter().map(|digit| {
            let shared = digit.iter().filter(|p| row.contains(p));
            shared.map(|&p| bits(p)).sum()
        });
        shared.filter(|&bits: &f64| bits > 0.0).collect()
    }
}

/// What is drawn for a value.
#[derive(Clone, Copy, Debug)]
enum Stream {
    /// The noise that the instruction adds.
    Noise,
    /// What the value wraps around where its modulus is raised.
    Wraps,
}

fn parts(ty: &Type) -> usize {
    match ty {
        Type::Cipher {
            form: Form::Product,
            ..
        } => 3,
        Type::Cipher { .. } | Type::Plain { .. } | Type::Digits { .. } => 2,
    }
}
