//! The client: makes keys, encrypts inputs, decrypts outputs. Knows the interface of a circuit, never its weights.
//!
//! A [`Secret`] is wiped when dropped and does not print itself. Decrypted values carry noise that depends on it: whoever
//! gives them away floods them first, see [`Client::decrypt`].
//!
//! # References
//! - \[LM21\] Li, Micciancio, *On the Security of Homomorphic Encryption on Approximate Numbers*.
//!   <https://eprint.iacr.org/2020/1533>

use crate::binding;
use crate::ckks::{Ciphertext, CkksError, Decryptor, Encoder, Encryptor, Slots};
use crate::exec::HeldKeys;
use crate::params::{ParametersError, PerRing, Rings};
use crate::ports::{Arrays, PortError, PortView, check_names};
use crate::ring::Randomness;
use crate::rlwe::{EvaluationKey, RlweError, SecretKeys};
use crate::wire::{
    self, EncryptedInputs, EncryptedOutputs, EncryptedPort, KeyWriter, PackedKey, WireError,
};
use peregrine_ir::binary::Fingerprint;
use peregrine_ir::{Interface, InterfacePort, Key, KeyKind, Level, Ring};
use rayon::prelude::*;
use std::io::{Seek, Write};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The client of one circuit.
#[derive(Debug)]
pub struct Client {
    interface: Interface,
    rings: Arc<Rings>,
}

/// The secret key of each ring of one circuit.
#[derive(Clone, Debug)]
pub struct Secret {
    fingerprint: Fingerprint,
    keys: SecretKeys,
}

/// What a decryption gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Decryption {
    /// The output tensors, as the model gives them.
    pub outputs: Arrays,
    /// The tensors that were decrypted, of which the steps of the circuit's outputs made the others.
    pub decrypted: Arrays,
    /// Root mean square of the imaginary parts of all slots. Where a circuit computes with real numbers only, they are
    /// noise, as large as that of the real parts.
    pub imaginary: f64,
}

impl Client {
    /// Bits that a scaled input must stay below half the modulus.
    pub const HEADROOM_BITS: f64 = 1.0;

    /// The client of a circuit.
    ///
    /// # Errors
    /// When the engine cannot work with the circuit's rings.
    pub fn new(interface: Interface) -> Result<Self, ClientError> {
        let rings = binding::rings(interface.ring())?;
        Ok(Self { interface, rings })
    }

    /// What it knows of the circuit.
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// A fresh secret key.
    ///
    /// # Errors
    /// None that a valid interface allows.
    pub fn generate_secret(&self, randomness: &mut Randomness) -> Result<Secret, ClientError> {
        let keys = SecretKeys::generate(&self.rings, randomness)?;
        Ok(self.secret(keys))
    }

    /// Reads a secret key made for this circuit.
    ///
    /// # Errors
    /// When it was made for another one, or is damaged.
    pub fn read_secret(&self, file: &[u8]) -> Result<Secret, ClientError> {
        let fingerprint = self.interface.fingerprint();
        let keys = wire::read_secret_keys(file, &self.rings, fingerprint)?;
        Ok(self.secret(keys))
    }

    fn secret(&self, keys: SecretKeys) -> Secret {
        Secret {
            fingerprint: self.interface.fingerprint(),
            keys,
        }
    }

