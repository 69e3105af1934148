//! The evaluator of ciphertexts, on this processor.

use super::error::CkksRunError;
use super::keys::{KeyRing, KeySource};
use super::sizes::DOT_CHUNK;
use crate::backend::transfer::Transfer;
use crate::binding;
use crate::ckks::SeededCiphertext;
use crate::ckks::{self, Ciphertext, CkksError, Complex64, Encoder, Factor, Message, Plaintext};
use crate::exec::{Encoding, Evaluator, Held, ScaleValue, Site};
use crate::params::{Parameters, PerRing, Rings};
use crate::ring::RnsBasis;
use crate::rlwe::{Digits, EvaluationKeys};
use crate::wire::HostValue;
use peregrine_ir::cost::CostModel;
use peregrine_ir::{
    Basis, Circuit, Definition, Entity, Inst, Key, KeyKind, Level, Rotation, Slots, Type, Value,
};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Runs circuits on ciphertexts, on this processor. It holds evaluation keys and never a secret key.
#[derive(Debug)]
pub struct CkksEvaluator {
    rings: Arc<Rings>,
    engines: PerRing<Engine>,
    keys: KeyRing,
}

/// The arithmetic of ciphertexts in one ring.
#[derive(Debug)]
struct Engine {
    encoder: Encoder,
    keyless: ckks::Evaluator,
}

impl Engine {
    fn new(params: &Arc<Parameters>) -> Self {
        let no_keys = Arc::new(EvaluationKeys::default());
        Self {
            encoder: Encoder::new(params),
            keyless: ckks::Evaluator::new(params, &no_keys),
        }
    }
}

impl CkksEvaluator {
    /// An evaluator for these rings, which takes keys from `source` when they are needed, and expands those in
    /// `expanded` for good.
    pub fn new(rings: &Arc<Rings>, source: Arc<dyn KeySource>, expanded: BTreeSet<Key>) -> Self {
        Self {
            rings: rings.clone(),
            engines: rings.params().map(Engine::new),
            keys: KeyRing::new(source, expanded),
        }
    }

    /// The engine of the ring of a level.
    fn at(&self, level: usize) -> &Engine {
        self.engines.at(level)
    }

    /// The engine of the ring of a ciphertext, without keys.
    fn of(&self, a: &Ciphertext) -> &ckks::Evaluator {
        &self.at(a.level()).keyless
    }

    /// The engine of the ring of ciphertexts of one level, without keys.
    fn of_all(&self, op: &'static str, a: &[&Ciphertext]) -> Result<&ckks::Evaluator, CkksError> {
        let first = a.first().ok_or(CkksError::NoOperands { op })?;
        Ok(self.of(first))
    }

    /// The engine of the ring of a ciphertext, with one key.
    fn with(&self, kind: KeyKind, a: &Ciphertext) -> Result<ckks::Evaluator, CkksRunError> {
        let ring = binding::ring_of(&self.rings, a.level());
        let keys = self.keys.get(Key::within(ring, kind))?;
        Ok(ckks::Evaluator::new(self.rings.at(a.level()), &keys))
    }

    /// The primes that a constant is encoded modulo.
    fn basis(&self, at: Encoding<'_>) -> Result<&RnsBasis, CkksRunError> {
        self.primes(binding::level(at.level), at.basis == Basis::Extended)
    }

    /// The primes of a level, with those of P if `extended`.
    fn primes(&self, level: usize, extended: bool) -> Result<&RnsBasis, CkksRunError> {
        let params = self.rings.at(level);
        let basis = match extended {
            false => params.row(level),
            true => params.extended_row(level),
        };
        Ok(basis.map_err(CkksError::from)?)
    }

    /// Checks that a key covers every prime of a level.
    fn check_key(&self, key: Key, level: Level) -> Result<(), CkksRunError> {
        let found = self.keys.levels().get(&key);
        let found = *found.ok_or(CkksRunError::MissingKey { key, level })?;
        if found >= level {
            return Ok(());
        }
        Err(CkksRunError::KeyLevel { key, found, level })
    }
}

/// An encoded plaintext.
#[derive(Clone, Debug)]
pub enum Plain {
    /// Encoded in full, for any number of uses.
    Encoded(Plaintext),
    /// Encoded without its transforms, for a single use.
    Message(Message),
}

