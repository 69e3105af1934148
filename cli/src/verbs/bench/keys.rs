//! How large evaluation keys are in files: written, and counted.

use super::BenchError;
use super::bed::Bed;
use super::reference::Reference;
use peregrine_ir::binary::Fingerprint;
use peregrine_ir::{KeyKind, Level};
use peregrine_runtime::wire::{KeyWriter, PackedKey};
use serde::Serialize;
use std::io::Cursor;

/// Chain primes of a trimmed key.
const TRIMMED: usize = 10;

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
    let level = chain.saturating_sub(1);
    let key = bed.key(level)?;
    let mut writer = KeyWriter::new(Cursor::new(Vec::new()), Fingerprint([0; 32]), 1)?;
    let kind = KeyKind::Relinearization;
    writer.key(PackedKey::new(&bed.params, kind, Level(level as u32), &key))?;
    let bytes = writer.finish()?.into_inner().len() as u64;
    Ok(KeySize { chain, bytes })
}
