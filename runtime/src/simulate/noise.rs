//! Simulated noise: every instruction adds what the noise model predicts for it.

use super::random::Normal;
use super::slots::Slots;
use crate::exec::{Encoding, Site};
use peregrine_ir::noise::NoiseModel;
use peregrine_ir::{Entity, Form, Inst, Level, Ring, Scale, Type, Value};

/// Draws noise; the same seed gives the same noise whatever the order of execution, and each image noise of its own
/// whatever the images beside it. Plaintexts are encoded once for all images.
#[derive(Debug)]
pub(super) struct Noise {
    seed: u64,
    /// The number of the first image.
    first: usize,
    model: NoiseModel,
    ring: Ring,
}

impl Noise {
    /// For images numbered from `first`.
    pub(super) fn new(ring: &Ring, seed: u64, first: usize) -> Self {
        Self {
            seed,
            first,
            model: NoiseModel { log_n: ring.log_n },
            ring: ring.clone(),
        }
    }

    /// The slots with the noise of the instruction that computed them; `None` when it adds none.
    ///
    /// Sums, products and automorphisms add none of their own: the slots already carry that of their operands.
    pub(super) fn disturb(&self, site: Site<'_>, slots: &Slots) -> Option<Slots> {
        let level = site.ty.level();
        let absolute = match site.inst {
            Inst::Input { .. } => self.model.fresh(),
            Inst::Relinearize(_) | Inst::Rotate { .. } | Inst::Conjugate(_) => self
                .model
                .key_switch(&self.digit_bits(level), self.ring.special_bits()),
            Inst::RelinearizeExt { .. } | Inst::RotateExt { .. } => self
                .model
                .key_product(&self.digit_bits(level), self.ring.special_bits()),
            Inst::ModDown(_) => self.model.division(2),
            Inst::Rescale { .. } => self.model.division(parts(site.ty)),
            Inst::Encode { .. }
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
            | Inst::MulMonomial { .. }
            | Inst::Bootstrap { .. } => return None,
        };
        let deviation = self.deviation(absolute, site.ty.scale()?)?;
        let (mut disturbed, width) = (slots.clone(), self.ring.slots() as usize);
        let mut im = disturbed.im.iter_mut().flat_map(|im| im.chunks_mut(width));
        for (image, re) in disturbed.re.chunks_mut(width).enumerate() {
            let mut normal = self.normal(self.first + image, site.value);
            let parts = re.iter_mut().chain(im.next().into_iter().flatten());
            parts.for_each(|x| *x += deviation * normal.next());
        }
        Some(disturbed)
    }

    /// The slots of a plaintext with the error of rounding its coefficients.
    pub(super) fn round(&self, slots: &mut [f64], at: Encoding<'_>) {
        if let Some(deviation) = self.deviation(self.model.encoding(), at.scale.exact) {
            let mut normal = self.normal(0, at.value);
            slots
                .iter_mut()
                .for_each(|x| *x += deviation * normal.next());
        }
    }

    /// Standard deviation of the real parts of errors whose modulus has root mean square `absolute` at a scale.
    fn deviation(&self, absolute: f64, scale: &Scale) -> Option<f64> {
        let scale = scale.value(&self.ring.primes)?;
        Some(absolute / scale * std::f64::consts::FRAC_1_SQRT_2)
    }

    fn normal(&self, image: usize, value: Value) -> Normal {
        Normal::new(self.seed, image as u64, value.index() as u64)
    }

    /// log2 of what each digit shares with a level.
    fn digit_bits(&self, level: Level) -> Vec<f64> {
        let row = self.ring.row(level).unwrap_or_default();
        let bits = |p| self.ring.primes.get(p).map_or(0.0, |&p| (p as f64).log2());
        let shared = self.ring.digits.iter().map(|digit| {
            let shared = digit.iter().filter(|p| row.contains(p));
            shared.map(|&p| bits(p)).sum()
        });
        shared.filter(|&bits: &f64| bits > 0.0).collect()
    }
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
