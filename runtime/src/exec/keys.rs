//! The evaluation keys of a run: where they come from, and those in memory now.

use crate::rlwe::EvaluationKeys;
use crate::wire::WireError;
use peregrine_ir::binary::Fingerprint;
use peregrine_ir::{KeyKind, Level};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// What a source does with its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum KeyResidence {
    /// Holds all of them in memory, expanded.
    Held,
    /// Has them packed, and in memory only where they are used.
    Stored,
}

/// How a key is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// Expanded once, for all uses.
    Expanded,
    /// As it is stored, and expanded block by block at each use.
    Streamed,
}

/// Where keys come from: a mapped file, or memory.
pub trait KeySource: fmt::Debug + Send + Sync {
    /// The circuit the keys were made for.
    fn fingerprint(&self) -> Fingerprint;

    /// The keys there are, each with the highest level it serves.
    fn levels(&self) -> &BTreeMap<KeyKind, Level>;

    /// Whether it holds them in memory.
    fn residence(&self) -> KeyResidence;

    /// One key, alone in its set; in another form than the one asked for if the source holds it so.
    ///
    /// # Errors
    /// When there is no such key or it is damaged.
    fn load(&self, kind: KeyKind, form: KeyForm) -> Result<Arc<EvaluationKeys>, WireError>;

    /// Brings a streamed key back into memory that was released; not needed, but faster than letting its uses do so.
    fn fetch(&self, kind: KeyKind);

    /// Lets go of the memory behind a streamed key; the key remains usable.
    fn release(&self, kind: KeyKind);
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

    fn load(&self, kind: KeyKind, _: KeyForm) -> Result<Arc<EvaluationKeys>, WireError> {
        let key = self.keys.get(&kind).cloned();
        key.ok_or(WireError::NoKey { kind })
    }

    fn fetch(&self, _: KeyKind) {}

    fn release(&self, _: KeyKind) {}
}

/// The keys that were checked and are ready.
#[derive(Debug)]
pub(super) struct KeyRing {
    source: Arc<dyn KeySource>,
    expanded: BTreeSet<KeyKind>,
    ready: RwLock<BTreeMap<KeyKind, Arc<EvaluationKeys>>>,
}

impl KeyRing {
    /// Those in `expanded` are, if their source does not decide that.
    pub(super) fn new(source: Arc<dyn KeySource>, expanded: BTreeSet<KeyKind>) -> Self {
        Self {
            source,
            expanded,
            ready: RwLock::default(),
        }
    }

    pub(super) fn levels(&self) -> &BTreeMap<KeyKind, Level> {
        self.source.levels()
    }

    fn known(&self, kind: KeyKind) -> Option<Arc<EvaluationKeys>> {
        let ready = self.ready.read().unwrap_or_else(PoisonError::into_inner);
        ready.get(&kind).cloned()
    }

    /// A key, made ready now if it is not.
    pub(super) fn get(&self, kind: KeyKind) -> Result<Arc<EvaluationKeys>, WireError> {
        if let Some(key) = self.known(kind) {
            return Ok(key);
        }
        let form = match self.expanded.contains(&kind) {
            true => KeyForm::Expanded,
            false => KeyForm::Streamed,
        };
        // No lock is held while a key is expanded in parallel: a worker that waits there may be given another
        // instruction that needs the lock.
        let key = self.source.load(kind, form)?;
        let mut ready = self.ready.write().unwrap_or_else(PoisonError::into_inner);
        Ok(ready.entry(kind).or_insert(key).clone())
    }

    /// Brings a key into memory.
    pub(super) fn prepare(&self, kind: KeyKind) -> Result<(), WireError> {
        if self.known(kind).is_some() && !self.expanded.contains(&kind) {
            self.source.fetch(kind);
            return Ok(());
        }
        self.get(kind).map(drop)
    }

    /// Lets go of the memory behind a streamed key.
    pub(super) fn release(&self, kind: KeyKind) {
        self.source.release(kind);
    }
}
