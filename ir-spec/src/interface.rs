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

/// The interface of a circuit: what a client needs of it to make keys, encrypt inputs and decrypt outputs. It is the
/// public part of a verified circuit with the circuit's fingerprint.
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

    /// The name of the circuit.
    pub fn name(&self) -> &str {
        &self.part.name
    }

    /// The security that the circuit's parameters promise.
    pub fn security(&self) -> Security {
        self.part.security
    }

    /// The rings: degrees, primes and levels.
    pub fn rings(&self) -> &RingTable {
        &self.part.rings
    }

    /// The evaluation keys that the server needs.
    pub fn keys(&self) -> &Keys {
        &self.part.keys
    }

    /// The input tensors, which the client encrypts, in the circuit's order.
    pub fn inputs(&self) -> &[InterfacePort] {
        &self.part.inputs
    }

    /// The output tensors, which the client decrypts, in the circuit's order.
    pub fn outputs(&self) -> &[InterfacePort] {
        &self.part.outputs
    }

    /// The fingerprint of the circuit.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}
