//! Reading files, with limits.

use crate::program::content::{Content, Wanted};
use crate::program::error::{Error, FileProblem};
use crate::program::warn::Promises;
use peregrine::{Client, CostModel, Interface, KeyBytes, KeyFile, Profile, ServerError, Verified};
use peregrine_ir::{FileKind, binary};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use zeroize::Zeroizing;

/// Most bytes of a file that is read at once.
const LIMIT: u64 = 16 << 30;
/// Most bytes of a secret key: one per coefficient, and a header.
const SECRET_LIMIT: u64 = 1 << 20;

/// Reads all of a file that should be of some kind.
pub fn read(path: &Path, wanted: Wanted) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let limit = Limit {
        bytes: LIMIT,
        of: "a file",
    };
    read_to(&mut bytes, path, wanted, limit)?;
    Ok(bytes)
}

/// Reads all of a secret key; wiped when dropped.
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

/// Reads a circuit; warns when it is not secure.
pub fn circuit(path: &Path, promises: &mut Promises) -> Result<Verified, Error> {
    let bytes = read(path, Wanted::Own(FileKind::Circuit))?;
    let circuit = binary::read_circuit(&bytes).map_err(Error::about(path))?;
    promises.meet(&circuit.name, circuit.security);
    Ok(circuit)
}

/// Reads a client interface; warns when it is not secure.
pub fn interface(path: &Path, promises: &mut Promises) -> Result<Interface, Error> {
    let bytes = read(path, Wanted::Own(FileKind::Interface))?;
    let interface = binary::read_interface(&bytes).map_err(Error::about(path))?;
    promises.meet(interface.name(), interface.security());
    Ok(interface)
}

/// Reads a client interface and makes its client.
pub fn client(path: &Path, promises: &mut Promises) -> Result<Client, Error> {
    Client::new(interface(path, promises)?).map_err(Error::about(path))
}

/// Maps a file of evaluation keys.
pub fn key_file(path: &Path) -> Result<KeyFile, Error> {
    let file = open(path, Wanted::Own(FileKind::EvaluationKeys))?;
    let bytes = KeyBytes::map(&file).map_err(Error::reading(path))?;
    let file = KeyFile::open(bytes).map_err(ServerError::from);
    file.map_err(Error::about(path))
}

/// Reads the profile of a machine.
pub fn profile(path: &Path) -> Result<Profile, Error> {
    let json = String::from_utf8_lossy(&read(path, Wanted::Profile)?).into_owned();
    let profile = Profile::parse(&json).map_err(Error::about(path))?;
    CostModel::new(profile.clone()).map_err(Error::about(path))?;
    Ok(profile)
}
