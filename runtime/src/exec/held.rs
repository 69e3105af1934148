//! The values that are alive in a run.

use super::error::ExecError;
use super::evaluator::Evaluator;
use peregrine_ir::Value;
use std::ops::Deref;
use std::sync::Arc;

/// A value of any type, as a back end has it.
pub enum Held<E: Evaluator> {
    /// A ciphertext.
    Cipher(E::Cipher),
    /// An encoded plaintext.
    Plain(Arc<E::Plain>),
    /// The digits of a ciphertext.
    Digits(Arc<E::Digits>),
}

impl<E: Evaluator> Clone for Held<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Cipher(cipher) => Self::Cipher(cipher.clone()),
            Self::Plain(plain) => Self::Plain(plain.clone()),
            Self::Digits(digits) => Self::Digits(digits.clone()),
        }
    }
}

impl<E: Evaluator> std::fmt::Debug for Held<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cipher(_) => "Cipher",
            Self::Plain(_) => "Plain",
            Self::Digits(_) => "Digits",
        })
    }
}

/// A plaintext that one instruction may use.
pub(super) enum Lent<'w, P> {
    Kept(&'w Arc<P>),
    Made(Arc<P>),
}

impl<P> Lent<'_, P> {
    /// The plaintext, for an instruction that keeps it.
    pub(super) fn into_shared(self) -> Arc<P> {
        match self {
            Self::Kept(plain) => plain.clone(),
            Self::Made(plain) => plain,
        }
    }
}

impl<P> Deref for Lent<'_, P> {
    type Target = P;
    fn deref(&self) -> &P {
        match self {
            Self::Kept(plain) => plain,
            Self::Made(plain) => plain,
        }
    }
}

/// The error for a value that is missing, or not of the kind that its user needs.
pub(super) fn missing<R>(value: Value, expected: &'static str) -> ExecError<R> {
    ExecError::Internal { value, expected }
}
