//! The verifier: every rule a circuit must obey before anyone executes, ships or encrypts for it.
//!
//! [`verify`] checks all of the following and reports every breach, each with the entity, the ONNX node it serves and
//! a typed cause. Its verdict is a [`Verified`], which the executor, the client and the file writers ask for: a verified
//! circuit makes none of them panic.
//!
//! **Rings.** There is a ring; degrees are 2^3 to 2^17, the unit of scales at most 2^4096. Primes are prime, below 2^50, 1 modulo 2N
//! for the largest degree N, and differ over pool and special primes. There is a level; each is of a ring that exists and names
//! existing primes, each once and at least one; moduli of the levels of one ring ascend strictly. The digits of a ring partition the
//! primes of its levels, its special primes exist and ascend. At most [`MAX_ROWS`] of each.
//!
//! **Security.** `128` bounds, for each ring, log2 of the product of the primes of its levels and of its special primes by
//! [`Security::max_modulus_bits`] of its degree.
//!
//! **Tables.** The circuit's name is an identifier; no name exceeds [`MAX_NAME`] bytes, no shape [`MAX_RANK`] axes. Remarks
//! are about nodes that exist, and have at most [`MAX_REMARK`] characters, none a control character. Layouts
//! have as many slots as a ring, operators the same on both sides, and layouts at most [`MAX_CIPHERTEXTS`] ciphertexts together. Linear maps pass [`LinearMap::check`], broadcasts
//! broadcast; their shapes are those their layouts pack; gather tables stay below [`MAX_TABLE`] entries. A constant names an
//! operator of its kind, ciphertexts that exist, and rotations below N/2.
//!
//! **Functions.** At most [`MAX_FUNCTIONS`], named by identifiers that differ. Their bodies stand one after the other before the main
//! program, and none is empty. A body begins with its parameters; its results are ciphertexts of its own, at least one. Instructions use
//! values of their own body, and a body calls functions before it. Digits are passed only beside the argument they belong to.
//! Further results of a call follow it directly, in order. A run executes at most [`MAX_EXECUTED`] instructions, calls
//! stand at most [`MAX_NESTING`] deep within each other.
//!
//! **Values.** At most [`MAX_VALUES`]. Operands are defined earlier. The type stated is the one [`result_type`] gives, and its
//! scale can be computed with. Every instruction of the main program but inputs serves an existing node, no other does. Digits belong to the very
//! ciphertext they are used with. A constant exists, has the slots of the ring it is used in, and is of the kind its operation takes: one with slots is encoded, a uniform
//! one multiplies in a `dot_scalar`. Times its scale it stays below the modulus, as does the factor of `mul_scalar`.
//!
//! **Keys.** Where keys are used there are special primes, and their product is at least that of each digit: key
//! switching divides noise of the size of a digit by it; so in each ring. Levels of keys exist, rotations are 1 to N/2 - 1, keys that
//! switch rings lead to a ring of another degree or another kind of secret. Every use has
//! a declared key whose primes include those of the level of use. Every declared key is used, and declared at exactly
//! its highest level of use.
//!
//! **Ports.** Names differ within inputs and within outputs and are not empty. The shape is the one the layout packs; there is
//! one two-part ciphertext per ciphertext of the layout, all of one type. The values of input ports are exactly the
//! `input` instructions, each once. There is an output. What follows decryption fits the tensor: axes and positions exist,
//! reshapes keep the number of elements, only movements follow integers; at most [`Finish::MAX_STEPS`] steps, none for inputs.
//! What precedes encryption gives the tensor that is packed, in as many steps, none for outputs.
//! A fragment has imports and exports instead, each listed once on its side: its imports are exactly its inputs.
//! Ranges are of inputs, with finite ends in order; expectations are of outputs, with finite magnitude and positive finite noise;
//! limits of imaginary parts are of outputs, positive and finite.
//!
//! Not checked: that messages keep headroom below the modulus, that noise stays small, that the zeros a layout promises
//! are zero, that the coefficients behind a uniform constant agree, that the circuit computes what its nodes say, and that tables
//! hold nothing unused.
//!
//! Cost: O(size of the circuit) operations on scales.
//!
//! [`Finish::MAX_STEPS`]: crate::Finish::MAX_STEPS
//! [`Security::max_modulus_bits`]: crate::Security::max_modulus_bits
//! [`LinearMap::check`]: crate::linear::LinearMap::check
//! [`result_type`]: crate::typing::result_type

