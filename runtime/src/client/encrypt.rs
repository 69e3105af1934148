//! Inputs: packed, checked against the modulus, encrypted.

use super::{Client, ClientError, Secret, scale, view};
use crate::binding;
use crate::ckks::{CkksError, Encoder, Encryptor};
use crate::ports::{Arrays, check_names};
use crate::range::Outlier;
use crate::ring::Randomness;
use crate::wire::{self, EncryptedInputs, EncryptedPort};
use peregrine_ir::{InterfacePort, RingTable, Security};
use rayon::prelude::*;

impl Client {
    /// Bits of the modulus that a scaled input leaves free, below half of it.
    pub const HEADROOM_BITS: f64 = 1.0;

    /// Oddities of tensors that [`Self::encrypt`] takes all the same: values just outside the range of their input, or outside
    /// a range that nobody vouches for, or on another scale.
    ///
    /// # Errors
    /// As [`Self::encrypt`] as far as the tensors are concerned.
    pub fn oddities(&self, inputs: &Arrays) -> Result<Vec<Outlier>, ClientError> {
        let ports = self.interface.inputs().iter();
        check_names(inputs, ports.clone().map(|p| p.name.as_str()))?;
        let odd = ports.map(|port| Ok(view(port).checked(inputs)?.1));
        let odd: Result<Vec<_>, ClientError> = odd.collect();
        Ok(odd?.into_iter().flatten().collect())
    }

    /// Encrypts tensors, given by the names of the circuit's inputs.
    ///
    /// # Errors
    /// When a tensor is missing, has another shape, or holds a value that is not finite, too large for the modulus or far
    /// outside the range of its input.
    pub fn encrypt(
        &self,
        secret: &Secret,
        inputs: &Arrays,
        randomness: &mut Randomness,
    ) -> Result<EncryptedInputs, ClientError> {
        let secrets = &self.own(secret)?;
        check_names(
            inputs,
            self.interface.inputs().iter().map(|p| p.name.as_str()),
        )?;
        let tools = self.rings.params().zip(secrets, |params, secret| {
            (Encoder::new(params), Encryptor::new(params, secret))
        });
        let mut ports = Vec::new();
        for port in self.interface.inputs() {
            let packed = view(port).pack(inputs)?;
            let scale = check_range(port, self.interface.rings(), &packed)?;
            check_security(secret, port, self.interface.rings())?;
            let level = binding::level(port.level);
            let row = self.rings.at(level).row(level)?;
            let (encoder, encryptor) = tools.at(level);
            let work: Vec<_> = packed.into_iter().map(|s| (s, randomness.fork())).collect();
            let encrypted = work.into_par_iter().map(|(slots, mut randomness)| {
                let plain = encoder.encode_real(&slots, scale, row)?;
                encryptor.encrypt(&plain, level, &mut randomness)
            });
            ports.push(EncryptedPort {
                name: port.name.clone(),
                level: port.level,
                ciphertexts: encrypted.collect::<Result<_, CkksError>>()?,
            });
        }
        Ok(EncryptedInputs {
            fingerprint: self.interface.fingerprint(),
            key_pair: secret.key_pair,
            ports,
        })
    }

    /// Encrypted inputs as the bytes of the file that a server reads.
    pub fn write_inputs(&self, inputs: &EncryptedInputs) -> Vec<u8> {
        wire::write_inputs(inputs, &self.rings)
    }
}

/// Whether a secret that promises security may encrypt modulo the primes of a port.
fn check_security(
    secret: &Secret,
    port: &InterfacePort,
    ring: &RingTable,
) -> Result<(), ClientError> {
    let bits = ring.level_bits(port.level).unwrap_or(f64::INFINITY);
    let log_n = ring.at(port.level).log_n();
    let limit = Security::max_modulus_bits(log_n).unwrap_or(0);
    match secret.security {
        Security::Classical128 if bits > f64::from(limit) => Err(ClientError::Insecure {
            input: port.name.clone(),
            log_n,
            bits,
            limit,
        }),
        Security::Classical128 | Security::None => Ok(()),
    }
}

/// Whether values times the scale stay below the modulus with headroom; the scale.
fn check_range(
    port: &InterfacePort,
    ring: &RingTable,
    packed: &[Vec<f64>],
) -> Result<f64, ClientError> {
    let scale = scale(port, ring)?;
    let modulus_bits = ring.level_bits(port.level).unwrap_or(0.0);
    let limit = (modulus_bits - 1.0 - Client::HEADROOM_BITS - scale.log2()).exp2();
    match packed.iter().flatten().find(|x| x.abs() > limit) {
        None => Ok(scale),
        Some(&value) => Err(ClientError::TooLarge {
            input: port.name.clone(),
            value,
            limit,
        }),
    }
}
