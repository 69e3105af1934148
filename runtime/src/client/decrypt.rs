//! Outputs: decrypted, flooded where they are given away, finished.

use super::{Client, ClientError, Flood, Secret, check_circuit, scale, view};
use crate::binding;
use crate::ckks::{Ciphertext, Decryptor, Slots};
use crate::params::PerRing;
use crate::ports::Arrays;
use crate::verdict::{Fault, Reading, Spread};
use crate::wire::{self, EncryptedOutputs};
use peregrine_ir::InterfacePort;
use rayon::prelude::*;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// What a decryption gives: output tensors, and whether they are an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decryption {
    /// The output tensors, as the model gives them.
    pub outputs: Arrays,
    /// The tensors that were decrypted, of which the steps of the circuit's outputs made the others.
    pub decrypted: Arrays,
    /// Root mean square of the imaginary parts of all slots. Where a circuit computes with real numbers only, these are noise,
    /// as large as that of the real parts.
    pub imaginary: f64,
    /// What the slots of each output show, before any flood.
    pub readings: BTreeMap<String, Reading>,
    /// Why the outputs are garbage; empty where they are an answer.
    pub faults: Vec<Fault>,
}

impl Client {
    /// Reads the file of encrypted outputs that a server wrote.
    ///
    /// # Errors
    /// When it is from another circuit, or damaged.
    pub fn read_outputs(&self, file: &[u8]) -> Result<EncryptedOutputs, ClientError> {
        Ok(wire::read_outputs(file, &self.interface, &self.rings)?)
    }

    /// Decrypts outputs and takes the steps that the circuit leaves to the client.
    ///
    /// What is decrypted may be garbage: [`Decryption::faults`] says so, by the rule of [`crate::verdict`].
    ///
    /// With `flood`, Gaussian noise of standard deviation `2^-flood` is added to every value: numbers that go to anyone
    /// else must be flooded well above the noise of the scheme, or they leak the secret key. Noise comes before the steps.
    ///
    /// # Errors
    /// When they are from another circuit or encrypted under another key, or what comes out fills the modulus: the message
    /// overflowed.
    pub fn decrypt(
        &self,
        secret: &Secret,
        outputs: &EncryptedOutputs,
        flood: Option<Flood<'_>>,
    ) -> Result<Decryption, ClientError> {
        check_circuit("the ciphertext", outputs.fingerprint, &self.interface)?;
        if outputs.key_pair != secret.key_pair {
            return Err(ClientError::KeyPair {
                what: "the ciphertexts were encrypted under",
                found: outputs.key_pair,
                expected: secret.key_pair,
            });
        }
        let secrets = &self.own(secret)?;
        let decryptors = self.rings.params().zip(secrets, Decryptor::new);
        let mut found = Decryption::default();
        let mut imaginary = Spread::default();
        let mut flood = flood;
        for (port, encrypted) in self.interface.outputs().iter().zip(&outputs.ports) {
            let slots = self.decrypt_port(&decryptors, port, &encrypted.ciphertexts)?;
            let reading = self.read(port, &slots)?;
            let expected = port.expectation.as_ref();
            found.faults.extend(reading.fault(&port.name, expected));
            found.readings.insert(port.name.clone(), reading);
            if port.imaginary.is_none() {
                imaginary = imaginary.join(reading.imaginary);
            }
            // Slots beside the tensor are nobody's but the secret key's: wiped, as all are.
            let mut real: Zeroizing<Vec<Vec<f64>>> = Zeroizing::default();
            for slots in slots {
                real.push(slots.iter().map(|z| z.re).collect());
            }
            if let Some(flood) = &mut flood {
                real.iter_mut().flatten().for_each(|x| *x += flood.draw());
            }
            let array = view(port).unpack(&real)?;
            let finished = array.finished(&port.finish)?;
            found.outputs.insert(port.name.clone(), finished);
            found.decrypted.insert(port.name.clone(), array);
        }
        found.imaginary = imaginary.deviation;
        Ok(found)
    }

    /// The reading of the slots of an output.
    fn read(&self, port: &InterfacePort, slots: &[Slots]) -> Result<Reading, ClientError> {
        let ring = self.interface.rings();
        let modulus_bits = ring.level_bits(port.level).unwrap_or(0.0);
        let limit = (modulus_bits - 1.0 - scale(port, ring)?.log2()).exp2();
        Ok(Reading::of(&port.layout, slots, limit, port.imaginary))
    }

    fn decrypt_port(
        &self,
        decryptors: &PerRing<Decryptor>,
        port: &InterfacePort,
        ciphertexts: &[Ciphertext],
    ) -> Result<Vec<Slots>, ClientError> {
        let scale = scale(port, self.interface.rings())?;
        let decryptor = decryptors.at(binding::level(port.level));
        let decrypted = ciphertexts.par_iter().map(|c| decryptor.decrypt(c, scale));
        let failed = |source| ClientError::Decrypt {
            output: port.name.clone(),
            source,
        };
        decrypted.collect::<Result<_, _>>().map_err(failed)
    }
}
