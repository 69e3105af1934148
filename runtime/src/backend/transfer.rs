//! Ciphertexts on their way from a client to a back end and back.

use crate::ckks::{Ciphertext, SeededCiphertext};
use crate::exec::Evaluator;

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
}
