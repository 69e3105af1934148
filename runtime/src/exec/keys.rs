//! The evaluation keys of a run: where they come from, and those in memory now.

use crate::rlwe::EvaluationKeys;
use crate::wire::WireError;
use peregrine_ir::binary::Fingerprint;
use peregrine_ir::{KeyKind, Level};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// How long a key stays in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum KeyResidence {
    /// Always: its source holds it.
    Held,
    /// From its first use on.
    All,
    /// From its first use to its last.
    WhileUsed,
    /// Until it is not used in this many waves that follow; read again when it is.
    Near(u32),
}

/// Where keys come from: a mapped file, or memory.
pub trait KeySource: fmt::Debug + Send + Sync {
    /// The circuit the keys were made for.
    fn fingerprint(&self) -> Fingerprint;

    /// The keys there are, each with the highest level it serves.
    fn levels(&self) -> &BTreeMap<KeyKind, Level>;

    /// How long keys must stay: [`KeyResidence::Held`] if the source holds them anyway.
    fn residence(&self) -> KeyResidence;

    /// One key, alone in its set.
    ///
    /// # Errors
    /// When there is no such key or it is damaged.
    fn load(&self, kind: KeyKind) -> Result<Arc<EvaluationKeys>, WireError>;
}

/// Keys held in memory.
#[derive(Clone, Debug)]
pub struct HeldKeys {
    fingerprint: Fingerprint,
    levels: BTreeMap<KeyKind, Level>,
    keys: BTreeMap<KeyKind, Arc<EvaluationKeys>>,
}

impl HeldKeys {
    /// No keys yet for a circuit.
    pub fn new(fingerprint: Fingerprint) -> Self {
        Self {
            fingerprint,
            levels: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }

    /// Adds a key that serves up to a level.
    pub fn insert(&mut self, kind: KeyKind, level: Level, key: crate::rlwe::EvaluationKey) {
        self.levels.insert(kind, level);
        let alone = EvaluationKeys::from_iter([key]);
        self.keys.insert(kind, Arc::new(alone));
    }
}

impl KeySource for HeldKeys {
    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn levels(&self) -> &BTreeMap<KeyKind, Level> {
        &self.levels
    }

    fn residence(&self) -> KeyResidence {
        KeyResidence::Held
    }

    fn load(&self, kind: KeyKind) -> Result<Arc<EvaluationKeys>, WireError> {
        let key = self.keys.get(&kind).cloned();
        key.ok_or(WireError::NoKey { kind })
    }
}

/// The keys in memory now.
#[derive(Debug)]
pub(super) struct KeyRing {
    source: Arc<dyn KeySource>,
    loaded: RwLock<BTreeMap<KeyKind, Arc<EvaluationKeys>>>,
}

impl KeyRing {
    pub(super) fn new(source: Arc<dyn KeySource>) -> Self {
        Self {
            source,
            loaded: RwLock::default(),
        }
    }

    pub(super) fn levels(&self) -> &BTreeMap<KeyKind, Level> {
        self.source.levels()
    }

    /// A key, read now if it is not in memory.
    pub(super) fn get(&self, kind: KeyKind) -> Result<Arc<EvaluationKeys>, WireError> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = loaded.get(&kind) {
            return Ok(key.clone());
        }
        drop(loaded);
        // No lock is held while a key is expanded in parallel: a worker that waits there may be given another
        // instruction that needs the lock.
        let key = self.source.load(kind)?;
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        Ok(loaded.entry(kind).or_insert(key).clone())
    }

    pub(super) fn release(&self, kind: KeyKind) {
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        loaded.remove(&kind);
    }
}
