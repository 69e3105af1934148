//! Reading files with limits, and writing them whole or not at all.
//!
//! A new file is written beside its final place under a temporary name, flushed to disk, and renamed at the very end. A
//! verb that fails leaves nothing behind and what was there before untouched. Secret keys are readable by their owner
//! only, from the first byte on, and no verb but a forced `keygen` replaces one.

use crate::error::{Error, FileProblem};
use crate::report;
use peregrine_compiler::cost::{CostModel, Profile};
use peregrine_ir::{Container, FileKind, Interface, Verified, binary};
use peregrine_runtime::client::Client;
use peregrine_runtime::server::ServerError;
use peregrine_runtime::wire::{self, KeyFile};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use tempfile::{Builder, NamedTempFile};
use zeroize::Zeroizing;

/// Most bytes of a file that is read at once.
const LIMIT: u64 = 16 << 30;
/// Most bytes of a secret key: one per coefficient, and a header.
const SECRET_LIMIT: u64 = 1 << 20;

/// All of a file.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(Error::reading(path))?;
    let mut bytes = Vec::new();
    let read = file.take(LIMIT + 1).read_to_end(&mut bytes);
    read.map_err(Error::reading(path))?;
    if bytes.len() as u64 > LIMIT {
        return Err(Error::file(
            path,
            FileProblem::TooLarge {
                what: "a file",
                limit: LIMIT,
            },
        ));
    }
    Ok(bytes)
}

/// All of a secret key, wiped when dropped.
pub fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let file = File::open(path).map_err(Error::reading(path))?;
    // One allocation: growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_LIMIT as usize + 64));
    let read = file.take(SECRET_LIMIT + 1).read_to_end(&mut bytes);
    read.map_err(Error::reading(path))?;
    if bytes.len() as u64 > SECRET_LIMIT {
        let limit = SECRET_LIMIT;
        return Err(Error::file(
            path,
            FileProblem::TooLarge {
                what: "a secret key",
                limit,
            },
        ));
    }
    Ok(bytes)
}

/// A circuit; warns when it is not secure.
pub fn circuit(path: &Path) -> Result<Verified, Error> {
    let circuit = binary::read_circuit(&read(path)?).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    report::meet(&circuit.name, circuit.security);
    Ok(circuit)
}

/// A client interface; warns when it is not secure.
pub fn interface(path: &Path) -> Result<Interface, Error> {
    let interface = binary::read_interface(&read(path)?).map_err(|source| Error::Read {
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
    let bytes = wire::map_file(path).map_err(Error::reading(path))?;
    let file = KeyFile::open(bytes).map_err(ServerError::from);
    file.map_err(Error::server(path))
}

/// Keeps other processes that ask for the same from replacing a file, until dropped; nothing where there is no file.
pub fn lock(path: &Path) -> Result<Option<File>, Error> {
    loop {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::reading(path)(error)),
        };
        file.lock().map_err(Error::reading(path))?;
        // Whoever had the lock may have put another file in its place.
        if is_at(&file, path) {
            return Ok(Some(file));
        }
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |known: fs::Metadata| (known.dev(), known.ino());
    let at = fs::metadata(path).map(identity);
    file.metadata().map(identity).ok() == at.ok()
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// The cost model of a machine: the profile in a file, or the built-in one.
pub fn cost_model(profile: Option<&Path>) -> Result<CostModel, Error> {
    let Some(path) = profile else {
        return Ok(CostModel::default());
    };
    let json = String::from_utf8_lossy(&read(path)?).into_owned();
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

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// As the umask says.
    Anyone,
    /// The owner only.
    Owner,
}

/// A file being written.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    out: BufWriter<NamedTempFile>,
}

impl NewFile {
    /// Starts a file that may replace anything but a secret key.
    pub fn create(path: &Path) -> Result<Self, Error> {
        if holds_secret_key(path) {
            return Err(Error::file(path, FileProblem::SecretKey));
        }
        Self::replace(path, Readers::Anyone)
    }

    /// Starts a file that may replace anything.
    pub fn replace(path: &Path, readers: Readers) -> Result<Self, Error> {
        if fs::metadata(path).is_ok_and(|known| !known.is_file()) {
            return Err(Error::file(path, FileProblem::NotRegular));
        }
        // What a symbolic link leads to is written, not the link.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let temporary = temporary(&target, readers).map_err(Error::writing(path))?;
        Ok(Self {
            path: target,
            out: BufWriter::new(temporary),
        })
    }

    /// Where to write.
    pub fn out(&mut self) -> &mut BufWriter<NamedTempFile> {
        &mut self.out
    }

    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out
            .write_all(bytes)
            .map_err(Error::writing(&self.path))
    }

    /// Moves the file to its place; its length.
    pub fn commit(self) -> Result<u64, Error> {
        let (file, length, path) = self.flush()?;
        let moved = file.persist(&path).map(drop);
        moved.map_err(|e| Error::writing(&path)(e.error))?;
        Ok(length)
    }

    /// Moves the file to its place unless there is one; its length.
    pub fn commit_new(self) -> Result<u64, Error> {
        let (file, length, path) = self.flush()?;
        let moved = file.persist_noclobber(&path).map(drop);
        moved.map_err(|e| match e.error.kind() {
            io::ErrorKind::AlreadyExists => Error::file(&path, FileProblem::Exists),
            _ => Error::writing(&path)(e.error),
        })?;
        Ok(length)
    }

    fn flush(self) -> Result<(NamedTempFile, u64, PathBuf), Error> {
        let Self { path, out } = self;
        let write = || {
            let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.as_file().sync_all()?;
            let length = file.as_file().metadata()?.len();
            Ok((file, length))
        };
        let (file, length) = write().map_err(Error::writing(&path))?;
        Ok((file, length, path))
    }
}

fn temporary(target: &Path, readers: Readers) -> io::Result<NamedTempFile> {
    let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let prefix = format!(".{}.", name.to_string_lossy());
    let mut builder = Builder::new();
    builder.prefix(&prefix).suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = match readers {
            Readers::Anyone => 0o666,
            Readers::Owner => 0o600,
        };
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = readers;
    builder.tempfile_in(folder(target))
}

/// Whether a path leads to a secret key, which must not be lost.
fn holds_secret_key(path: &Path) -> bool {
    let small = fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() <= SECRET_LIMIT);
    let kind = |bytes: Zeroizing<Vec<u8>>| Container::parse(&bytes).ok().map(|c| c.kind());
    small && read_secret(path).ok().and_then(kind) == Some(FileKind::SecretKey)
}
