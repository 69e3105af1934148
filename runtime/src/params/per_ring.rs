//! One thing for each ring that levels are in.

/// One item for each ring of a table of rings, found by ring or by level. There is at least one ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerRing<T> {
    first: T,
    rest: Vec<T>,
    /// The ring of each level, by level.
    levels: Vec<usize>,
}

impl<T> PerRing<T> {
    /// The items of all rings in the order of the table, with the ring of each level; `None` where there is no ring.
    pub(super) fn new(rings: Vec<T>, levels: Vec<usize>) -> Option<Self> {
        let mut rings = rings.into_iter();
        Some(Self {
            first: rings.next()?,
            rest: rings.collect(),
            levels,
        })
    }

    /// The item of a ring, by the ring's number in the table.
    pub fn get(&self, ring: usize) -> Option<&T> {
        match ring.checked_sub(1) {
            None => Some(&self.first),
            Some(other) => self.rest.get(other),
        }
    }

    /// The item of the ring of a level; that of the first ring for a level that does not exist.
    pub fn at(&self, level: usize) -> &T {
        self.get(self.ring_of(level)).unwrap_or(&self.first)
    }

    /// The number of the ring of a level; 0 for a level that does not exist.
    pub fn ring_of(&self, level: usize) -> usize {
        self.levels.get(level).copied().unwrap_or(0)
    }

    /// The items of all rings, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// Maps the item of each ring, in the order of the table, until an error.
    ///
    /// # Errors
    /// The first.
    pub fn try_map<U, E>(&self, mut f: impl FnMut(&T) -> Result<U, E>) -> Result<PerRing<U>, E> {
        Ok(PerRing {
            first: f(&self.first)?,
            rest: self.rest.iter().map(f).collect::<Result<_, E>>()?,
            levels: self.levels.clone(),
        })
    }

    /// Maps the item of each ring, in the order of the table.
    pub fn map<U>(&self, mut f: impl FnMut(&T) -> U) -> PerRing<U> {
        PerRing {
            first: f(&self.first),
            rest: self.rest.iter().map(f).collect(),
            levels: self.levels.clone(),
        }
    }

    /// Joins the items of the rings that both tables have, in the order of the table.
    pub fn zip<U, V>(&self, other: &PerRing<U>, mut f: impl FnMut(&T, &U) -> V) -> PerRing<V> {
        let first = f(&self.first, &other.first);
        let rest = self.rest.iter().zip(&other.rest);
        PerRing {
            first,
            rest: rest.map(|(own, other)| f(own, other)).collect(),
            levels: self.levels.clone(),
        }
    }
}
