//! Keys, plaintexts and ciphertexts at the highest level, and the calls that are measured on them.

use super::error::BenchError;
use super::keys;
use super::matrix::{Factors, Matrix};
use super::operation::{DOT_DISTINCT, DOT_TERMS, Measurement, Operation};
use super::reference::Reference;
use super::speed::{Copying, Transforms};
use super::timing::{Timing, median, median_each};
use super::weights;
use peregrine_ir::{Circuit, Filler};
use peregrine_runtime::ckks::{
    Ciphertext, Decryptor, Encoder, Encryptor, Evaluator, Factor, Message, Plaintext,
    SeededCiphertext,
};
use peregrine_runtime::params::Parameters;
use peregrine_runtime::ring::Randomness;
use peregrine_runtime::rlwe::{
    Digits, EvaluationKey, EvaluationKeys, KeyKind, RlweError, SecretKey, StreamedKey,
};
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempPath;

/// Bytes of the keys that are used in turn.
const KEY_BYTES: usize = 32 << 20;

/// What operations are measured on.
pub(super) struct Bed {
    params: Arc<Parameters>,
    secret: Arc<SecretKey>,
    encoder: Encoder,
    encryptor: Encryptor,
    decryptor: Decryptor,
    evaluator: Evaluator,
    /// With packed keys for rotations by 1 to `rotations`.
    streaming: Evaluator,
    rotations: u32,
    randomness: Randomness,
    top: usize,
    slots: Vec<f64>,
    plain: Plaintext,
    fresh: SeededCiphertext,
    /// The fresh ciphertext, expanded.
    cipher: Ciphertext,
    /// The other operands of a sum of products.
    others: Vec<(Ciphertext, Plaintext)>,
    /// The slots before they are transformed.
    message: Message,
    weights: Circuit,
    /// A key file of one key.
    key_file: TempPath,
    /// The digits of the ciphertext.
    digits: Digits,
    /// The ciphertext times P, rotated.
    extended: Ciphertext,
}

impl Bed {
    pub fn new(reference: &Reference) -> Result<Self, BenchError> {
        let params = Parameters::new(reference.literal())?;
        let mut randomness = Randomness::from_os();
        let secret = Arc::new(SecretKey::generate(&params, &mut randomness)?);
        let top = reference.top();
        let (mut held, mut packed) = <(EvaluationKeys, EvaluationKeys)>::default();
        let key = |kind, randomness: &mut Randomness| {
            EvaluationKey::generate(&params, &secret, kind, top, randomness)
        };
        let relinearization = key(KeyKind::Relinearization, &mut randomness)?;
        let key_file = keys::on_disk(&params, top, &relinearization)?;
        held.insert(relinearization);
        let rotations = rotations(reference);
        for steps in 1..=rotations {
            let kind = KeyKind::Galois(params.ring().rotation_exponent(steps));
            let key = key(kind, &mut randomness)?;
            packed.insert(StreamedKey::pack(&params, &key)?);
            held.insert(key);
        }
        let (encoder, encryptor) = (Encoder::new(&params), Encryptor::new(&params, &secret));
        let [evaluator, streaming] =
            [held, packed].map(|keys| Evaluator::new(&params, &Arc::new(keys)));
        let (slots, row) = (slots(&params), params.row(top)?.clone());
        let mut pair = || {
            let plain = encoder.encode_real(&slots, Reference::SCALE, &row)?;
            let seeded = encryptor.encrypt(&plain, top, &mut randomness)?;
            Ok::<_, BenchError>((seeded, plain))
        };
        let (fresh, plain) = pair()?;
        let cipher = fresh.expand(&params)?;
        let other = |_| {
            let (seeded, plain) = pair()?;
            Ok((seeded.expand(&params)?, plain))
        };
        let others = (1..DOT_DISTINCT).map(other);
        let others = others.collect::<Result<_, BenchError>>()?;
        let digits = evaluator.decompose(&cipher)?;
        let message = encoder.message(&slots, Reference::SCALE, &row)?;
        Ok(Self {
            extended: evaluator.rotate_ext(&cipher, &digits, 1)?,
            decryptor: Decryptor::new(&params, &secret),
            params,
            secret,
            encoder,
            encryptor,
            evaluator,
            streaming,
            rotations,
            randomness,
            top,
            slots,
            plain,
            fresh,
            cipher,
            others,
            message,
            weights: weights::convolution(reference.log_n, DOT_DISTINCT)?,
            key_file,
            digits,
        })
    }

    pub fn params(&self) -> &Arc<Parameters> {
        &self.params
    }

    /// A fresh relinearization key for a level.
    pub fn key(&mut self, level: usize) -> Result<EvaluationKey, RlweError> {
        let kind = KeyKind::Relinearization;
        EvaluationKey::generate(
            &self.params,
            &self.secret,
            kind,
            level,
            &mut self.randomness,
        )
    }

    /// All operations on the threads of the current pool.
    pub fn measure_all(
        &mut self,
        at: &Reference,
        yardsticks: &(Transforms, Copying),
    ) -> Result<Vec<Measurement>, BenchError> {
        let measured = Operation::ALL.into_iter().map(|operation| {
            let timing = self.measure(operation)?;
            Ok(Measurement::new(operation, timing, at, yardsticks))
        });
        measured.collect()
    }

