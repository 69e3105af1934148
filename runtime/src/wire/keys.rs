//! Evaluation keys as a file that is written key by key and read key by key.

use super::mapped::MappedFile;
use super::messages::{KeyHeader, KeyName, KeysHeader};
use super::words::{PolyReader, polys_bytes, put_poly, read_seed, seed_bytes};
use super::{BODY, HEADER, WireError, expect};
use crate::binding;
use crate::exec::{KeyForm, KeyResidence, KeySource};
use crate::params::{Parameters, Rings};
use crate::ring::{Basis, Seed};
use crate::rlwe::{self, EvaluationKey, EvaluationKeys, StreamedKey};
use peregrine_ir::binary::container::Writer;
use peregrine_ir::binary::{Container, ContainerError, FileKind, Fingerprint};
use peregrine_ir::{Interface, Key, KeyKind, Level, Rotation};
use prost::Message;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Seek, Write};
use std::ops::{Deref, Range};
use std::sync::{Arc, OnceLock};

/// The bytes of a file, in memory or mapped.
pub enum KeyBytes {
    /// In memory.
    Held(Vec<u8>),
    /// Mapped: read from disk where it is touched.
    Mapped(MappedFile),
}

impl KeyBytes {
    /// Maps a file.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn map(file: &std::fs::File) -> io::Result<Self> {
        MappedFile::new(file).map(Self::Mapped)
    }

    /// Looks whether a mapped file is still whole, before a part of it is used.
    fn check(&self) -> Result<(), ContainerError> {
        match self {
            Self::Held(_) => Ok(()),
            Self::Mapped(file) => file.check(),
        }
    }

    /// Lets go of the memory behind a part of a mapped file; it is read again when it is touched.
    fn release(&self, part: &Range<usize>) {
        if let Self::Mapped(file) = self {
            file.release(part);
        }
    }

    /// Brings a part of a mapped file into memory, all of it at once.
    fn fetch(&self, part: &Range<usize>) {
        if let Self::Mapped(file) = self {
            file.fetch(part);
        }
    }
}

/// A part of a file.
struct Part {
    bytes: Arc<KeyBytes>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(self.range.clone()).unwrap_or_default()
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBytes({} bytes)", self.len())
    }
}

impl Deref for KeyBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Held(bytes) => bytes,
            Self::Mapped(bytes) => bytes,
        }
    }
}

/// An evaluation key as it lies in a file: half of it, its residues packed.
#[derive(Debug)]
pub struct PackedKey {
    header: KeyHeader,
    body: Vec<u8>,
}

impl PackedKey {
    /// Packs a key that serves up to a level.
    pub fn new(params: &Parameters, kind: KeyKind, level: Level, key: &EvaluationKey) -> Self {
        let mut body = Vec::new();
        for digit in key.digits() {
            put_poly(&mut body, params, digit.b());
        }
        let digits = key.digits().iter().map(|d| d.digit());
        let header = header(kind, level, key.seed(), digits);
        Self { header, body }
    }
}

/// Writes evaluation keys one after the other.
#[derive(Debug)]
pub struct KeyWriter<W> {
    writer: Writer<W>,
    headers: Vec<KeyHeader>,
}

impl<W: Write + Seek> KeyWriter<W> {
    /// Starts a file of `count` keys.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(out: W, fingerprint: Fingerprint, count: usize) -> Result<Self, WireError> {
        let chunks = count as u32 + 1;
        Ok(Self {
            writer: Writer::new(out, FileKind::EvaluationKeys, fingerprint, chunks)?,
            headers: Vec::new(),
        })
    }

    /// Appends a key.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn key(&mut self, key: PackedKey) -> Result<(), WireError> {
        let tag = BODY + self.headers.len() as u64;
        self.writer.chunk(tag, &key.body)?;
        self.headers.push(key.header);
        Ok(())
    }

    /// Writes the header and gives `out` back.
    ///
    /// # Errors
    /// Those of `out`; also when keys are missing.
    pub fn finish(mut self) -> Result<W, WireError> {
        let header = KeysHeader { keys: self.headers };
        self.writer.chunk(HEADER, &header.encode_to_vec())?;
        Ok(self.writer.finish()?)
    }
}

