//! The keys that a circuit needs, in files.

use super::bytes::{KeyBytes, Part};
use super::file::KeyFile;
use crate::binding;
use crate::params::{Parameters, Rings};
use crate::rlwe::{EvaluationKey, StreamedKey};
use crate::wire::error::WireError;
use crate::wire::missing::MissingKeys;
use peregrine_ir::{Interface, Key, KeyPairId, KeyShape, Level};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// The evaluation keys that a circuit needs, in one or more files; each is read when it is first used.
///
/// The files may hold more keys than the circuit needs, and keys of more primes. Parts that the circuit does not use are read for
/// the checksum only.
#[derive(Debug)]
pub struct StoredKeys {
    key_pair: KeyPairId,
    rings: Arc<Rings>,
    levels: BTreeMap<Key, Level>,
    entries: BTreeMap<Key, Entry>,
}

/// The place of a key of the circuit.
#[derive(Debug)]
struct Entry {
    file: Arc<KeyFile>,
    index: usize,
    params: Arc<Parameters>,
    level: Level,
    /// The parts of the key that the circuit uses, as places in the file; set once the key has been checked.
    checked: OnceLock<Checked>,
}

#[derive(Debug)]
struct Checked {
    key: StreamedKey,
    used: Vec<Range<usize>>,
}

impl StoredKeys {
    /// Finds the keys that a circuit declares in files. Of several keys that would do, the shortest is taken.
    ///
    /// # Errors
    /// When the files are of different key pairs, keys are missing, or the circuit promises security and a key of the files has a
    /// modulus beyond the security limit.
    pub fn find(
        files: Vec<KeyFile>,
        interface: &Interface,
        rings: &Arc<Rings>,
    ) -> Result<Self, WireError> {
        let files: Vec<Arc<KeyFile>> = files.into_iter().map(Arc::new).collect();
        let first = files.first().ok_or(WireError::NoFiles)?;
        let key_pair = first.key_pair();
        if let Some(other) = files.iter().find(|file| file.key_pair() != key_pair) {
            return Err(WireError::KeyPairs {
                first: key_pair,
                other: other.key_pair(),
            });
        }
        for shape in files.iter().flat_map(|file| file.shapes()) {
            shape.check_security(interface.security())?;
        }
        let (mut entries, mut missing) = (BTreeMap::new(), Vec::new());
        for (key, level, wanted) in wanted(interface)? {
            match shortest(&files, &wanted) {
                None => missing.push(wanted),
                Some((file, index)) => {
                    let params = binding::key_parameters(rings, key);
                    let params = params.ok_or(WireError::UnknownKey { key })?.clone();
                    let checked = OnceLock::new();
                    let entry = Entry {
                        file,
                        index,
                        params,
                        level,
                        checked,
                    };
                    entries.insert(key, entry);
                }
            }
        }
        if !missing.is_empty() {
            let there: Vec<&KeyShape> = files.iter().flat_map(|file| file.shapes()).collect();
            return Err(MissingKeys::new(missing, &there).into());
        }
        Ok(Self {
            key_pair,
            rings: rings.clone(),
            levels: interface.keys().levels.clone(),
            entries,
        })
    }

    /// The key pair that the keys are of.
    pub fn key_pair(&self) -> KeyPairId {
        self.key_pair
    }

    /// The rings of the circuit, by whose indices its keys are named.
    pub fn rings(&self) -> &Rings {
        &self.rings
    }

    /// The keys that the circuit declares, each with the highest level that it serves.
    pub fn levels(&self) -> &BTreeMap<Key, Level> {
        &self.levels
    }

    /// A key that stays packed in its file, and is expanded block by block at each use.
    ///
    /// # Errors
    /// When there is no such key, or it is damaged.
    pub fn streamed(&self, key: Key) -> Result<StreamedKey, WireError> {
        Ok(self.checked(key)?.1.key.clone())
    }