impl Plain {
    fn factor(&self) -> Factor<'_> {
        match self {
            Self::Encoded(plaintext) => plaintext.into(),
            Self::Message(message) => message.into(),
        }
    }
}

impl Evaluator for CkksEvaluator {
    type Cipher = Ciphertext;
    type Plain = Plain;
    type Digits = Digits;
    type Error = CkksRunError;

    fn accept(&self, circuit: &Circuit) -> Result<(), CkksRunError> {
        if binding::literal(&circuit.rings) != *self.rings.literal() {
            return Err(CkksRunError::Ring);
        }
        let keys = circuit.keys.levels.iter();
        let missing: Vec<CkksRunError> = keys
            .filter_map(|(&key, &level)| self.check_key(key, level).err())
            .collect();
        match <[CkksRunError; 1]>::try_from(missing) {
            Ok([one]) => Err(one),
            Err(none) if none.is_empty() => Ok(()),
            Err(several) => Err(CkksRunError::Keys(several)),
        }
    }

    /// The nanoseconds of each value on the machine of the built-in cost model; a plaintext counts where it is encoded.
    fn work(&self, circuit: &Circuit) -> Vec<u64> {
        let seconds = CostModel::default().seconds_of_values(circuit);
        let of = |value: Value| seconds.get(value.index()).copied().unwrap_or(0.0);
        let encoded = |value: &Value| {
            let definition = circuit.values.get(*value);
            definition.is_some_and(|d| matches!(d.inst, Inst::Encode { .. }))
        };
        let work = |(value, definition): (Value, &Definition)| {
            let operands = definition.inst.operands().into_iter();
            let all = of(value) + operands.filter(encoded).map(of).sum::<f64>();
            (all * 1e9) as u64
        };
        circuit.values.iter().map(work).collect()
    }

    fn dot_chunk(&self) -> NonZeroUsize {
        DOT_CHUNK
    }

