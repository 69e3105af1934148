//! Entities: small typed indices that name the rows of a circuit's tables.
//!
//! Each table of a [`crate::Circuit`] is an [`Arena`] addressed by its own index type, so a constant cannot be
//! mistaken for a value. An entity prints exactly as the text form spells it (`v12`, `c3`, `op1`). What an analysis finds of
//! each row is in a [`SecondaryMap`].

mod secondary;

pub use secondary::SecondaryMap;

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// An index type of the rows of an [`Arena`].
pub trait Entity: Copy + Eq + Ord + fmt::Debug + fmt::Display {
    /// The prefix that the text form writes before the number.
    const PREFIX: &'static str;
    /// The entity with the number `index`.
    fn new(index: u32) -> Self;
    /// The number of the entity: its row in the table.
    fn index(self) -> usize;
}

/// Defines index types of tables, each with the prefix under which it prints.
///
/// ```
/// use peregrine_ir::{Arena, Entity};
///
/// peregrine_ir::entities! {
///     /// A step of a plan.
///     pub Step = "step";
/// }
///
/// let mut steps: Arena<Step, &str> = Arena::new();
/// let first = steps.push("begin");
/// assert_eq!((first.to_string(), steps[first]), ("step0".to_owned(), "begin"));
/// ```
#[macro_export]
macro_rules! entities {
    ($($(#[$doc:meta])* $vis:vis $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        $vis struct $name(pub u32);

        impl $crate::Entity for $name {
            const PREFIX: &'static str = $prefix;
            fn new(index: u32) -> Self {
                Self(index)
            }
            fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    )*};
}

entities! {
    /// A value of the straight-line program: a ciphertext, a plaintext or the digits of a ciphertext.
    pub Value = "v";
    /// A prime of the pool from which the levels are drawn.
    pub Prime = "q";
    /// A special prime, present only in extended ciphertexts (modulus `Q_l * P`).
    pub SpecialPrime = "p";
    /// A ring of the table of rings.
    pub RingId = "r";
    /// A node of the ONNX graph, for provenance.
    pub Node = "n";
    /// A packing of a tensor into ciphertext slots.
    pub LayoutId = "l";
    /// A weight tensor.
    pub TensorId = "w";
    /// An operator between packed tensors, from which constants are cut.
    pub OperatorId = "op";
    /// A constant: a recipe for a plaintext or a scalar.
    pub Const = "c";
    /// A function that instructions call.
    pub FunctionId = "f";
}

/// A table addressed by its own entity type, filled in order and never shrunk.
///
/// `arena[key]` is for keys that this table gave out; it panics for others, by the rule of [`SecondaryMap`]. [`Arena::get`] is
/// for keys that may be of another table, as those of a file that is not verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Arena<K, V> {
    rows: Vec<V>,
    key: PhantomData<K>,
}

impl<K: Entity, V> Arena<K, V> {
    /// An empty table.
    pub fn new() -> Self {
        Self {
            rows: Vec::new(),
            key: PhantomData,
        }
    }

    /// Appends a row and returns its key.
    pub fn push(&mut self, row: V) -> K {
        let key = K::new(self.rows.len() as u32);
        self.rows.push(row);
        key
    }

    /// The row of `key`; `None` where the table has no such row.
    pub fn get(&self, key: K) -> Option<&V> {
        self.rows.get(key.index())
    }

    /// The row of `key`, mutably; `None` where the table has no such row.
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        self.rows.get_mut(key.index())
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the table has no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The key that the next row will get.
    pub fn next_key(&self) -> K {
        K::new(self.rows.len() as u32)
    }

    /// All keys and rows in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (K, &V)> + ExactSizeIterator {
        self.rows
            .iter()
            .enumerate()
            .map(|(i, row)| (K::new(i as u32), row))
    }

    /// All keys in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = K> + ExactSizeIterator + use<K, V> {
        (0..self.rows.len() as u32).map(K::new)
    }

    /// All rows in order.
    pub fn values(&self) -> std::slice::Iter<'_, V> {
        self.rows.iter()
    }

    /// All rows in order, as a slice.
    pub fn as_slice(&self) -> &[V] {
        &self.rows
    }

    /// All rows in order, mutably.
    pub fn values_mut(&mut self) -> std::slice::IterMut<'_, V> {
        self.rows.iter_mut()
    }
}

#[cold]
#[expect(
    clippy::panic,
    reason = "a key of another table has no row to fall back to"
)]
fn foreign<K: Entity>(key: K, rows: usize) -> ! {
    panic!("{key} is the key of another table: this one has {rows} rows")
}

impl<K: Entity, V> Index<K> for Arena<K, V> {
    type Output = V;

    fn index(&self, key: K) -> &V {
        match self.get(key) {
            Some(row) => row,
            None => foreign(key, self.len()),
        }
    }
}

impl<K: Entity, V> IndexMut<K> for Arena<K, V> {
    fn index_mut(&mut self, key: K) -> &mut V {
        let rows = self.len();
        match self.get_mut(key) {
            Some(row) => row,
            None => foreign(key, rows),
        }
    }
}

impl<K: Entity, V> Default for Arena<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Entity, V: fmt::Debug> fmt::Debug for Arena<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Entity, V> FromIterator<V> for Arena<K, V> {
    fn from_iter<I: IntoIterator<Item = V>>(rows: I) -> Self {
        Self {
            rows: rows.into_iter().collect(),
            key: PhantomData,
        }
    }
}
