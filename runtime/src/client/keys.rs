//! Evaluation keys: made from a secret, in memory or into a file.

use super::{Client, ClientError, KeyOrder, Secret};
use crate::backend::cpu::HeldKeys;
use crate::binding;
use crate::params::ParametersError;
use crate::ring::{Randomness, Ring};
use crate::rlwe::{EvaluationKey, RlweError, SecretKey};
use crate::wire::{KeyFile, KeyWriter, PackedKey, WireError};
use peregrine_ir::{Entity, Key, KeyKind, KeyShape, Level, SecretId};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Seek, Write};
use std::sync::Arc;

impl Client {
    /// Makes all evaluation keys that the circuit declares, in memory and in parallel.
    ///
    /// # Errors
    /// None that a valid interface allows.
    pub fn evaluation_keys(
        &self,
        secret: &Secret,
        randomness: &mut Randomness,
    ) -> Result<HeldKeys, ClientError> {
        let order = KeyOrder::covering([&self.interface])?;
        let maker = Maker::new(secret, order.shapes(), &self.known_rings())?;
        let mut jobs = jobs(order.shapes(), randomness);
        let made = jobs.par_iter_mut().map(|job| job.make(&maker));
        let made: Vec<EvaluationKey> = made.collect::<Result<_, _>>()?;
        let mut held = HeldKeys::new(secret.key_pair, &self.rings);
        let declared = self.interface.keys().levels.iter();
        for (((&key, &level), job), made) in declared.zip(&jobs).zip(made) {
            let primes = maker.primes(job.shape, &made)?;
            let placed = self.placed((key, level), (job.shape, &primes), &made)?;
            held.insert(key, level, placed);
        }
        Ok(held)
    }

    /// A key with limbs of these primes, in the numbers of the circuit's rings.
    fn placed(
        &self,
        (key, level): (Key, Level),
        made_as: (&KeyShape, &[u64]),
        made: &EvaluationKey,
    ) -> Result<EvaluationKey, ClientError> {
        let params = binding::key_parameters(&self.rings, key);
        let params = params.ok_or(RlweError::NoRingSwitch {
            from: key.from.index(),
            to: key.to.index(),
        })?;
        let placement = binding::placement(params, (key.kind, level), made_as)?;
        Ok(made.placed(params, &placement)?)
    }

    /// Makes all evaluation keys the circuit declares and writes them to `out`: [`Secret::write_evaluation_keys`].
    ///
    /// # Errors
    /// Those of `out`, which then holds no valid file.
    pub fn write_evaluation_keys<W: Write + Seek>(
        &self,
        secret: &Secret,
        randomness: &mut Randomness,
        out: W,
        made: impl FnMut(usize, usize),
    ) -> Result<W, ClientError> {
        let order = KeyOrder::covering([&self.interface])?;
        let maker = Maker::new(secret, order.shapes(), &self.known_rings())?;
        write(&maker, &order, &[], randomness, out, made)
    }

    fn known_rings(&self) -> Vec<Arc<Ring>> {
        let rings = self.rings.params().iter();
        rings.map(|params| params.shared_ring().clone()).collect()
    }
}

impl Secret {
    /// Copies the keys of files of this key pair to `out`, makes all evaluation keys that are ordered and writes them after
    /// those.
    ///
    /// As many are made at once as there are threads, while those made before are written: so many keys are in memory twice over. What
    /// is written depends on the files and `randomness` only. Calls `made(done, total)` after each key is written, in the order of the
    /// file.
    ///
    /// # Errors
    /// Those of `out`, which then holds no valid file; when a kept file is of another pair or damaged.
    pub fn write_evaluation_keys<W: Write + Seek>(
        &self,
        order: &KeyOrder,
        kept: &[&KeyFile],
        randomness: &mut Randomness,
        out: W,
        made: impl FnMut(usize, usize),
    ) -> Result<W, ClientError> {
        let maker = Maker::new(self, order.shapes(), &[])?;
        write(&maker, order, kept, randomness, out, made)
    }

    /// Checks that the evaluation keys of a file are of this key pair.
    ///
    /// # Errors
    /// When they are not.
    pub fn check_pair(&self, file: &KeyFile) -> Result<(), ClientError> {
        let (found, expected) = (file.key_pair(), self.key_pair);
        match found == expected {
            true => Ok(()),
            false => Err(ClientError::KeyPair {
                what: "the evaluation keys belong to",
                found,
                expected,
            }),
        }
    }
}

