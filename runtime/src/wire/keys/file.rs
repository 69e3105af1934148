//! A file of evaluation keys by itself, without a circuit.

use super::bytes::KeyBytes;
use super::header::{Described, Words};
use crate::wire::error::WireError;
use crate::wire::messages::{BODY, HEADER};
use peregrine_ir::{Container, FileKind, KeyPairId, KeyShape};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// An opened file of evaluation keys of one pair, for whatever circuits. Its header has been read.
#[derive(Debug)]
pub struct KeyFile {
    bytes: Arc<KeyBytes>,
    key_pair: KeyPairId,
    keys: Vec<Described>,
}

impl KeyFile {
    /// Opens a file: reads and checks the descriptions of its keys.
    ///
    /// # Errors
    /// When the file is damaged, of another kind, or a key is described wrongly or twice.
    pub fn open(bytes: KeyBytes) -> Result<Self, WireError> {
        let container = Container::parse(&bytes)?;
        container.expect_kind(FileKind::EvaluationKeys)?;
        let mut words = Words::new(container.chunk(HEADER)?)?;
        let count = container.tags().len().saturating_sub(1);
        let mut keys: Vec<Described> = Vec::new();
        let mut lengths: BTreeMap<u64, u64> = container.chunks().collect();
        for (index, tag) in (BODY..).take(count).enumerate() {
            let length = lengths.remove(&tag).unwrap_or_default();
            keys.push(words.key(index)?.described(length)?);
        }
        words.finish(count)?;
        let mut known = BTreeSet::new();
        if let Some(twice) = keys.iter().find(|key| !known.insert(&key.shape)) {
            let key = twice.shape.to_string();
            return Err(WireError::KeyTwice { key });
        }
        Ok(Self {
            key_pair: container.key_pair(),
            keys,
            bytes: Arc::new(bytes),
        })
    }

    /// The key pair that the keys are of.
    pub fn key_pair(&self) -> KeyPairId {
        self.key_pair
    }

    /// The shapes of the keys, in file order.
    pub fn shapes(&self) -> impl ExactSizeIterator<Item = &KeyShape> {
        self.keys.iter().map(|key| &key.shape)
    }

    /// The bytes of the file that hold a key. They are not compared with its checksum.
    ///
    /// # Errors
    /// When there is no such key.
    pub(super) fn place(&self, index: usize) -> Result<Range<usize>, WireError> {
        Ok(Container::parse(&self.bytes)?.place(BODY + index as u64)?)
    }

    /// Compares a key with its checksum, piece by piece, and passes on the place of each piece that was read.
    ///
    /// # Errors
    /// When there is no such key or it is damaged.
    pub(super) fn check(
        &self,
        index: usize,
        read: impl FnMut(Range<usize>),
    ) -> Result<(), WireError> {
        Ok(Container::parse(&self.bytes)?.check(BODY + index as u64, read)?)
    }

    pub(super) fn key(&self, index: usize) -> Option<&Described> {
        self.keys.get(index)
    }

    pub(super) fn bytes(&self) -> &Arc<KeyBytes> {
        &self.bytes
    }
}