pub(crate) mod error;
mod functions;
pub(crate) mod keys;
mod links;
pub(crate) mod ports;
pub(crate) mod ring;
pub(crate) mod tables;
mod values;

pub use error::{Cause, Subject, VerifyError, VerifyErrors};
pub use functions::{FunctionError, MAX_EXECUTED, MAX_FUNCTIONS, MAX_NESTING};
pub use keys::KeyError;
pub use links::LinkError;
pub use ports::PortError;
pub use ring::{MAX_ROWS, RingError};
pub use tables::{
    MAX_CIPHERTEXTS, MAX_NAME, MAX_RANK, MAX_REMARK, MAX_TABLE, TableError, is_identifier,
};
pub use values::{MAX_VALUES, ValueError};

use crate::circuit::Circuit;
use crate::expectation::{Expectation, InputRange};
use error::Report;
use std::collections::BTreeMap;
use std::ops::Deref;

/// A circuit that obeys every rule of this module.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified(Circuit);

impl Verified {
    /// The circuit, without the proof that it is verified: for changing it and verifying it again.
    pub fn into_inner(self) -> Circuit {
        self.0
    }

    /// The circuit with other ranges of its inputs and other expectations of its outputs, by name of the port; ports without an
    /// entry keep theirs. Nothing else in a circuit depends on these.
    ///
    /// # Errors
    /// When a range or an expectation breaks a rule.
    pub fn expecting(
        self,
        inputs: &BTreeMap<String, InputRange>,
        outputs: &BTreeMap<String, Expectation>,
    ) -> Result<Self, VerifyErrors> {
        let Self(mut circuit) = self;
        for port in &mut circuit.inputs {
            port.range = inputs.get(&port.name).copied().or(port.range);
        }
        for port in &mut circuit.outputs {
            let expected = outputs.get(&port.name).copied();
            port.expectation = expected.or(port.expectation);
        }
        let mut report = Report::default();
        ports::check(&circuit, &mut report);
        report.verdict(&circuit)?;
        Ok(Self(circuit))
    }
}

impl Deref for Verified {
    type Target = Circuit;

    fn deref(&self) -> &Circuit {
        &self.0
    }
}

/// Verifies a circuit: checks every rule of this module.
///
/// # Errors
/// All breaches, in the order of the circuit's tables.
pub fn verify(circuit: Circuit) -> Result<Verified, VerifyErrors> {
    check(&circuit)?;
    Ok(Verified(circuit))
}

/// Checks every rule of this module, by reference.
///
/// # Errors
/// All breaches, in the order of the circuit's tables.
pub fn check(circuit: &Circuit) -> Result<(), VerifyErrors> {
    let mut report = Report::default();
    if !ring::check(&circuit.rings, &mut report) {
        // Slots, and with them every other rule, make no sense.
        return report.verdict(circuit);
    }
    ring::check_security(&circuit.rings, &circuit.keys, circuit.security, &mut report);
    tables::check(circuit, &mut report);
    if !functions::check(circuit, &mut report) {
        // Nobody can say which instruction belongs to which body.
        return report.verdict(circuit);
    }
    values::check(circuit, &mut report);
    keys::check(circuit, &mut report);
    ports::check(circuit, &mut report);
    links::check(circuit, &mut report);
    report.verdict(circuit)
}