fn write<W: Write + Seek>(
    maker: &Maker<'_>,
    order: &KeyOrder,
    kept: &[&KeyFile],
    randomness: &mut Randomness,
    out: W,
    mut made: impl FnMut(usize, usize),
) -> Result<W, ClientError> {
    kept.iter()
        .try_for_each(|file| maker.secret.check_pair(file))?;
    let copies = kept
        .iter()
        .flat_map(|file| (0..file.shapes().len()).map(move |i| (*file, i)));
    let mut jobs = jobs(order.shapes(), randomness);
    let (mut done, total) = (0, jobs.len() + copies.clone().count());
    let mut writer = KeyWriter::new(out, maker.secret.key_pair, total)?;
    for (file, index) in copies {
        writer.copy(file, index)?;
        done += 1;
        made(done, total);
    }
    let mut ready = Vec::new();
    let mut batches = jobs.chunks_mut(rayon::current_num_threads());
    loop {
        let batch = batches.next();
        let mut next = batch.is_some().then(|| Ok(Vec::new()));
        rayon::in_place_scope(|scope| {
            if let (Some(batch), Some(next)) = (batch, &mut next) {
                let packed = |job: &mut KeyJob<'_>| job.packed(maker);
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

/// What keys are made with: rings that have all their primes, and the secret in each of these.
struct Maker<'s> {
    secret: &'s Secret,
    /// By log2 of the degree.
    rings: BTreeMap<u32, Arc<Ring>>,
    secrets: BTreeMap<SecretId, SecretKey>,
}

impl<'s> Maker<'s> {
    /// For keys of these shapes; of the known rings those are taken that serve.
    fn new(
        secret: &'s Secret,
        shapes: &[KeyShape],
        known: &[Arc<Ring>],
    ) -> Result<Self, ClientError> {
        let mut primes: BTreeMap<u32, BTreeSet<u64>> = BTreeMap::new();
        for shape in shapes {
            shape
                .check_security(secret.security)
                .map_err(WireError::from)?;
            for secret in [shape.from_secret(), shape.to_secret()] {
                primes
                    .entry(secret.log_n)
                    .or_default()
                    .extend(shape.primes());
            }
        }
        let ring = |(log_n, primes): (u32, BTreeSet<u64>)| {
            let has = |ring: &&Arc<Ring>| {
                let own: BTreeSet<u64> = ring.moduli().iter().map(|m| m.value()).collect();
                ring.log_n() == log_n && own.is_superset(&primes)
            };
            let ring = match known.iter().find(has) {
                Some(ring) => ring.clone(),
                None => {
                    let primes: Vec<u64> = primes.into_iter().collect();
                    Arc::new(Ring::new(log_n, &primes).map_err(ParametersError::from)?)
                }
            };
            Ok((log_n, ring))
        };
        let rings = primes.into_iter().map(ring);
        let rings = rings.collect::<Result<BTreeMap<_, _>, ClientError>>()?;
        let used = shapes.iter();
        let used = used.flat_map(|shape| [shape.from_secret(), shape.to_secret()]);
        let used: BTreeSet<SecretId> = used.collect();
        let own = |id: SecretId| {
            let log_n = id.log_n;
            let ring = rings.get(&log_n).ok_or(ClientError::NoDegree { log_n })?;
            Ok((id, secret.over(ring, id.kind)?))
        };
        let secrets = used.into_iter().map(own);
        Ok(Self {
            secret,
            secrets: secrets.collect::<Result<_, ClientError>>()?,
            rings,
        })
    }

    /// The primes of the limbs of a key that was made here.
    fn primes(&self, shape: &KeyShape, made: &EvaluationKey) -> Result<Vec<u64>, ClientError> {
        let ring = self.larger(shape)?;
        let primes = made.basis().primes().iter();
        Ok(primes.map(|&prime| ring.modulus(prime).value()).collect())
    }

    /// The ring of the degree of a key.
    fn larger(&self, shape: &KeyShape) -> Result<&Ring, ClientError> {
        let log_n = shape.log_n();
        let ring = self.rings.get(&log_n);
        Ok(ring.ok_or(ClientError::NoDegree { log_n })?)
    }

    /// A secret with the ring of its degree.
    fn ring(&self, secret: SecretId) -> Result<(&Ring, &SecretKey), ClientError> {
        let log_n = secret.log_n;
        let found = self.rings.get(&log_n).zip(self.secrets.get(&secret));
        let (ring, own) = found.ok_or(ClientError::NoDegree { log_n })?;
        Ok((ring, own))
    }
}

/// An evaluation key to be made, with its own randomness: who makes it when does not matter.
struct KeyJob<'o> {
    shape: &'o KeyShape,
    randomness: Randomness,
}

/// The keys to be made, in the order of the file.
fn jobs<'o>(shapes: &'o [KeyShape], randomness: &mut Randomness) -> Vec<KeyJob<'o>> {
    let job = |shape| KeyJob {
        shape,
        randomness: randomness.fork(),
    };
    shapes.iter().map(job).collect()
}

impl KeyJob<'_> {
    /// The key, its digits numbered as those of the shape are.
    fn make(&mut self, maker: &Maker<'_>) -> Result<EvaluationKey, ClientError> {
        let (shape, randomness) = (self.shape, &mut self.randomness);
        let (ring, secret) = maker.ring(shape.from_secret())?;
        let gadget = binding::gadget(maker.larger(shape)?, shape)?;
        let made = match shape.kind() {
            KeyKind::RingSwitch | KeyKind::Raise(_) => {
                let kind = binding::key_kind(maker.larger(shape)?, shape.kind());
                let to = maker.ring(shape.to_secret())?;
                EvaluationKey::leading(kind, (ring, secret), to, &gadget, randomness)
            }
            kind => {
                let kind = binding::key_kind(ring, kind);
                EvaluationKey::within(ring, secret, kind, &gadget, randomness)
            }
        };
        Ok(made?)
    }

    fn packed(&mut self, maker: &Maker<'_>) -> Result<PackedKey, ClientError> {
        let made = self.make(maker)?;
        let ring = maker.larger(self.shape)?;
        Ok(PackedKey::new(ring, self.shape, &made)?)
    }
}