    fn prepare(&self, keys: &[Key]) -> Result<(), CkksRunError> {
        let read = keys.par_iter().map(|&k| self.keys.prepare(k).err());
        let failure = read.collect::<Vec<_>>().into_iter().flatten().next();
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    fn release(&self, keys: &[Key]) {
        keys.iter().for_each(|&key| self.keys.release(key));
    }

    fn seal(&self, site: Site<'_>, a: Ciphertext) -> Result<Ciphertext, CkksRunError> {
        let found = (a.level(), binding::form(a.form()));
        match site.ty {
            Type::Cipher { level, form, .. } if found == (binding::level(*level), *form) => Ok(a),
            other => Err(CkksRunError::Type {
                found_level: found.0,
                found_form: found.1,
                expected: other.display(site.circuit.rings.unit_bits),
            }),
        }
    }

    fn encode(&self, slots: Slots, at: Encoding<'_>) -> Result<Plain, CkksRunError> {
        let basis = self.basis(at)?;
        let encoder = &self.at(binding::level(at.level)).encoder;
        let encoded = match &slots.im {
            None => encoder.encode_real(&slots.re, at.scale.value, basis),
            Some(im) => {
                let parts = slots.re.iter().zip(im);
                let slots: Vec<Complex64> =
                    parts.map(|(&re, &im)| Complex64::new(re, im)).collect();
                encoder.encode(&slots, at.scale.value, basis)
            }
        };
        Ok(encoded.map(Plain::Encoded)?)
    }

    /// Encodes slots without their transforms: a message is transformed together with another one where it is used,
    /// which only real slots allow. Slots that repeat take short transforms, which are cheaper still.
    fn encode_for_dot(&self, slots: Slots, at: Encoding<'_>) -> Result<Plain, CkksRunError> {
        if slots.im.is_some() {
            return self.encode(slots, at);
        }
        let encoder = &self.at(binding::level(at.level)).encoder;
        let (slots, scale, basis) = (&slots.re, at.scale.value, self.basis(at)?);
        if let Some(short) = encoder.encode_short(slots, scale, basis)? {
            return Ok(Plain::Encoded(short));
        }
        let message = encoder.message(slots, scale, basis);
        Ok(message.map(Plain::Message)?)
    }

    fn add(&self, terms: &[&Ciphertext]) -> Result<Ciphertext, CkksRunError> {
        Ok(self.of_all("add", terms)?.sum(terms)?)
    }

    fn sub(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, CkksRunError> {
        Ok(self.of(a).sub(a, b)?)
    }

    fn negate(&self, a: &Ciphertext) -> Result<Ciphertext, CkksRunError> {
        Ok(self.of(a).negate(a)?)
    }

    fn add_plain(&self, a: &Ciphertext, p: &Plain) -> Result<Ciphertext, CkksRunError> {
        Ok(match p {
            Plain::Encoded(p) => self.of(a).add_plain(a, p)?,
            Plain::Message(message) => {
                let params = self.rings.at(a.level());
                let basis = params.row(a.level()).map_err(CkksError::from)?;
                let p = message.encoded(params, basis);
                self.of(a).add_plain(a, &p)?
            }
        })
    }

    fn mul_plain(&self, a: &Ciphertext, p: &Plain) -> Result<Ciphertext, CkksRunError> {
        self.dot(&[a], &[p])
    }

    fn mul_scalar(
        &self,
        a: &Ciphertext,
        factor: f64,
        scale: ScaleValue<'_>,
    ) -> Result<Ciphertext, CkksRunError> {
        Ok(self.of(a).mul_scalar(a, factor, scale.value)?)
    }

    fn dot(&self, ciphers: &[&Ciphertext], plains: &[&Plain]) -> Result<Ciphertext, CkksRunError> {
        let factors: Vec<Factor<'_>> = plains.iter().map(|p| p.factor()).collect();
        Ok(self.of_all("dot", ciphers)?.dot(ciphers, &factors)?)
    }

    fn dot_scalar(
        &self,
        ciphers: &[&Ciphertext],
        factors: &[f64],
        scale: ScaleValue<'_>,
    ) -> Result<Ciphertext, CkksRunError> {
        let engine = self.of_all("dot_scalar", ciphers)?;
        Ok(engine.dot_scalar(ciphers, factors, scale.value)?)
    }

    fn dots(
        &self,
        ciphers: &[&Ciphertext],
        plains: &[&[&Plain]],
    ) -> Result<Vec<Ciphertext>, CkksRunError> {
        let factors = plains.iter().map(|plains| {
            let factors = plains.iter().map(|p| p.factor());
            factors.collect()
        });
        let factors: Vec<Vec<Factor<'_>>> = factors.collect();
        let factors: Vec<&[Factor<'_>]> = factors.iter().map(Vec::as_slice).collect();
        Ok(self.of_all("dot", ciphers)?.dots(ciphers, &factors)?)
    }

    fn dot_scalars(
        &self,
        ciphers: &[&Ciphertext],
        factors: &[(&[f64], ScaleValue<'_>)],
    ) -> Result<Vec<Ciphertext>, CkksRunError> {
        let engine = self.of_all("dot_scalar", ciphers)?;
        let factors = factors
            .iter()
            .map(|&(factors, scale)| (factors, scale.value));
        Ok(engine.dot_scalars(ciphers, &factors.collect::<Vec<_>>())?)
    }

    fn mul(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, CkksRunError> {
        Ok(self.of(a).mul(a, b)?)
    }

    fn square(&self, a: &Ciphertext) -> Result<Ciphertext, CkksRunError> {
        Ok(self.of(a).square(a)?)
    }

    fn relinearize(&self, a: &Ciphertext) -> Result<Ciphertext, CkksRunError> {
        Ok(self.with(KeyKind::Relinearization, a)?.relinearize(a)?)
    }

    fn relinearize_rescale(&self, a: &Ciphertext, to: Level) -> Result<Ciphertext, CkksRunError> {
        let engine = self.with(KeyKind::Relinearization, a)?;
        Ok(engine.relinearize_rescale(a, binding::level(to))?)
    }

    fn relinearize_ext(&self, a: &Ciphertext, digits: &Digits) -> Result<Ciphertext, CkksRunError> {
        let engine = self.with(KeyKind::Relinearization, a)?;
        Ok(engine.relinearize_ext(a, digits)?)
    }

    fn rescale(&self, a: &Ciphertext, to: Level) -> Result<Ciphertext, CkksRunError> {
        Ok(self.of(a).rescale(a, binding::level(to))?)
    }

    fn drop_level(&self, a: &Ciphertext, to: Level) -> Result<Ciphertext, CkksRunError> {
        Ok(self.of(a).drop_level(a, binding::level(to))?)
    }

    fn switch_ring(&self, a: &Ciphertext, to: Level) -> Result<Ciphertext, CkksRunError> {
        let rings =
            [a.level(), binding::level(to)].map(|level| binding::ring_of(&self.rings, level));
        let [from, into] = rings;
        let keys = self.keys.get(Key::switching(from, into))?;
        Ok(ckks::switch_ring(
            &self.rings,
            &keys,
            a,
            binding::level(to),
        )?)
    }

    fn raise_ext(
        &self,
        a: &Ciphertext,
        rotation: Rotation,
        to: Level,
    ) -> Result<Ciphertext, CkksRunError> {
        let to = binding::level(to);
        let [from, into] = [a.level(), to].map(|level| binding::ring_of(&self.rings, level));
        let keys = self.keys.get(Key::raising((from, into), rotation))?;
        Ok(ckks::raise_ext(&self.rings, &keys, a, rotation.0, to)?)
    }

    fn decompose(&self, a: &Ciphertext) -> Result<Digits, CkksRunError> {
        Ok(self.of(a).decompose(a)?)
    }

    fn rotate_ext(
        &self,
        a: &Ciphertext,
        digits: &Digits,
        rotation: Rotation,
    ) -> Result<Ciphertext, CkksRunError> {
        let engine = self.with(KeyKind::Rotation(rotation), a)?;
        Ok(engine.rotate_ext(a, digits, rotation.0)?)
    }

    fn mod_down(&self, a: &Ciphertext) -> Result<Ciphertext, CkksRunError> {
        Ok(self.of(a).mod_down(a)?)
    }

    fn rotate(&self, a: &Ciphertext, rotation: Rotation) -> Result<Ciphertext, CkksRunError> {
        let engine = self.with(KeyKind::Rotation(rotation), a)?;
        Ok(engine.rotate(a, rotation.0)?)
    }

    fn conjugate(&self, a: &Ciphertext) -> Result<Ciphertext, CkksRunError> {
        Ok(self.with(KeyKind::Conjugation, a)?.conjugate(a)?)
    }

    fn mul_monomial(&self, a: &Ciphertext, exponent: u32) -> Result<Ciphertext, CkksRunError> {
        Ok(self.of(a).mul_monomial(a, exponent.into())?)
    }
}

impl Transfer for CkksEvaluator {
    fn import(&self, a: SeededCiphertext) -> Result<Ciphertext, CkksRunError> {
        Ok(a.expand(self.rings.at(a.level()))?)
    }

    fn export(&self, a: Ciphertext) -> Result<Ciphertext, CkksRunError> {
        Ok(a)
    }

    fn import_value(&self, a: HostValue) -> Result<Held<Self>, CkksRunError> {
        Ok(match a {
            HostValue::Cipher(cipher) => Held::Cipher(cipher),
            HostValue::Plain(_, poly) => {
                Held::Plain(Arc::new(Plain::Encoded(Plaintext::new(poly))))
            }
            HostValue::Digits(digits) => Held::Digits(Arc::new(digits)),
        })
    }

    fn export_value(&self, a: Held<Self>, ty: &Type) -> Result<HostValue, CkksRunError> {
        let level = binding::level(ty.level());
        Ok(match a {
            Held::Cipher(cipher) => HostValue::Cipher(cipher),
            Held::Digits(digits) => HostValue::Digits(Arc::unwrap_or_clone(digits)),
            Held::Plain(plain) => {
                let plain = match Arc::unwrap_or_clone(plain) {
                    Plain::Encoded(plain) => plain,
                    Plain::Message(message) => {
                        let (params, extended) = (self.rings.at(level), ty.is_extended());
                        message.encoded(params, self.primes(level, extended)?)
                    }
                };
                let poly = plain.poly(self.rings.at(level).ring());
                HostValue::Plain(level, poly.map_err(CkksError::from)?.into_owned())
            }
        })
    }
}
