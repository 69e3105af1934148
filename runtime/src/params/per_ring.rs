//! One thing for each ring that levels are in.

/// A thing of the main ring and, if there is a small one, the same of that; found by level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerRing<T> {
    main: T,
    /// With the number of levels that are in it, the lowest ones.
    small: Option<(usize, T)>,
}

impl<T> PerRing<T> {
    pub(super) fn new(main: T, small: Option<(usize, T)>) -> Self {
        Self { main, small }
    }

    /// That of the main ring.
    pub fn main(&self) -> &T {
        &self.main
    }

    /// That of the small ring.
    pub fn small(&self) -> Option<&T> {
        self.small.as_ref().map(|(_, small)| small)
    }

    /// That of the ring of a level.
    pub fn at(&self, level: usize) -> &T {
        match &self.small {
            Some((levels, small)) if level < *levels => small,
            _ => &self.main,
        }
    }

    /// Makes another thing of each, that of the main ring first.
    ///
    /// # Errors
    /// The first.
    pub fn try_map<U, E>(&self, mut f: impl FnMut(&T) -> Result<U, E>) -> Result<PerRing<U>, E> {
        let main = f(&self.main)?;
        let small = self.small.as_ref();
        let small = small.map(|(levels, small)| Ok((*levels, f(small)?)));
        Ok(PerRing::new(main, small.transpose()?))
    }

    /// Makes another thing of each, that of the main ring first.
    pub fn map<U>(&self, mut f: impl FnMut(&T) -> U) -> PerRing<U> {
        let main = f(&self.main);
        let small = self.small.as_ref();
        PerRing::new(main, small.map(|(levels, small)| (*levels, f(small))))
    }

    /// Makes one thing of two, for the rings that both are of.
    pub fn zip<U, V>(&self, other: &PerRing<U>, mut f: impl FnMut(&T, &U) -> V) -> PerRing<V> {
        let main = f(&self.main, &other.main);
        let small = self.small.as_ref().zip(other.small());
        let small = small.map(|((levels, small), other)| (*levels, f(small, other)));
        PerRing::new(main, small)
    }
}
