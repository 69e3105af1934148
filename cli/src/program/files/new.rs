//! New files: whole or not at all, alone or together.
//!
//! A file is flushed to disk before it gets its name. What was there before is untouched until then, and no verb but a forced
//! `keygen` replaces a secret key.

use super::place::folder;
use super::signals;
use super::unfinished::{Readers, Unfinished};
use crate::program::content::Content;
use crate::program::error::{Error, FileProblem};
use crate::program::force::Force;
use peregrine_ir::FileKind;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file being written.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    out: BufWriter<Unfinished>,
}

/// What happens to a file that has the name of a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is replaced.
    Replaced,
    /// It stays, and the new one is refused.
    Kept,
}

impl NewFile {
    /// Starts a file that may replace one of its kind, and with `force` anything but a secret key.
    pub fn create(path: &Path, kind: FileKind, force: Force) -> Result<Self, Error> {
        Self::over(path, force, |found| *found == Content::Own(kind))
    }

    /// Starts a file that may replace an empty one and those that are `like` it, and with `force` anything but a secret key.
    pub fn over(
        path: &Path,
        force: Force,
        like: impl FnOnce(&Content) -> bool,
    ) -> Result<Self, Error> {
        regular(path)?;
        match Content::at(path) {
            Ok(Content::Own(FileKind::SecretKey)) => {
                return Err(Error::file(path, FileProblem::SecretKey));
            }
            Ok(found) if !force.force && found != Content::Empty && !like(&found) => {
                return Err(Error::file(path, FileProblem::Overwrites(found)));
            }
            // It may be anything.
            Err(error) if !force.force && error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::writing(path)(error));
            }
            _ => {}
        }
        Self::replace(path, Readers::Anyone)
    }

    /// Starts a file that may replace anything.
    pub fn replace(path: &Path, readers: Readers) -> Result<Self, Error> {
        regular(path)?;
        // What a symbolic link leads to is written, not the link.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let unfinished = Unfinished::create(&target, readers).map_err(Error::writing(path))?;
        Ok(Self {
            path: target,
            out: BufWriter::new(unfinished),
        })
    }

    /// Where to write.
    pub fn out(&mut self) -> &mut BufWriter<Unfinished> {
        &mut self.out
    }

    /// Appends bytes, and leaves no copy of them behind.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let write = self.out.flush();
        let write = write.and_then(|()| self.out.get_mut().write_all(bytes));
        write.map_err(Error::writing(&self.path))
    }

    /// Moves the file to its place, over what is there; its length.
    pub fn commit(self) -> Result<u64, Error> {
        let [length] = commit_together([self], Existing::Replaced)?;
        Ok(length)
    }

    /// Moves the file to its place unless there is one; its length.
    pub fn commit_new(self) -> Result<u64, Error> {
        let [length] = commit_together([self], Existing::Kept)?;
        Ok(length)
    }

    fn finish(self) -> Result<Finished, Error> {
        let Self { path, out } = self;
        let finish = || {
            let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.file().sync_all()?;
            let length = file.file().metadata()?.len();
            Ok((file, length))
        };
        let (file, length) = finish().map_err(Error::writing(&path))?;
        Ok(Finished { path, file, length })
    }
}

/// Refuses to write to a device, a pipe or a folder.
fn regular(path: &Path) -> Result<(), Error> {
    match fs::metadata(path) {
        Ok(known) if known.is_dir() => Err(Error::file(path, FileProblem::Folder)),
        Ok(known) if !known.is_file() => Err(Error::file(path, FileProblem::NotRegular)),
        _ => Ok(()),
    }
}

/// A file that only lacks its name.
struct Finished {
    path: PathBuf,
    file: Unfinished,
    length: u64,
}

/// Moves files that belong together to their places; their lengths. The first is what the others go with.
///
/// Whoever reads them finds all of the new ones, or all of the old ones, or not all: old companions go before the first file is
/// replaced, and new ones come after. Writers of the same files take turns. Signals wait; only a loss of power or a kill can
/// leave the first without companions.
pub fn commit_together<const N: usize>(
    files: [NewFile; N],
    existing: Existing,
) -> Result<[u64; N], Error> {
    let mut lengths = [0; N];
    let mut finished = Vec::with_capacity(N);
    for (file, length) in files.into_iter().zip(&mut lengths) {
        let file = file.finish()?;
        *length = file.length;
        finished.push(file);
    }
    let folders: Vec<&Path> = finished.iter().map(|file| folder(&file.path)).collect();
    let locks = lock_folders(folders);
    let placed = signals::held(|_| match existing {
        Existing::Replaced => replace(finished),
        Existing::Kept => add(finished),
    });
    drop(locks);
    placed.map(|()| lengths)
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

/// Locks folders, in order so that nobody waits for each other; where locks are unknown, nobody waits at all.
fn lock_folders(folders: Vec<&Path>) -> Vec<File> {
    let folders = folders.into_iter().map(|folder| folder.canonicalize());
    let mut folders: Vec<PathBuf> = folders.filter_map(Result::ok).collect();
    folders.sort();
    folders.dedup();
    let locked = folders.into_iter().filter_map(|folder| {
        let folder = File::open(folder).ok()?;
        folder.lock().ok()?;
        Some(folder)
    });
    locked.collect()
}

fn replace(files: Vec<Finished>) -> Result<(), Error> {
    // What can fail comes first.
    let mut moving = Vec::with_capacity(files.len());
    for Finished { path, file, .. } in files {
        let beside = file.beside(&path).map_err(Error::writing(&path))?;
        moving.push((path, beside));
    }
    for (path, _) in moving.iter().skip(1) {
        remove(path).map_err(Error::writing(path))?;
    }
    for (path, file) in moving {
        file.place(&path).map_err(Error::writing(&path))?;
    }
    Ok(())
}

fn add(files: Vec<Finished>) -> Result<(), Error> {
    let mut placed: Vec<PathBuf> = Vec::with_capacity(files.len());
    for Finished { path, file, .. } in files {
        let result = file.place_new(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::file(&path, FileProblem::Exists),
            _ => Error::writing(&path)(error),
        });
        if let Err(error) = result {
            for path in &placed {
                let _ = remove(path);
            }
            return Err(error);
        }
        placed.push(path);
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