    pub fn measure(&mut self, operation: Operation) -> Result<Timing, BenchError> {
        let (evaluator, a, top) = (&self.evaluator, &self.cipher, self.top);
        let (plain, digits) = (&self.plain, &self.digits);
        let scale = Reference::SCALE;
        let sums = |factors, together| {
            let matrix = Matrix::new(&self.evaluator, &self.cipher)?;
            matrix.measure((factors, together), (&self.params, &self.encoder))
        };
        Ok(match operation {
            Operation::Keygen => median(|| self.key(top))?,
            Operation::Encode => self.encode()?,
            Operation::EncodeMessage => self.encode_message()?,
            Operation::Fill => self.fill()?,
            Operation::ReadKey => median_each(|| keys::read(&self.key_file))?,
            Operation::Encrypt => {
                let (encryptor, randomness) = (&self.encryptor, &mut self.randomness);
                median(|| encryptor.encrypt(plain, top, randomness))?
            }
            Operation::Expand => median(|| self.fresh.expand(&self.params))?,
            Operation::Decrypt => median(|| self.decryptor.decrypt(a, scale))?,
            Operation::Add => median(|| evaluator.add(a, a))?,
            Operation::MulPlain => median(|| evaluator.mul_plain(a, plain))?,
            Operation::MulScalar => median(|| evaluator.mul_scalar(a, 1.5, scale))?,
            Operation::DotScalar64 => {
                let numbers = [1.5; DOT_TERMS];
                let ciphers = self.operands().map(|(cipher, _)| cipher);
                let ciphers: Vec<&Ciphertext> = ciphers.collect();
                median(|| evaluator.dot_scalar(&ciphers, &numbers, scale))?
            }
            Operation::Dot64 => self.dot(Factor::Plaintext)?,
            Operation::DotEncode64 => self.dot(|_| Factor::Message(&self.message))?,
            Operation::Rescale => median(|| evaluator.rescale(a, top - 1))?,
            Operation::Decompose => median(|| evaluator.decompose(a))?,
            Operation::RotateExt => median(|| evaluator.rotate_ext(a, digits, 1))?,
            Operation::RotateExtCold => {
                let mut steps = (1..=self.rotations).cycle();
                median(|| {
                    let steps = steps.next().unwrap_or(1);
                    self.streaming.rotate_ext(a, digits, steps)
                })?
            }
            Operation::ModDown => median(|| evaluator.mod_down(&self.extended))?,
            Operation::Hoisted => {
                median(|| evaluator.mod_down(&evaluator.rotate_ext(a, digits, 1)?))?
            }
            Operation::Rotate => median(|| evaluator.rotate(a, 1))?,
            Operation::MulRelinearize => median(|| evaluator.relinearize(&evaluator.mul(a, a)?))?,
            Operation::MatrixScalar => sums(Factors::Numbers, true)?,
            Operation::MatrixScalarAlone => sums(Factors::Numbers, false)?,
            Operation::MatrixPeriod16 => sums(Factors::Period(16), true)?,
            Operation::MatrixPeriod16Alone => sums(Factors::Period(16), false)?,
            Operation::MatrixPeriod512 => sums(Factors::Period(512), true)?,
            Operation::MatrixPeriod512Alone => sums(Factors::Period(512), false)?,
        })
    }

    fn encode(&self) -> Result<Timing, BenchError> {
        let row = self.params.row(self.top)?;
        let encode = || self.encoder.encode_real(&self.slots, Reference::SCALE, row);
        Ok(median(encode)?)
    }

    fn encode_message(&self) -> Result<Timing, BenchError> {
        let row = self.params.row(self.top)?;
        let message = || self.encoder.message(&self.slots, Reference::SCALE, row);
        Ok(median_each(message)?)
    }

    fn fill(&self) -> Result<Timing, BenchError> {
        let filler = Filler::new(&self.weights)?;
        let next = AtomicUsize::new(0);
        let at = || next.fetch_add(1, Ordering::Relaxed) % DOT_DISTINCT;
        median_each(|| weights::fill(&filler, at()))
    }

    fn dot<'b>(
        &'b self,
        factor: impl Fn(&'b Plaintext) -> Factor<'b>,
    ) -> Result<Timing, BenchError> {
        let operands = self
            .operands()
            .map(|(cipher, plain)| (cipher, factor(plain)));
        let (ciphers, factors): (Vec<_>, Vec<_>) = operands.unzip();
        Ok(median(|| self.evaluator.dot(&ciphers, &factors))?)
    }

    /// The operands of a sum of products.
    fn operands(&self) -> impl Iterator<Item = (&Ciphertext, &Plaintext)> {
        let others = self.others.iter().map(|(cipher, plain)| (cipher, plain));
        let distinct = iter::once((&self.cipher, &self.plain)).chain(others);
        distinct.cycle().take(DOT_TERMS)
    }
}

/// Something in every slot.
fn slots(params: &Parameters) -> Vec<f64> {
    (0..params.slots()).map(|i| (i as f64).sin()).collect()
}

/// Rotation keys that together are larger than caches.
fn rotations(reference: &Reference) -> u32 {
    let Reference {
        chain,
        special,
        digits,
        log_n,
        ..
    } = *reference;
    let bytes = (2 * digits * (chain + special)) << (log_n + 3);
    KEY_BYTES.div_ceil(bytes) as u32
}
