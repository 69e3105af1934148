//! Values on their way from the host to a back end and back.

use crate::ckks::{Ciphertext, SeededCiphertext};
use crate::exec::{Evaluator, Held};
use crate::wire::HostValue;
use peregrine_ir::Type;

/// A back end that computes on what clients encrypt: the only place where ciphertexts must be in the memory of the host.
pub trait Transfer: Evaluator {
    /// Takes a ciphertext of a client; the half that is a seed is expanded where the back end wants to have it.
    ///
    /// # Errors
    /// When it is not of the rings of the back end.
    fn import(&self, a: SeededCiphertext) -> Result<Self::Cipher, Self::Error>;

    /// Gives a ciphertext back for a client.
    ///
    /// # Errors
    /// When it cannot be brought to the host.
    fn export(&self, a: Self::Cipher) -> Result<Ciphertext, Self::Error>;

    /// Takes a value that another back end gave, which must be of the rings of this one.
    ///
    /// # Errors
    /// When it cannot be brought to where the back end computes.
    fn import_value(&self, a: HostValue) -> Result<Held<Self>, Self::Error>
    where
        Self: Sized;

    /// Gives a value of a type to another back end.
    ///
    /// # Errors
    /// When it cannot be brought to the host, or is not of the type.
    fn export_value(&self, a: Held<Self>, ty: &Type) -> Result<HostValue, Self::Error>
    where
        Self: Sized;
}
