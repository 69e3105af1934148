//! Files of evaluation keys: written key by key, described by themselves, read key by key.
//!
//! 1. [`KeyWriter`] writes keys of one pair, whatever circuits they are for.
//! 2. [`KeyFile`] opens such a file: it knows the shape of each key, and nothing of circuits.
//! 3. [`StoredKeys`] finds in one or more of them the keys that a circuit needs, and reads each when it is first used.

mod bytes;
mod file;
mod header;
mod stored;
mod write;

pub use bytes::KeyBytes;
pub use file::KeyFile;
pub use stored::StoredKeys;
pub use write::{KeyWriter, PackedKey};
