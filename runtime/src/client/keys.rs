//! Evaluation keys: made from a secret, in memory or into a file.

use super::{Client, ClientError, Secret};
use crate::binding;
use crate::exec::HeldKeys;
use crate::params::Rings;
use crate::ring::Randomness;
use crate::rlwe::{EvaluationKey, RlweError, SecretKeys};
use crate::wire::{KeyWriter, PackedKey, WireError};
use peregrine_ir::{Key, KeyKind, Level};
use rayon::prelude::*;
use std::io::{Seek, Write};

impl Client {
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