    /// A secret key as a file.
    ///
    /// # Errors
    /// When it was made for another circuit.
    pub fn write_secret(&self, secret: &Secret) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        let (keys, fingerprint) = (self.own(secret)?, secret.fingerprint);
        Ok(wire::write_secret_keys(keys, &self.rings, fingerprint))
    }

    /// All evaluation keys the circuit declares, in memory; made in parallel.
    ///
    /// # Errors
    /// When the secret was made for another circuit.
    pub fn evaluation_keys(
        &self,
        secret: &Secret,
        randomness: &mut Randomness,
    ) -> Result<HeldKeys, ClientError> {
        let secrets = self.own(secret)?;
        let mut jobs = self.key_jobs(randomness);
        let made = jobs
            .par_iter_mut()
            .map(|job| job.make(&self.rings, secrets));
        let made: Vec<EvaluationKey> = made.collect::<Result<_, _>>()?;
        let mut held = HeldKeys::new(self.interface.fingerprint());
        for (job, made) in jobs.iter().zip(made) {
            held.insert(job.key, job.level, made);
        }
        Ok(held)
    }

    /// Makes all evaluation keys the circuit declares and writes them to `out`.
    ///
    /// As many at once as there are threads, while those made before are written: so many keys are in memory twice over. What
    /// is written depends on `randomness` only. Calls `made(done, total)` after each key is written, in the order of the file.
    ///
    /// # Errors
    /// Those of `out`, which then holds no valid file; also when the secret was made for another circuit.
    pub fn write_evaluation_keys<W: Write + Seek>(
        &self,
        secret: &Secret,
        randomness: &mut Randomness,
        out: W,
        mut made: impl FnMut(usize, usize),
    ) -> Result<W, ClientError> {
        let (secrets, rings) = (self.own(secret)?, &*self.rings);
        let mut jobs = self.key_jobs(randomness);
        let (mut done, total) = (0, jobs.len());
        let mut writer = KeyWriter::new(out, self.interface.fingerprint(), total)?;
        let mut ready = Vec::new();
        let mut batches = jobs.chunks_mut(rayon::current_num_threads());
        loop {
            let batch = batches.next();
            let mut next = batch.is_some().then(|| Ok(Vec::new()));
            rayon::in_place_scope(|scope| {
                if let (Some(batch), Some(next)) = (batch, &mut next) {
                    let packed = |job: &mut KeyJob| job.packed(rings, secrets);
                    scope.spawn(move |_| *next = batch.par_iter_mut().map(packed).collect());
                }
                ready.drain(..).try_for_each(|key| {
                    writer.key(key)?;
                    done += 1;
                    made(done, total);
                    Ok::<_, WireError>(())
                })
            })?;
            match next {
                Some(next) => ready = next?,
                None => return Ok(writer.finish()?),
            }
        }
    }

    /// The keys to be made, in the order of the file, each with its own randomness: who makes it when does not matter.
    fn key_jobs(&self, randomness: &mut Randomness) -> Vec<KeyJob> {
        let levels = self.interface.keys().levels.iter();
        let job = |(&key, &level)| KeyJob {
            key,
            level,
            randomness: randomness.fork(),
        };
        levels.map(job).collect()
    }

    /// Encrypts tensors, given by the names of the circuit's inputs.
    ///
    /// # Errors
    /// When a tensor is missing, has another shape, holds a value that is not finite or too large for the modulus, or the
    /// secret was made for another circuit.
    pub fn encrypt(
        &self,
        secret: &Secret,
        inputs: &Arrays,
        randomness: &mut Randomness,
    ) -> Result<EncryptedInputs, ClientError> {
        let secrets = self.own(secret)?;
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
            let scale = check_range(port, self.interface.ring(), &packed)?;
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
            ports,
        })
    }

    /// What a server receives, as a file.
    pub fn write_inputs(&self, inputs: &EncryptedInputs) -> Vec<u8> {
        wire::write_inputs(inputs, &self.rings)
    }

    /// Reads what a server answered.
    ///
    /// # Errors
    /// When it is from another circuit, or damaged.
    pub fn read_outputs(&self, file: &[u8]) -> Result<EncryptedOutputs, ClientError> {
        Ok(wire::read_outputs(file, &self.interface, &self.rings)?)
    }

    /// Decrypts outputs and takes the steps that the circuit leaves to the client.
    ///
    /// With `flood`, Gaussian noise of standard deviation `2^-flood` is added to every value: numbers that go to anyone
    /// else must be flooded well above the noise of the scheme, or they leak the secret key. Noise comes before the steps.
    ///
    /// # Errors
    /// When they are from another circuit, the secret was made for another one, or what comes out fills the modulus: the
    /// key is wrong or the message overflowed.
    pub fn decrypt(
        &self,
        secret: &Secret,
        outputs: &EncryptedOutputs,
        flood: Option<Flood<'_>>,
    ) -> Result<Decryption, ClientError> {
        let secrets = self.own(secret)?;
        check_circuit("the ciphertext", outputs.fingerprint, &self.interface)?;
        let decryptors = self.rings.params().zip(secrets, Decryptor::new);
        let (mut arrays, mut squares, mut count) = (Arrays::new(), 0.0, 0usize);
        let mut finished = Arrays::new();
        let mut flood = flood;
        for (port, encrypted) in self.interface.outputs().iter().zip(&outputs.ports) {
            let slots = self.decrypt_port(&decryptors, port, &encrypted.ciphertexts)?;
            let all = slots.iter().flat_map(|slots| slots.iter());
            squares += all.map(|z| z.im * z.im).sum::<f64>();
            count += slots.iter().map(|slots| slots.len()).sum::<usize>();
            // Slots beside the tensor are nobody's but the secret key's: wiped, as all are.
            let mut real: Zeroizing<Vec<Vec<f64>>> = Zeroizing::default();
            for slots in slots {
                real.push(slots.iter().map(|z| z.re).collect());
            }
            if let Some(flood) = &mut flood {
                real.iter_mut().flatten().for_each(|x| *x += flood.draw());
            }
            let array = view(port).unpack(&real)?;
            finished.insert(port.name.clone(), array.finished(&port.finish)?);
            arrays.insert(port.name.clone(), array);
        }
        Ok(Decryption {
            outputs: finished,
            decrypted: arrays,
            imaginary: (squares / count.max(1) as f64).sqrt(),
        })
    }

    fn decrypt_port(
        &self,
        decryptors: &PerRing<Decryptor>,
        port: &InterfacePort,
        ciphertexts: &[Ciphertext],
    ) -> Result<Vec<Slots>, ClientError> {
        let scale = scale(port, self.interface.ring())?;
        let decryptor = decryptors.at(binding::level(port.level));
        let decrypted = ciphertexts.par_iter().map(|c| decryptor.decrypt(c, scale));
        let failed = |source| ClientError::Decrypt {
            output: port.name.clone(),
            source,
        };
        decrypted.collect::<Result<_, _>>().map_err(failed)
    }

    fn own<'s>(&self, secret: &'s Secret) -> Result<&'s SecretKeys, ClientError> {
        check_circuit("the secret key", secret.fingerprint, &self.interface)?;
        Ok(&secret.keys)
    }
}

