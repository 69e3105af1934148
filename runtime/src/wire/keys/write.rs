//! Writing evaluation keys, one after the other.

use super::file::KeyFile;
use super::header::{self, Described};
use crate::ring::Ring;
use crate::rlwe::EvaluationKey;
use crate::wire::error::{WireError, expect};
use crate::wire::messages::{BODY, HEADER};
use peregrine_ir::binary::container::Writer;
use peregrine_ir::{FileKind, KeyPairId, KeyShape};
use std::io::{Seek, Write};

/// An evaluation key in the form in which a file holds it: half of the key, its residues packed.
#[derive(Debug)]
pub struct PackedKey {
    described: Described,
    body: Vec<u8>,
}

impl PackedKey {
    /// Packs a key whose digits are those of its shape, in that order.
    ///
    /// # Errors
    /// When the key does not have the digits or primes of the shape.
    pub fn new(ring: &Ring, shape: &KeyShape, key: &EvaluationKey) -> Result<Self, WireError> {
        let mut body = Vec::with_capacity(shape.bytes() as usize);
        let index = |value| ring.moduli().iter().position(|m| m.value() == value);
        for digit in key.digits() {
            for prime in shape.primes() {
                let limb = index(prime).and_then(|p| Some((p, digit.b().residues(p)?)));
                let (prime, limb) = limb.ok_or(crate::ring::RingError::MissingPrime { prime })?;
                ring.pack(&mut body, prime, limb);
            }
        }
        expect("the length of a chunk", body.len() as u64, shape.bytes())?;
        let described = Described {
            shape: shape.clone(),
            seed: key.seed(),
        };
        Ok(Self { described, body })
    }
}

/// Writes evaluation keys one after the other.
#[derive(Debug)]
pub struct KeyWriter<W> {
    writer: Writer<W>,
    header: Vec<u8>,
    count: u64,
}

impl<W: Write + Seek> KeyWriter<W> {
    /// Starts a file of `count` keys of a key pair.
    ///
    /// # Errors
    /// Errors of writing to `out`.
    pub fn new(out: W, key_pair: KeyPairId, count: usize) -> Result<Self, WireError> {
        let chunks = count as u32 + 1;
        Ok(Self {
            writer: Writer::new(out, FileKind::EvaluationKeys, key_pair, chunks)?,
            header: Vec::new(),
            count: 0,
        })
    }

    /// Appends a key.
    ///
    /// # Errors
    /// Errors of writing to `out`.
    pub fn key(&mut self, key: PackedKey) -> Result<(), WireError> {
        self.append(&key.described, &key.body)
    }

    /// Appends a key of another file, byte for byte.
    ///
    /// # Errors
    /// Errors of writing to `out`; when the other file is damaged there.
    pub(crate) fn copy(&mut self, from: &KeyFile, index: usize) -> Result<(), WireError> {
        let described = from.key(index).ok_or(WireError::NoKind { index })?;
        from.check(index, |_| ())?;
        let (place, bytes) = (from.place(index)?, from.bytes());
        self.append(described, bytes.get(place.clone()).unwrap_or_default())?;
        bytes.release(&place);
        Ok(())
    }

    fn append(&mut self, described: &Described, body: &[u8]) -> Result<(), WireError> {
        self.writer.chunk(BODY + self.count, body)?;
        header::words(&mut self.header, described);
        self.count += 1;
        Ok(())
    }

    /// Writes the header and returns `out`.
    ///
    /// # Errors
    /// Errors of writing to `out`; also when keys are missing.
    pub fn finish(mut self) -> Result<W, WireError> {
        self.writer.chunk(HEADER, &self.header)?;
        Ok(self.writer.finish()?)
    }
}