fn header(
    kind: KeyKind,
    level: Level,
    seed: Seed,
    digits: impl Iterator<Item = usize>,
) -> KeyHeader {
    KeyHeader {
        kind: Some(name(kind)),
        level: level.0,
        seed: seed_bytes(seed).to_vec(),
        digits: digits.map(|digit| digit as u32).collect(),
    }
}

fn name(kind: KeyKind) -> KeyName {
    match kind {
        KeyKind::Relinearization => KeyName::Relinearization(true),
        KeyKind::Conjugation => KeyName::Conjugation(true),
        KeyKind::Rotation(rotation) => KeyName::Rotation(rotation.0),
        KeyKind::RingSwitch => KeyName::RingSwitch(true),
    }
}

/// A file of evaluation keys, its header read; the keys are read when asked for.
#[derive(Debug)]
pub struct KeyFile {
    bytes: Arc<KeyBytes>,
    fingerprint: Fingerprint,
    levels: BTreeMap<Key, Level>,
    entries: BTreeMap<Key, Entry>,
}

#[derive(Debug)]
struct Entry {
    tag: u64,
    params: Arc<Parameters>,
    kind: rlwe::KeyKind,
    seed: Seed,
    basis: Basis,
    digits: Vec<usize>,
    /// Where in the file the key is, once it was found to be sound.
    checked: OnceLock<Range<usize>>,
}

impl KeyFile {
    /// Reads the header of the evaluation keys made for a circuit.
    ///
    /// # Errors
    /// When the file is damaged, of another kind or circuit, or does not hold the keys that the circuit declares.
    pub fn open(bytes: KeyBytes, interface: &Interface, rings: &Rings) -> Result<Self, WireError> {
        let container = Container::parse(&bytes)?;
        container.expect_kind(FileKind::EvaluationKeys)?;
        container.expect_fingerprint(interface.fingerprint())?;
        let declared = &interface.keys().levels;
        let chunks = container.tags().len() as u64;
        expect("the number of chunks", chunks, declared.len() as u64 + 1)?;
        let header = container.chunk(HEADER)?;
        let expected = header_bytes(declared, rings)?;
        expect("the length of the header", header.len() as u64, expected)?;
        let KeysHeader { keys } = KeysHeader::decode(header)?;
        let mut entries = BTreeMap::new();
        for (index, (tag, header)) in (BODY..).zip(keys).enumerate() {
            let kind = kind(&header).ok_or(WireError::NoKind { index })?;
            let part = binding::part(rings, binding::level(Level(header.level)));
            let key = Key { part, kind };
            let level = *declared.get(&key).ok_or(WireError::UnknownKey { key })?;
            expect("the level of a key", header.level.into(), level.0.into())?;
            let entry = Entry::new(tag, &header, (key, level), rings)?;
            let found = container.length(tag)?;
            let expected = polys_bytes(&entry.params, &entry.basis, entry.digits.len());
            expect("the length of a chunk", found, expected)?;
            if entries.insert(key, entry).is_some() {
                return Err(WireError::KeyTwice { key });
            }
        }
        if let Some(&key) = declared.keys().find(|key| !entries.contains_key(*key)) {
            return Err(WireError::NoKey { key });
        }
        Ok(Self {
            fingerprint: container.fingerprint(),
            levels: declared.clone(),
            entries,
            bytes: Arc::new(bytes),
        })
    }

    fn entry(&self, key: Key) -> Result<&Entry, WireError> {
        self.entries.get(&key).ok_or(WireError::NoKey { key })
    }

    /// Where a key is; its checksum and its residues are checked the first time.
    fn checked(&self, entry: &Entry) -> Result<Range<usize>, WireError> {
        if let Some(range) = entry.checked.get() {
            return Ok(range.clone());
        }
        let body = Container::parse(&self.bytes)?.chunk(entry.tag)?;
        PolyReader::new(&entry.params, &entry.basis, entry.digits.len(), body)?;
        let start = body
            .as_ptr()
            .addr()
            .wrapping_sub(self.bytes.as_ptr().addr());
        let range = start..start.wrapping_add(body.len());
        Ok(entry.checked.get_or_init(|| range).clone())
    }