    /// A key with all its words in memory; the memory behind its part of the file is released.
    ///
    /// # Errors
    /// When there is no such key, or it is damaged.
    pub fn expanded(&self, key: Key) -> Result<EvaluationKey, WireError> {
        let (entry, checked) = self.checked(key)?;
        let expanded = checked.key.expanded(entry.params.ring())?;
        entry.each_used(KeyBytes::release);
        Ok(expanded)
    }

    /// Prefetches the used parts of a key that were released; its uses would load them, too, but slower.
    pub fn fetch(&self, key: Key) {
        if let Some(entry) = self.entries.get(&key) {
            entry.each_used(KeyBytes::fetch);
        }
    }

    /// Releases the memory behind the used parts of a key; the key remains usable.
    pub fn release(&self, key: Key) {
        if let Some(entry) = self.entries.get(&key) {
            entry.each_used(KeyBytes::release);
        }
    }

    fn entry(&self, key: Key) -> Result<&Entry, WireError> {
        self.entries.get(&key).ok_or(WireError::NoKey { key })
    }

    /// The place of a key and its used parts, after its checksum and residues were checked.
    fn checked(&self, key: Key) -> Result<(&Entry, &Checked), WireError> {
        let entry = self.entry(key)?;
        entry.file.bytes().check()?;
        if let Some(checked) = entry.checked.get() {
            return Ok((entry, checked));
        }
        let checked = entry.check(key)?;
        Ok((entry, entry.checked.get_or_init(|| checked)))
    }
}

/// The shape that each key of a circuit must have.
fn wanted(interface: &Interface) -> Result<Vec<(Key, Level, KeyShape)>, WireError> {
    let keys = interface.keys().levels.iter();
    let shape = |(&key, &level): (&Key, &Level)| {
        let shape = KeyShape::of(interface.rings(), key, level);
        Ok((key, level, shape.ok_or(WireError::UnknownKey { key })?))
    };
    keys.map(shape).collect()
}

/// The shortest key in the files that serves as `wanted`.
fn shortest(files: &[Arc<KeyFile>], wanted: &KeyShape) -> Option<(Arc<KeyFile>, usize)> {
    let all = files.iter().flat_map(|file| {
        let shapes = file.shapes().enumerate();
        shapes.map(move |(index, shape)| (file, index, shape))
    });
    let serving = all.filter(|(.., shape)| shape.covers(wanted));
    let shortest = serving.min_by_key(|(.., shape)| shape.bytes());
    shortest.map(|(file, index, _)| (file.clone(), index))
}

impl Entry {
    fn check(&self, key: Key) -> Result<Checked, WireError> {
        let range = self.file.place(self.index)?;
        let described = self.file.key(self.index).ok_or(WireError::NoKey { key })?;
        let bytes = self.file.bytes();
        let part = Part {
            bytes: bytes.clone(),
            range: range.clone(),
        };
        let shape = &described.shape;
        let primes: Vec<u64> = shape.primes().collect();
        let serving = (key.kind, self.level);
        let placement = binding::placement(&self.params, serving, (shape, &primes))?;
        let limbs = shape.limb_bytes().map(|length| length as usize);
        let limbs: Vec<usize> = limbs.collect();
        let part = Arc::new(part);
        let key = StreamedKey::new(&self.params, placement, &limbs, described.seed, part)?;
        let used = key.used(&self.params).into_iter();
        let used = used.map(|part| range.start + part.start..range.start + part.end);
        let used: Vec<Range<usize>> = used.collect();
        // The checksum is that of all of it, and memory is counted for what is used.
        let partly = used.iter().map(Range::len).sum::<usize>() < range.len();
        self.file.check(self.index, |piece| {
            if partly {
                bytes.release(&piece);
            }
        })?;
        key.check(self.params.ring())?;
        Ok(Checked { key, used })
    }

    /// Calls `f` for each part of the file that is used.
    fn each_used(&self, mut f: impl FnMut(&KeyBytes, &Range<usize>)) {
        let used = self.checked.get().map(|checked| &checked.used);
        used.into_iter()
            .flatten()
            .for_each(|part| f(self.file.bytes(), part));
    }
}
