//! Reading files with limits, and writing them whole or not at all.
//!
//! | file | what |
//! |---|---|
//! | `place` | where files are |
//! | `read` | reading them, with limits |
//! | `new` | new files: what they may replace, how they get to their places alone or together |
//! | `unfinished` | files while they are written: without a name, or with a temporary one |
//! | `signals` | signals find no temporary file |
//!
//! Secret keys are readable by their owner only, from the first byte on, and no verb but a forced `keygen` replaces one.

mod new;
mod place;
mod read;
mod signals;
mod unfinished;

pub use new::{Existing, NewFile, commit_together, lock};
pub use place::distinct;
pub use read::{circuit, client, interface, key_file, open, profile, read, read_secret};
pub use unfinished::Readers;