/// An evaluation key to be made.
struct KeyJob {
    key: Key,
    level: Level,
    randomness: Randomness,
}

impl KeyJob {
    fn make(&mut self, rings: &Rings, secrets: &SecretKeys) -> Result<EvaluationKey, ClientError> {
        let (level, randomness) = (binding::level(self.level), &mut self.randomness);
        if self.key.kind == KeyKind::RingSwitch {
            let made = EvaluationKey::for_ring_switch(rings, secrets, level, randomness);
            return Ok(made?);
        }
        let (params, secret) = (rings.at(level), secrets.at(level));
        let kind = binding::key_kind(params, self.key.kind);
        let made = EvaluationKey::generate(params, secret, kind, level, randomness);
        Ok(made?)
    }

    fn packed(&mut self, rings: &Rings, secrets: &SecretKeys) -> Result<PackedKey, ClientError> {
        let made = self.make(rings, secrets)?;
        let params = binding::key_parameters(rings, self.key).ok_or(RlweError::NoSmallRing)?;
        Ok(PackedKey::new(params, self.key.kind, self.level, &made))
    }
}

/// Noise to hide the noise of the scheme: normal numbers, each from 128 bits of its own.
///
/// They are doubles, not samples of the exact distribution: none exceeds 8.6 deviations, and the last bits of a sum are those
/// of a rounding. How large they must be is in `SECURITY.md`.
#[derive(Debug)]
pub struct Flood<'r> {
    /// The standard deviation is 2 to the minus this.
    pub bits: f64,
    /// Where it comes from.
    pub randomness: &'r mut Randomness,
}

