//! The evaluation keys of a run: their source, and the keys that are in memory.

use crate::exec::{KeyForm, KeyResidence};
use crate::params::Rings;
use crate::rlwe::EvaluationKeys;
use crate::wire::{StoredKeys, WireError};
use peregrine_ir::{Key, KeyPairId, Level};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// A source of evaluation keys: a mapped file, or memory.
pub trait KeySource: fmt::Debug + Send + Sync {
    /// The key pair that the keys are of.
    fn key_pair(&self) -> KeyPairId;

    /// The rings by whose indices its keys are named.
    fn rings(&self) -> &Rings;

    /// The keys that it has, each with the highest level that it serves.
    fn levels(&self) -> &BTreeMap<Key, Level>;

    /// Whether it holds the keys in memory.
    fn residence(&self) -> KeyResidence;

    /// Loads one key, alone in its set. It has another form than `form` if the source holds it so.
    ///
    /// # Errors
    /// When there is no such key or it is damaged.
    fn load(&self, key: Key, form: KeyForm) -> Result<Arc<EvaluationKeys>, WireError>;

    /// Prefetches a streamed key that was released. This is not needed, but faster than loading it at its uses.
    fn fetch(&self, key: Key);

    /// Releases the memory behind a streamed key; the key remains usable.
    fn release(&self, key: Key);
}

/// Evaluation keys in memory, for circuits of the same rings.
#[derive(Clone, Debug)]
pub struct HeldKeys {
    key_pair: KeyPairId,
    rings: Arc<Rings>,
    levels: BTreeMap<Key, Level>,
    keys: BTreeMap<Key, Arc<EvaluationKeys>>,
}

impl HeldKeys {
    /// A set of keys of a pair, empty at first.
    pub fn new(key_pair: KeyPairId, rings: &Arc<Rings>) -> Self {
        Self {
            key_pair,
            rings: rings.clone(),
            levels: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }

    /// Adds a key that serves up to a level.
    pub fn insert(&mut self, key: Key, level: Level, made: crate::rlwe::EvaluationKey) {
        self.levels.insert(key, level);
        let alone = EvaluationKeys::from_iter([made]);
        self.keys.insert(key, Arc::new(alone));
    }
}

impl KeySource for HeldKeys {
    fn key_pair(&self) -> KeyPairId {
        self.key_pair
    }

    fn rings(&self) -> &Rings {
        &self.rings
    }

    fn levels(&self) -> &BTreeMap<Key, Level> {
        &self.levels
    }

    fn residence(&self) -> KeyResidence {
        KeyResidence::Held
    }

    fn load(&self, key: Key, _: KeyForm) -> Result<Arc<EvaluationKeys>, WireError> {
        let held = self.keys.get(&key).cloned();
        held.ok_or(WireError::NoKey { key })
    }

    fn fetch(&self, _: Key) {}

    fn release(&self, _: Key) {}
}

impl KeySource for StoredKeys {
    fn key_pair(&self) -> KeyPairId {
        self.key_pair()
    }

    fn rings(&self) -> &Rings {
        self.rings()
    }

    fn levels(&self) -> &BTreeMap<Key, Level> {
        self.levels()
    }

    fn residence(&self) -> KeyResidence {
        KeyResidence::Stored
    }

    fn load(&self, key: Key, form: KeyForm) -> Result<Arc<EvaluationKeys>, WireError> {
        Ok(Arc::new(match form {
            KeyForm::Streamed => EvaluationKeys::from_iter([self.streamed(key)?]),
            KeyForm::Expanded => EvaluationKeys::from_iter([self.expanded(key)?]),
        }))
    }

    fn fetch(&self, key: Key) {
        self.fetch(key);
    }

    fn release(&self, key: Key) {
        self.release(key);
    }
}

/// The keys that have been checked and loaded.
#[derive(Debug)]
pub(super) struct KeyRing {
    source: Arc<dyn KeySource>,
    expanded: BTreeSet<Key>,
    ready: RwLock<BTreeMap<Key, Arc<EvaluationKeys>>>,
}

impl KeyRing {
    /// Keys from `source`; those in `expanded` are expanded, unless their source decides the form.
    pub(super) fn new(source: Arc<dyn KeySource>, expanded: BTreeSet<Key>) -> Self {
        Self {
            source,
            expanded,
            ready: RwLock::default(),
        }
    }

    pub(super) fn levels(&self) -> &BTreeMap<Key, Level> {
        self.source.levels()
    }

    fn known(&self, key: Key) -> Option<Arc<EvaluationKeys>> {
        let ready = self.ready.read().unwrap_or_else(PoisonError::into_inner);
        ready.get(&key).cloned()
    }

    /// A key, which is loaded now if it is not yet.
    pub(super) fn get(&self, key: Key) -> Result<Arc<EvaluationKeys>, WireError> {
        if let Some(ready) = self.known(key) {
            return Ok(ready);
        }
        let form = match self.expanded.contains(&key) {
            true => KeyForm::Expanded,
            false => KeyForm::Streamed,
        };
        // No lock is held while a key is expanded in parallel: a worker that waits there may be given another
        // instruction that needs the lock.
        let loaded = self.source.load(key, form)?;
        let mut ready = self.ready.write().unwrap_or_else(PoisonError::into_inner);
        Ok(ready.entry(key).or_insert(loaded).clone())
    }

    /// Loads a key, or prefetches it when it was released.
    pub(super) fn prepare(&self, key: Key) -> Result<(), WireError> {
        if self.known(key).is_some() && !self.expanded.contains(&key) {
            self.source.fetch(key);
            return Ok(());
        }
        self.get(key).map(drop)
    }

    /// Releases the memory behind a streamed key.
    pub(super) fn release(&self, key: Key) {
        self.source.release(key);
    }
}
