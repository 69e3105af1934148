//! A table beside an arena, with the result of an analysis for each row.

use super::{Arena, Entity, foreign};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A row for every row of an [`Arena`], addressed by the keys of that arena.
///
/// It is made from the arena, so every key that the arena has given out until then has a row. Access is by `map[key]`. A key
/// without a row is the key of another table, or of a row that was pushed later: a defect of the program, whatever its input.
/// The rule for such a key is that of `Vec`: access panics and says which key is missing. There is no value to fall back to,
/// because a value that was made up leads to a wrong circuit. `peregrine_compiler::pipeline` turns the panic into an internal
/// error of the compilation. Keys that were read from a file and are not verified are for [`Arena::get`].
///
/// ```
/// use peregrine_ir::{Arena, SecondaryMap, Value};
///
/// let mut names: Arena<Value, &str> = Arena::new();
/// let [x, y] = ["x", "y"].map(|name| names.push(name));
/// let mut uses = SecondaryMap::filled(&names, 0);
/// uses[y] += 2;
/// assert_eq!([uses[x], uses[y]], [0, 2]);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SecondaryMap<K, V> {
    rows: Vec<V>,
    key: PhantomData<K>,
}

impl<K: Entity, V> SecondaryMap<K, V> {
    /// A map with the same value in every row.
    pub fn filled<T>(table: &Arena<K, T>, value: V) -> Self
    where
        V: Clone,
    {
        vec![value; table.len()].into()
    }

    /// A map with a value computed from each row of the arena, in order.
    pub fn from_fn<T>(table: &Arena<K, T>, mut value: impl FnMut(K, &T) -> V) -> Self {
        let rows: Vec<V> = table.iter().map(|(key, row)| value(key, row)).collect();
        rows.into()
    }

    /// A map whose value for each row is computed from that row and the values of all rows before it, in order: a forward
    /// analysis of a program, whose operands come first.
    pub fn in_order<T>(table: &Arena<K, T>, mut value: impl FnMut(&Self, K, &T) -> V) -> Self {
        let mut map: Self = Vec::with_capacity(table.len()).into();
        for (key, row) in table.iter() {
            let value = value(&map, key, row);
            map.rows.push(value);
        }
        map
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the map has no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All keys and values in the order of the arena.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (K, &V)> + ExactSizeIterator {
        let rows = self.rows.iter().enumerate();
        rows.map(|(i, value)| (K::new(i as u32), value))
    }

    /// All values in the order of the arena.
    pub fn values(&self) -> std::slice::Iter<'_, V> {
        self.rows.iter()
    }

    /// All values in the order of the arena, mutably.
    pub fn values_mut(&mut self) -> std::slice::IterMut<'_, V> {
        self.rows.iter_mut()
    }
}

impl<K: Entity, V> SecondaryMap<K, Option<V>> {
    /// The value of a row that has been set, in a map of optional values.
    ///
    /// # Panics
    /// When the row does not exist or has not been set, by the rule of [`SecondaryMap`].
    pub fn known(&self, key: K) -> &V {
        match &self[key] {
            Some(value) => value,
            None => unset(key),
        }
    }
}

#[cold]
#[expect(
    clippy::panic,
    reason = "a row that was not set has no value to fall back to"
)]
fn unset<K: Entity>(key: K) -> ! {
    panic!("the row of {key} is used before it is set")
}

impl<K, V> From<Vec<V>> for SecondaryMap<K, V> {
    fn from(rows: Vec<V>) -> Self {
        let key = PhantomData;
        Self { rows, key }
    }
}

impl<K: Entity, V> Index<K> for SecondaryMap<K, V> {
    type Output = V;

    fn index(&self, key: K) -> &V {
        match self.rows.get(key.index()) {
            Some(value) => value,
            None => foreign(key, self.rows.len()),
        }
    }
}

impl<K: Entity, V> IndexMut<K> for SecondaryMap<K, V> {
    fn index_mut(&mut self, key: K) -> &mut V {
        let len = self.rows.len();
        match self.rows.get_mut(key.index()) {
            Some(value) => value,
            None => foreign(key, len),
        }
    }
}

impl<K: Entity, V: fmt::Debug> fmt::Debug for SecondaryMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Value;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn arena(rows: u32) -> Arena<Value, u32> {
        (0..rows).collect()
    }

    /// What a panic says.
    fn said(f: impl FnOnce()) -> String {
        let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("access of a foreign key");
        payload.downcast_ref::<String>().cloned().expect("a text")
    }

    #[test]
    fn a_map_has_a_row_for_each_of_its_arena() {
        let arena = arena(3);
        let mut doubled = SecondaryMap::from_fn(&arena, |_, row| 2 * row);
        doubled[Value(1)] += 5;
        assert_eq!(doubled.values().copied().collect::<Vec<_>>(), [0, 7, 4]);
        let sums = SecondaryMap::in_order(&arena, |before: &SecondaryMap<Value, u32>, _, row| {
            before.values().last().copied().unwrap_or(0) + row
        });
        assert_eq!(
            sums.iter().map(|(key, &v)| (key.0, v)).collect::<Vec<_>>(),
            [(0, 0), (1, 1), (2, 3)]
        );
    }

    #[test]
    fn a_foreign_key_is_loud() {
        let mut map = SecondaryMap::filled(&arena(2), 0);
        let table = arena(1);
        let of_another = "v2 is the key of another table: this one has 2 rows";
        assert_eq!(said(|| assert_eq!(map[Value(2)], 0)), of_another);
        assert_eq!(said(|| map[Value(2)] = 1), of_another);
        assert!(said(|| assert_eq!(table[Value(1)], 0)).starts_with("v1 is the key"));
        let set: SecondaryMap<Value, Option<u32>> = SecondaryMap::filled(&table, None);
        assert_eq!(
            said(|| assert_eq!(*set.known(Value(0)), 0)),
            "the row of v0 is used before it is set"
        );
    }
}
