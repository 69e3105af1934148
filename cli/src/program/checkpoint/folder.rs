//! The folder of a run by steps.
//!
//! It holds one file of encrypted values, `v1234.values`: what the instructions from `v1234` on need of inputs and instructions
//! before. A new one is written whole, forced to the disk and given its name before the old one goes. It names circuit, key pair and
//! inputs; one of another run is refused. Whatever else is in the folder is left alone.

use crate::program::content::Wanted;
use crate::program::error::{Error, FileProblem};
use crate::program::files::{self, NewFile, Readers};
use peregrine::Server;
use peregrine_ir::{FileKind, Value};
use peregrine_runtime::wire::FragmentValues;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file that a run keeps locked while it uses the folder.
const LOCK: &str = "in-use";

/// The folder of a run, which no other run uses meanwhile.
pub struct Folder<'a> {
    path: &'a Path,
    /// Held open for its lock.
    _lock: File,
}

impl<'a> Folder<'a> {
    /// Opens a folder, which is made if it is not there.
    pub fn open(path: &'a Path) -> Result<Self, Error> {
        fs::create_dir_all(path).map_err(Error::writing(path))?;
        let lock = File::create(path.join(LOCK)).map_err(Error::writing(path))?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => Err(Error::file(path, FileProblem::InUse)),
            // Where files have no locks, nobody is refused.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { path, _lock: lock }),
        }
    }

    /// The first value that is not computed yet; none if nothing is kept.
    pub fn begin(&self) -> Result<Option<Value>, Error> {
        let kept = self.files()?.into_iter().filter_map(|(_, kept)| kept);
        Ok(kept.max())
    }

    /// Says that a run goes on, with the share of it that is done.
    pub fn resumed(&self, begin: Value, share: f64) {
        let (path, percent) = (self.file(begin), 100.0 * share);
        let _ = writeln!(
            io::stderr(),
            "{}: the run goes on from there, with {percent:.0} % done",
            path.display()
        );
    }

    /// Adds what is kept for `begin` and what is behind it.
    pub fn read(
        &self,
        server: &Server,
        begin: Value,
        values: &mut FragmentValues,
    ) -> Result<(), Error> {
        let path = self.file(begin);
        let file = files::read(&path, Wanted::Own(FileKind::Values))?;
        let kept = server.read_all_values(&file);
        let joined = kept.and_then(|kept| Ok(values.join(kept)?));
        joined.map_err(|error| {
            let problem = FileProblem::Checkpoint(Box::new(error.into()));
            Error::file(&path, problem)
        })
    }

    /// Keeps what is needed from `begin` on, instead of what was kept before.
    pub fn keep(
        &self,
        server: &Server,
        begin: Value,
        values: &FragmentValues,
    ) -> Result<(), Error> {
        let path = self.file(begin);
        let mut file = NewFile::replace(&path, Readers::Anyone)?;
        file.write(&server.write_values(values))?;
        file.commit()?;
        self.sync()?;
        self.forget(|kept| kept < begin)
    }

    /// Removes what was kept, and the folder unless something else is in it.
    pub fn remove(self) -> Result<(), Error> {
        self.forget(|_| true)?;
        let lock = self.path.join(LOCK);
        fs::remove_file(&lock).map_err(Error::writing(&lock))?;
        match fs::remove_dir(self.path) {
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                Err(Error::writing(self.path)(error))
            }
            _ => Ok(()),
        }
    }

    fn file(&self, begin: Value) -> PathBuf {
        self.path.join(format!("{begin}.values"))
    }

    /// Its files of values, and those that were being written when a run was killed, which have no value.
    fn files(&self) -> Result<Vec<(PathBuf, Option<Value>)>, Error> {
        let mut files = Vec::new();
        for entry in fs::read_dir(self.path).map_err(Error::reading(self.path))? {
            let path = entry.map_err(Error::reading(self.path))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let value = |name: &str| Some(Value(name.strip_prefix('v')?.parse().ok()?));
            if let Some(kept) = name.strip_suffix(".values").and_then(value) {
                files.push((path, Some(kept)));
            } else if name.starts_with(".v") && name.contains(".values.") && name.ends_with(".tmp")
            {
                files.push((path, None));
            }
        }
        Ok(files)
    }

    /// Removes the files of values that fit, and all that were never finished.
    fn forget(&self, fits: impl Fn(Value) -> bool) -> Result<(), Error> {
        for (path, kept) in self.files()? {
            if kept.is_none_or(&fits) {
                fs::remove_file(&path).map_err(Error::writing(&path))?;
            }
        }
        Ok(())
    }

    /// Forces the names of the files to the disk, too.
    fn sync(&self) -> Result<(), Error> {
        let synced = File::open(self.path).and_then(|folder| folder.sync_all());
        synced.map_err(Error::writing(self.path))
    }
}