impl Flood<'_> {
    /// A normal number, by Box and Muller's transform.
    fn draw(&mut self) -> f64 {
        let bits = self.randomness.seed().0;
        let unit = |word: u64| ((word >> 11) + 1) as f64 / (1u64 << 53) as f64;
        let (radius, turn) = (unit(bits as u64), unit((bits >> 64) as u64));
        let normal = (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * turn).cos();
        normal * (-self.bits).exp2()
    }
}

fn view(port: &InterfacePort) -> PortView<'_> {
    PortView {
        name: &port.name,
        shape: &port.shape,
        layout: &port.layout,
    }
}

fn scale(port: &InterfacePort, ring: &Ring) -> Result<f64, ClientError> {
    let value = port.scale.value(&ring.primes);
    value.ok_or_else(|| ClientError::Scale {
        port: port.name.clone(),
    })
}

/// Whether values times the scale stay below the modulus with headroom; the scale.
fn check_range(port: &InterfacePort, ring: &Ring, packed: &[Vec<f64>]) -> Result<f64, ClientError> {
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

fn check_circuit(
    what: &'static str,
    found: Fingerprint,
    interface: &Interface,
) -> Result<(), ClientError> {
    let expected = interface.fingerprint();
    if found == expected {
        return Ok(());
    }
    Err(ClientError::Foreign {
        what,
        found,
        expected,
    })
}

/// Why the client cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The engine cannot work in the circuit's ring.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// A tensor is wrong.
    #[error(transparent)]
    Input(#[from] PortError),
    /// An input value does not fit the modulus.
    #[error(
        "input `{input}` holds {value:e}, the largest magnitude that can be encrypted is {limit:.4e}"
    )]
    TooLarge {
        /// Name of the input.
        input: String,
        /// The value.
        value: f64,
        /// The limit.
        limit: f64,
    },
    /// Something that belongs to another circuit.
    #[error("{what} belongs to circuit {found}, expected one for circuit {expected}")]
    Foreign {
        /// What it is.
        what: &'static str,
        /// Its circuit.
        found: Fingerprint,
        /// The circuit of this client.
        expected: Fingerprint,
    },
    /// An output that does not decrypt.
    #[error("output `{output}`: {source}")]
    Decrypt {
        /// Name of the output.
        output: String,
        /// What the engine says.
        source: CkksError,
    },
    /// A scale that is not a number; no checked interface has one.
    #[error("internal error: the scale of `{port}` is not a number")]
    Scale {
        /// The port.
        port: String,
    },
    /// A file is not what it should be.
    #[error(transparent)]
    File(#[from] WireError),
    /// The engine refused.
    #[error(transparent)]
    Rlwe(#[from] RlweError),
    /// The engine refused.
    #[error(transparent)]
    Ckks(#[from] CkksError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floods_are_normal_with_the_deviation_asked_for() {
        for bits in [12.0, 0.5, -3.0] {
            let mut randomness = Randomness::from_seed_for_tests(1);
            let mut flood = Flood {
                bits,
                randomness: &mut randomness,
            };
            let draws: Vec<f64> = (0..1 << 16).map(|_| flood.draw() * bits.exp2()).collect();
            let mean =
                |f: fn(f64) -> f64| draws.iter().map(|&x| f(x)).sum::<f64>() / draws.len() as f64;
            // Four deviations of each estimate from what a normal distribution has.
            assert!(mean(|x| x).abs() < 0.016);
            assert!((mean(|x| x * x) - 1.0).abs() < 0.023);
            assert!((mean(|x| x.powi(4)) - 3.0).abs() < 0.16);
            assert!((mean(|x| f64::from(x.abs() < 1.0)) - 0.6827).abs() < 0.008);
            assert!((mean(|x| f64::from(x.abs() > 3.0)) - 0.0027).abs() < 0.0009);
        }
    }
}
