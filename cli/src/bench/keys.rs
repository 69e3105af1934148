//! Files of evaluation keys: written, counted and read.

use super::error::BenchError;
use super::reference::Reference;
use peregrine_ir::{Container, KeyKind, KeyPairId, KeyShape};
use peregrine_runtime::params::Parameters;
use peregrine_runtime::rlwe::{EvaluationKey, RlweError};
use peregrine_runtime::wire::{KeyWriter, PackedKey, WireError, map_file};
use serde::Serialize;
use std::io::{Cursor, Write};
use tempfile::{NamedTempFile, TempPath};

/// Chain primes of a trimmed key.
const TRIMMED: usize = 10;

/// The size of a relinearization key in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KeySize {
    /// Chain primes that the key serves.
    pub chain: usize,
    /// Length of the file, which holds nothing else.
    pub bytes: u64,
}

/// A key for the whole chain, and one that is trimmed where the chain is long enough.
///
/// `key` makes a relinearization key for a level.
pub(super) fn sizes(
    reference: &Reference,
    params: &Parameters,
    mut key: impl FnMut(usize) -> Result<EvaluationKey, RlweError>,
) -> Result<Vec<KeySize>, BenchError> {
    let chains = [reference.chain, TRIMMED];
    let chains = chains
        .into_iter()
        .take(if reference.chain > TRIMMED { 2 } else { 1 });
    chains.map(|chain| size(chain, params, &mut key)).collect()
}

fn size(
    chain: usize,
    params: &Parameters,
    key: &mut impl FnMut(usize) -> Result<EvaluationKey, RlweError>,
) -> Result<KeySize, BenchError> {
    let level = chain.saturating_sub(1);
    let key = key(level)?;
    let bytes = file(params, level, &key)?.len() as u64;
    Ok(KeySize { chain, bytes })
}

/// A file of one key, which nobody computes with.
fn file(params: &Parameters, level: usize, key: &EvaluationKey) -> Result<Vec<u8>, BenchError> {
    let mut writer = KeyWriter::new(Cursor::new(Vec::new()), KeyPairId([0; 32]), 1)?;
    let shape = shape(params, level)?;
    writer.key(PackedKey::new(params.ring(), &shape, key)?)?;
    Ok(writer.finish()?.into_inner())
}

/// What a relinearization key for a level is.
fn shape(params: &Parameters, level: usize) -> Result<KeyShape, BenchError> {
    let value = |prime: &usize| params.ring().moduli().get(*prime).map(|m| m.value());
    let values = |primes: &[usize]| primes.iter().filter_map(value).collect();
    let digits = params.digits_of(params.row(level)?);
    let digits = digits.map(|(_, digit)| values(digit.primes())).collect();
    let (kind, log_n) = (KeyKind::Relinearization, params.log_n());
    let special = values(params.special().primes());
    let secret = peregrine_ir::SecretId::ternary(log_n);
    let shape = KeyShape::new(kind, (secret, secret), digits, special);
    Ok(shape.map_err(WireError::from)?)
}

/// A file of one key on disk, or rather in the memory that the system keeps of it.
pub(super) fn on_disk(
    params: &Parameters,
    level: usize,
    key: &EvaluationKey,
) -> Result<TempPath, BenchError> {
    let mut temporary = NamedTempFile::new()?;
    temporary.write_all(&file(params, level, key)?)?;
    Ok(temporary.into_temp_path())
}

/// Maps a file of one key and finds the key sound.
pub(super) fn read(file: &TempPath) -> Result<(), BenchError> {
    let bytes = map_file(file)?;
    let container = Container::parse(&bytes)?;
    for tag in container.tags() {
        container.chunk(tag)?;
    }
    Ok(())
}