    fn expanded(&self, entry: &Entry, part: &Part) -> Result<EvaluationKey, WireError> {
        let (params, basis, count) = (&entry.params, &entry.basis, entry.digits.len());
        let mut reader = PolyReader::new(params, basis, count, part.as_ref())?;
        let halves = entry.digits.iter().map(|&digit| (digit, reader.poly()));
        let halves = halves.collect();
        self.bytes.release(&part.range);
        let (kind, seed) = (entry.kind, entry.seed);
        let key = EvaluationKey::from_parts(params, kind, basis.clone(), seed, halves);
        Ok(key?)
    }
}

/// Length of the header of a file with these keys: it does not depend on their order or seeds.
fn header_bytes(keys: &BTreeMap<Key, Level>, rings: &Rings) -> Result<u64, WireError> {
    let header = |(&key, &level): (&Key, &Level)| {
        let params = binding::key_parameters(rings, key);
        let params = params.ok_or(WireError::UnknownKey { key })?;
        let row = params.key_row(binding::level(level))?;
        let digits = params.digits_of(row).map(|(digit, _)| digit);
        Ok(header(key.kind, level, Seed(0), digits))
    };
    let keys: Result<_, WireError> = keys.iter().map(header).collect();
    Ok(KeysHeader { keys: keys? }.encoded_len() as u64)
}

fn kind(header: &KeyHeader) -> Option<KeyKind> {
    match header.kind? {
        KeyName::Relinearization(true) => Some(KeyKind::Relinearization),
        KeyName::Conjugation(true) => Some(KeyKind::Conjugation),
        KeyName::Rotation(rotation) => Some(KeyKind::Rotation(Rotation(rotation))),
        KeyName::RingSwitch(true) => Some(KeyKind::RingSwitch),
        KeyName::Relinearization(false)
        | KeyName::Conjugation(false)
        | KeyName::RingSwitch(false) => None,
    }
}

impl Entry {
    fn new(
        tag: u64,
        header: &KeyHeader,
        (key, level): (Key, Level),
        rings: &Rings,
    ) -> Result<Self, WireError> {
        let params = binding::key_parameters(rings, key);
        let params = params.ok_or(WireError::UnknownKey { key })?;
        let row = params.key_row(binding::level(level))?;
        let digits: Vec<usize> = params.digits_of(row).map(|(digit, _)| digit).collect();
        let found = header.digits.len() as u64;
        expect("the number of digits of a key", found, digits.len() as u64)?;
        for (&found, &digit) in header.digits.iter().zip(&digits) {
            expect("a digit of a key", found.into(), digit as u64)?;
        }
        Ok(Self {
            tag,
            params: params.clone(),
            kind: binding::key_kind(params, key.kind),
            seed: read_seed(&header.seed)?,
            basis: row.union(params.special()),
            digits,
            checked: OnceLock::new(),
        })
    }

    fn streamed(&self, part: Part) -> Result<StreamedKey, WireError> {
        let (basis, digits) = (self.basis.clone(), self.digits.clone());
        let bytes = Arc::new(part);
        let key = StreamedKey::new(&self.params, self.kind, basis, self.seed, digits, bytes);
        Ok(key?)
    }
}

impl KeySource for KeyFile {
    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn levels(&self) -> &BTreeMap<Key, Level> {
        &self.levels
    }

    fn residence(&self) -> KeyResidence {
        KeyResidence::Stored
    }

    fn load(&self, key: Key, form: KeyForm) -> Result<Arc<EvaluationKeys>, WireError> {
        let entry = self.entry(key)?;
        self.bytes.check()?;
        let (bytes, range) = (self.bytes.clone(), self.checked(entry)?);
        let part = Part { bytes, range };
        Ok(Arc::new(match form {
            KeyForm::Expanded => EvaluationKeys::from_iter([self.expanded(entry, &part)?]),
            KeyForm::Streamed => EvaluationKeys::from_iter([entry.streamed(part)?]),
        }))
    }

    fn fetch(&self, key: Key) {
        let entry = self.entries.get(&key);
        if let Some(range) = entry.and_then(|entry| entry.checked.get()) {
            self.bytes.fetch(range);
        }
    }

    fn release(&self, key: Key) {
        let entry = self.entries.get(&key);
        if let Some(range) = entry.and_then(|entry| entry.checked.get()) {
            self.bytes.release(range);
        }
    }
}
