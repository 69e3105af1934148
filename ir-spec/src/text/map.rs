//! Source maps: the places of the entities of a parsed circuit in its text.

use crate::verify::Subject;
use std::collections::HashMap;

/// The line of every entity of a parsed circuit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceMap {
    lines: HashMap<Subject, u32>,
}

impl SourceMap {
    /// The line of an entity, counted from 1; the first line for an entity that has no place of its own.
    pub fn line(&self, subject: Subject) -> u32 {
        self.lines.get(&subject).copied().unwrap_or(1)
    }

    pub(super) fn note(&mut self, subject: Subject, line: u32) {
        self.lines.insert(subject, line);
    }
}
