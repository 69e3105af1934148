//! What a client needs of a circuit, and nothing else: no weights, no operators, no instructions.
//!
//! The client makes keys, encrypts inputs and decrypts outputs from it. It carries the fingerprint of its circuit, so
//! that files of different circuits cannot be mixed.

mod part;

pub(crate) use part::PublicPart;
pub use part::{InterfaceError, InterfacePort, given_shape};

use crate::binary::{self, Fingerprint, PrivateHash};
use crate::circuit::Keys;
use crate::ring::{RingTable, Security};
use crate::verify::Verified;
use part::check;

/// The public part of a verified circuit.
#[derive(Clone, Debug, PartialEq)]
pub struct Interface {
    part: PublicPart,
    private: PrivateHash,
    fingerprint: Fingerprint,
}

impl Interface {
    /// The interface of a circuit.
    pub fn of(circuit: &Verified) -> Self {
        let (part, public, private) = binary::split(circuit);
        let private = PrivateHash::of(&private);
        Self {
            part,
            private,
            fingerprint: Fingerprint::of(&public, private),
        }
    }

    /// Checks a public part that was read from a file.
    pub(crate) fn checked(
        part: PublicPart,
        private: PrivateHash,
        fingerprint: Fingerprint,
    ) -> Result<Self, InterfaceError> {
        check(&part)?;
        Ok(Self {
            part,
            private,
            fingerprint,
        })
    }

    pub(crate) fn part(&self) -> (&PublicPart, PrivateHash) {
        (&self.part, self.private)
    }

    /// Name of the circuit.
    pub fn name(&self) -> &str {
        &self.part.name
    }

    /// What the parameters promise.
    pub fn security(&self) -> Security {
        self.part.security
    }

    /// Degree and moduli.
    pub fn rings(&self) -> &RingTable {
        &self.part.rings
    }

    /// The evaluation keys the server needs.
    pub fn keys(&self) -> &Keys {
        &self.part.keys
    }

    /// The tensors to encrypt, in the circuit's order.
    pub fn inputs(&self) -> &[InterfacePort] {
        &self.part.inputs
    }

    /// The tensors to decrypt, in the circuit's order.
    pub fn outputs(&self) -> &[InterfacePort] {
        &self.part.outputs
    }

    /// The circuit it belongs to.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}
