//! The operands of one instruction, and the one place that maps instructions to methods of the back end.

use super::error::ExecError;
use super::evaluator::{Evaluator, Site};
use super::held::{Held, Lent, missing};
use super::live::{Encode, Live, Outcome};
use peregrine_ir::{Const, Inst, Value};
use rayon::prelude::*;
use std::sync::Arc;

/// An instruction with access to its operands.
pub(super) struct Operands<'w, 'r, E: Evaluator> {
    pub(super) live: &'w Live<'r, E>,
    pub(super) site: Site<'r>,
}

impl<E: Evaluator> Operands<'_, '_, E> {
    /// Computes the instruction by the method of the back end.
    pub(super) fn compute(&self) -> Outcome<Held<E>, E> {
        let e = self.live.evaluator;
        let cipher = match self.site.inst {
            Inst::Add(terms) => e.add(&self.ciphers(terms)?),
            Inst::Sub(a, b) => e.sub(self.cipher(a)?, self.cipher(b)?),
            Inst::Negate(a) => e.negate(self.cipher(a)?),
            Inst::AddPlain(a, p) => e.add_plain(self.cipher(a)?, &*self.plain(p, E::encode)?),
            Inst::MulPlain(a, p) => e.mul_plain(self.cipher(a)?, &*self.plain(p, E::encode)?),
            Inst::MulScalar { a, factor, scale } => {
                let scale = self.live.scale(self.site.value, scale)?;
                e.mul_scalar(self.cipher(a)?, *factor, scale)
            }
            Inst::DotScalar {
                ciphers,
                constants,
                scale,
            } => {
                let scale = self.live.scale(self.site.value, scale)?;
                e.dot_scalar(&self.ciphers(ciphers)?, &self.numbers(constants)?, scale)
            }
            Inst::Dot { ciphers, plains } => return self.dot(ciphers, plains),
            Inst::Mul(a, b) => e.mul(self.cipher(a)?, self.cipher(b)?),
            Inst::Square(a) => e.square(self.cipher(a)?),
            Inst::Relinearize(a) => e.relinearize(self.cipher(a)?),
            Inst::RelinearizeExt { a, digits } => {
                e.relinearize_ext(self.cipher(a)?, self.digits(digits)?)
            }
            Inst::RelinearizeRescale { a, to } => e.relinearize_rescale(self.cipher(a)?, *to),
            Inst::Rescale { a, to } => e.rescale(self.cipher(a)?, *to),
            Inst::DropLevel { a, to } => e.drop_level(self.cipher(a)?, *to),
            Inst::SwitchRing { a, to } => e.switch_ring(self.cipher(a)?, *to),
            Inst::RaiseExt { a, rotation, to } => e.raise_ext(self.cipher(a)?, *rotation, *to),
            Inst::Decompose(a) => return self.decompose(a),
            Inst::RotateExt {
                a,
                digits,
                rotation,
            } => e.rotate_ext(self.cipher(a)?, self.digits(digits)?, *rotation),
            Inst::ModDown(a) => e.mod_down(self.cipher(a)?),
            Inst::Rotate { a, rotation } => e.rotate(self.cipher(a)?, *rotation),
            Inst::Conjugate(a) => e.conjugate(self.cipher(a)?),
            Inst::MulMonomial { a, exponent } => e.mul_monomial(self.cipher(a)?, *exponent),
            // These are no steps, or run instructions of their own.
            Inst::Input { .. }
            | Inst::InputDigits(_)
            | Inst::Encode { .. }
            | Inst::Call { .. }
            | Inst::Result { .. } => {
                return Err(missing(self.site.value, "something that can be computed"));
            }
        };
        cipher.map(Held::Cipher).map_err(|e| self.failed(e))
    }

    fn decompose(&self, a: &Value) -> Outcome<Held<E>, E> {
        let digits = self.live.evaluator.decompose(self.cipher(a)?);
        digits
            .map(Arc::new)
            .map(Held::Digits)
            .map_err(|e| self.failed(e))
    }

    /// Sums products with plaintexts in pieces, so that only a few plaintexts are encoded at a time.
    fn dot(&self, ciphers: &[Value], plains: &[Value]) -> Outcome<Held<E>, E> {
        let e = self.live.evaluator;
        let chunk = e.dot_chunk().get();
        let mut sum: Option<E::Cipher> = None;
        for (ciphers, plains) in ciphers.chunks(chunk).zip(plains.chunks(chunk)) {
            self.live.control.check()?;
            let lent = self.lent(plains)?;
            let plains: Vec<&E::Plain> = lent.iter().map(|p| &**p).collect();
            let part = e.dot(&self.ciphers(ciphers)?, &plains);
            let part = part.map_err(|e| self.failed(e))?;
            sum = Some(match sum {
                None => part,
                Some(sum) => e.add(&[&sum, &part]).map_err(|e| self.failed(e))?,
            });
        }
        sum.map(Held::Cipher)
            .ok_or_else(|| missing(self.site.value, "a product"))
    }

    /// Plaintexts of a sum of products, encoded side by side.
    pub(super) fn lent(&self, plains: &[Value]) -> Outcome<Vec<Lent<'_, E::Plain>>, E> {
        let lent = plains.par_iter();
        let lent: Vec<_> = lent.map(|p| self.plain(p, E::encode_for_dot)).collect();
        lent.into_iter().collect()
    }

    pub(super) fn numbers(&self, constants: &[Const]) -> Outcome<Vec<f64>, E> {
        let filler = &self.live.filler;
        let numbers = constants.iter().map(|&c| Ok(filler.scalar(c)?));
        numbers.collect()
    }

    pub(super) fn ciphers(&self, values: &[Value]) -> Outcome<Vec<&E::Cipher>, E> {
        values.iter().map(|v| self.cipher(v)).collect()
    }

    fn cipher(&self, value: &Value) -> Outcome<&E::Cipher, E> {
        self.live.cipher(*value)
    }

    fn digits(&self, value: &Value) -> Outcome<&E::Digits, E> {
        match self.live.held(*value) {
            Some(Held::Digits(digits)) => Ok(digits),
            _ => Err(missing(*value, "digits")),
        }
    }

    /// A plaintext, encoded in this way if only this instruction needs it.
    fn plain(&self, value: &Value, how: Encode<E>) -> Outcome<Lent<'_, E::Plain>, E> {
        self.live.plain(*value, how)
    }

    pub(super) fn failed(&self, source: E::Error) -> ExecError<E::Error> {
        self.live.failed(self.site.value, source)
    }
}
