//! Reading files with limits, and writing them whole or not at all.
//!
//! | file | what |
//! |---|---|
//! | `content` | what a file is, and what to do with the wrong one |
//! | `new` | new files: what they may replace, how they get to their places alone or together |
//! | `unfinished` | files while they are written: without a name, or with a temporary one |
//! | `signals` | signals find no temporary file |
//!
//! Secret keys are readable by their owner only, from the first byte on, and no verb but a forced `keygen` replaces one.

mod content;
mod new;
mod signals;
mod unfinished;

pub use content::{Content, Wanted};
pub use new::{Existing, NewFile, commit_together, lock};
pub use unfinished::Readers;

use crate::error::{Error, FileProblem};
use crate::report;
use peregrine_ir::cost::{CostModel, Profile};
use peregrine_ir::{FileKind, Interface, Verified, binary};
use peregrine_runtime::client::Client;
use peregrine_runtime::server::ServerError;
use peregrine_runtime::wire::{KeyBytes, KeyFile};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use zeroize::Zeroizing;

/// Most bytes of a file that is read at once.
const LIMIT: u64 = 16 << 30;
/// Most bytes of a secret key: one per coefficient, and a header.
const SECRET_LIMIT: u64 = 1 << 20;

/// All of a file that should be of some kind.
pub fn read(path: &Path, wanted: Wanted) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let limit = Limit {
        bytes: LIMIT,
        of: "a file",
    };
    read_to(&mut bytes, path, wanted, limit)?;
    Ok(bytes)
}

/// All of a secret key, wiped when dropped.
pub fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    // One allocation: growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_LIMIT as usize + 64));
    let limit = Limit {
        bytes: SECRET_LIMIT,
        of: "a secret key",
    };
    read_to(&mut bytes, path, Wanted::Own(FileKind::SecretKey), limit)?;
    Ok(bytes)
}

struct Limit {
    bytes: u64,
    of: &'static str,
}

fn read_to(bytes: &mut Vec<u8>, path: &Path, wanted: Wanted, limit: Limit) -> Result<(), Error> {
    let file = open(path, wanted)?;
    let read = file.take(limit.bytes + 1).read_to_end(bytes);
    read.map_err(Error::reading(path))?;
    if bytes.len() as u64 > limit.bytes {
        let (what, limit) = (limit.of, limit.bytes);
        return Err(Error::file(path, FileProblem::TooLarge { what, limit }));
    }
    Ok(())
}

/// Opens a file if it begins as one of some kind does.
pub fn open(path: &Path, wanted: Wanted) -> Result<File, Error> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::file(path, FileProblem::Absent(wanted, error)),
        _ => Error::reading(path)(error),
    })?;
    let regular = file.metadata().is_ok_and(|known| known.is_file());
    let folder = file.metadata().is_ok_and(|known| known.is_dir());
    if !regular && !folder {
        // A pipe is read once.
        return Ok(file);
    }
    let found = Content::at(path).map_err(Error::reading(path))?;
    if !wanted.fits(&found) {
        return Err(Error::file(path, FileProblem::Content { found, wanted }));
    }
    Ok(file)
}

/// A circuit; warns when it is not secure.
pub fn circuit(path: &Path) -> Result<Verified, Error> {
    let bytes = read(path, Wanted::Own(FileKind::Circuit))?;
    let circuit = binary::read_circuit(&bytes).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    report::meet(&circuit.name, circuit.security);
    Ok(circuit)
}

/// A client interface; warns when it is not secure.
pub fn interface(path: &Path) -> Result<Interface, Error> {
    let bytes = read(path, Wanted::Own(FileKind::Interface))?;
    let interface = binary::read_interface(&bytes).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    report::meet(interface.name(), interface.security());
    Ok(interface)
}

/// The client of an interface in a file.
pub fn client(path: &Path) -> Result<Client, Error> {
    Client::new(interface(path)?).map_err(Error::client(path))
}

/// A file of evaluation keys, mapped.
pub fn key_file(path: &Path) -> Result<KeyFile, Error> {
    let file = open(path, Wanted::Own(FileKind::EvaluationKeys))?;
    let bytes = KeyBytes::map(&file).map_err(Error::reading(path))?;
    let file = KeyFile::open(bytes).map_err(ServerError::from);
    file.map_err(Error::server(path))
}

/// The cost model of a machine: the profile in a file, or the built-in one.
pub fn cost_model(profile: Option<&Path>) -> Result<CostModel, Error> {
    let Some(path) = profile else {
        return Ok(CostModel::default());
    };
    let json = String::from_utf8_lossy(&read(path, Wanted::Profile)?).into_owned();
    let model = Profile::parse(&json).and_then(CostModel::new);
    model.map_err(|source| Error::Profile {
        path: path.to_owned(),
        source,
    })
}

/// Whether two paths name the same file, which need not exist.
pub fn same(a: &Path, b: &Path) -> bool {
    let place = |path: &Path| {
        let folder = folder(path).canonicalize().ok()?;
        let path = folder.join(path.file_name()?);
        Some(path.canonicalize().unwrap_or(path))
    };
    a == b || place(a).is_some_and(|a| place(b) == Some(a))
}

/// Refuses one file in two roles.
pub fn distinct(roles: &[(&'static str, &Path)]) -> Result<(), Error> {
    for (i, (role, path)) in roles.iter().enumerate() {
        for (other, earlier) in roles.iter().take(i) {
            if same(path, earlier) {
                return Err(Error::file(path, FileProblem::Twice(other, role)));
            }
        }
    }
    Ok(())
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
