//! Transfer of values from the host to a back end and back.

use crate::ckks::{Ciphertext, SeededCiphertext};
use crate::exec::{Evaluator, Held};
use crate::wire::HostValue;
use peregrine_ir::Type;

/// A back end that computes on ciphertexts of clients. Only here must ciphertexts be in the memory of the host.
pub trait Transfer: Evaluator {
    /// Imports a ciphertext of a client. The half that is a seed is expanded where the back end keeps it.
    ///
    /// # Errors
    /// When it is not of the rings of the back end.
    fn import(&self, a: SeededCiphertext) -> Result<Self::Cipher, Self::Error>;

    /// Exports a ciphertext for a client.
    ///
    /// # Errors
    /// When it cannot be brought to the host.
    fn export(&self, a: Self::Cipher) -> Result<Ciphertext, Self::Error>;

    /// Imports a value that another back end has exported, which must be of the rings of this one.
    ///
    /// # Errors
    /// When it cannot be brought to where the back end computes.
    fn import_value(&self, a: HostValue) -> Result<Held<Self>, Self::Error>
    where
        Self: Sized;

    /// Exports a value of a type for another back end.
    ///
    /// # Errors
    /// When it cannot be brought to the host, or is not of the type.
    fn export_value(&self, a: Held<Self>, ty: &Type) -> Result<HostValue, Self::Error>
    where
        Self: Sized;
}
