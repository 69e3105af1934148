//! Files of evaluation keys: written, counted and read.

use super::BenchError;
use super::bed::Bed;
use super::reference::Reference;
use peregrine_ir::binary::Fingerprint;
use peregrine_ir::{Container, KeyKind, Level};
use peregrine_runtime::wire::{KeyWriter, PackedKey};
use serde::Serialize;
use std::io::Cursor;

/// Chain primes of a trimmed key.
const TRIMMED: usize = 10;

/// Finds the key in such a file sound.
pub fn read(file: &[u8]) -> Result<(), BenchError> {
    let container = Container::parse(file)?;
    for tag in container.tags() {
        container.chunk(tag)?;
    }
    Ok(())
}

/// A key in a file.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct KeySize {
    /// Chain primes it serves.
    pub chain: usize,
    /// Of the file, which holds nothing else.
    pub bytes: u64,
}

/// A key for the whole chain, and one that is trimmed where the chain is long enough.
pub fn sizes(reference: &Reference, bed: &mut Bed) -> Result<Vec<KeySize>, BenchError> {
    let chains = [reference.chain, TRIMMED];
    let chains = chains
        .into_iter()
        .take(if reference.chain > TRIMMED { 2 } else { 1 });
    chains.map(|chain| size(chain, bed)).collect()
}

fn size(chain: usize, bed: &mut Bed) -> Result<KeySize, BenchError> {
    let bytes = file(chain, bed)?.len() as u64;
    Ok(KeySize { chain, bytes })
}

/// A file of one key for so many primes.
pub fn file(chain: usize, bed: &mut Bed) -> Result<Vec<u8>, BenchError> {
    let level = chain.saturating_sub(1);
    let key = bed.key(level)?;
    let mut writer = KeyWriter::new(Cursor::new(Vec::new()), Fingerprint([0; 32]), 1)?;
    let kind = KeyKind::Relinearization;
    writer.key(PackedKey::new(&bed.params, kind, Level(level as u32), &key))?;
    Ok(writer.finish()?.into_inner())
}
