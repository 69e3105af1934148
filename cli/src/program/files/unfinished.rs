//! A file that is being written: without a name where the system can, else under a temporary one beside its place.
//!
//! On Linux most file systems make files without a name (`O_TMPFILE`), which are gone when the program ends, however it ends. They
//! get a name when they are whole. To replace another file takes a temporary name and a renaming, with nothing in between.

use super::place::folder;
use super::signals;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use tempfile::{Builder, NamedTempFile};

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// As the umask says.
    Anyone,
    /// The owner only.
    Owner,
}

impl Readers {
    #[cfg(unix)]
    fn mode(self) -> u32 {
        match self {
            Self::Anyone => 0o666,
            Self::Owner => 0o600,
        }
    }
}

/// A file that is being written.
#[derive(Debug)]
pub enum Unfinished {
    /// It has no name.
    #[cfg(target_os = "linux")]
    Unnamed(File),
    /// It has a temporary name.
    Named(NamedTempFile),
}

impl Unfinished {
    /// Starts a file that will be `target`.
    pub fn create(target: &Path, readers: Readers) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Some(file) = linux::unnamed(folder(target), readers) {
            return Ok(Self::Unnamed(file));
        }
        named(target, readers).map(Self::Named)
    }

    /// The open file.
    pub fn file(&self) -> &File {
        match self {
            #[cfg(target_os = "linux")]
            Self::Unnamed(file) => file,
            Self::Named(file) => file.as_file(),
        }
    }

    /// Moves it to its place unless there is a file. To be called where no signal interrupts.
    pub fn place_new(self, target: &Path) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Unnamed(file) => linux::link(&file, target),
            Self::Named(file) => file
                .persist_noclobber(target)
                .map(drop)
                .map_err(|e| e.error),
        }
    }

    /// Gives it a name beside its place, from where it can move there. To be called where no signal interrupts.
    pub fn beside(self, target: &Path) -> io::Result<Moving> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Unnamed(file) => {
                let prefix = prefix(target)?;
                let link = |path: &Path| linux::link(&file, path);
                let linked = builder(&prefix).make_in(folder(target), link);
                linked.map(Moving::Linked)
            }
            Self::Named(file) => Ok(Moving::Named(file)),
        }
    }
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

impl Seek for Unfinished {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file().seek(to)
    }
}

/// A whole file beside its place.
#[derive(Debug)]
pub enum Moving {
    /// It got its name just now.
    #[cfg(target_os = "linux")]
    Linked(NamedTempFile<()>),
    /// It had one from the start.
    Named(NamedTempFile),
}

impl Moving {
    /// Moves it to its place, over what is there.
    pub fn place(self, target: &Path) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Linked(file) => file.persist(target).map_err(|e| e.error),
            Self::Named(file) => file.persist(target).map(drop).map_err(|e| e.error),
        }
    }
}

/// A file under a temporary name, which a signal removes.
fn named(target: &Path, readers: Readers) -> io::Result<NamedTempFile> {
    let prefix = prefix(target)?;
    let mut builder = builder(&prefix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(readers.mode()));
    }
    #[cfg(not(unix))]
    let _ = readers;
    signals::held(|names| {
        let file = builder.tempfile_in(folder(target))?;
        names.push(file.path().to_owned());
        Ok(file)
    })
}

fn prefix(target: &Path) -> io::Result<String> {
    let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(format!(".{}.", name.to_string_lossy()))
}

fn builder(prefix: &str) -> Builder<'_, 'static> {
    let mut builder = Builder::new();
    builder.prefix(prefix).suffix(".tmp");
    builder
}

#[cfg(target_os = "linux")]
mod linux {
    use super::Readers;
    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::path::{Path, PathBuf};

    /// A file without a name in a folder, where that is possible and it can be given one later.
    pub fn unnamed(folder: &Path, readers: Readers) -> Option<File> {
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        let file = open(folder, flags, Mode::from_raw_mode(readers.mode())).ok()?;
        let file = File::from(file);
        place(&file).exists().then_some(file)
    }

    /// Gives a file a name, unless there is a file of this name.
    pub fn link(file: &File, path: &Path) -> io::Result<()> {
        Ok(linkat(
            CWD,
            place(file),
            CWD,
            path,
            AtFlags::SYMLINK_FOLLOW,
        )?)
    }

    /// What leads to an open file without a name.
    fn place(file: &File) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};
    use std::thread::sleep;
    use std::time::Duration;

    /// Tells this test, run again as a process of its own, where to begin a file and wait.
    const TARGET: &str = "PEREGRINE_TEST_TARGET";

    /// What systems do that make no files without a name.
    #[test]
    fn a_signal_removes_a_file_with_a_temporary_name() {
        if let Some(target) = std::env::var_os(TARGET) {
            let mut file = named(Path::new(&target), Readers::Owner).unwrap();
            file.write_all(b"secret").unwrap();
            sleep(Duration::from_secs(60));
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let inside = || {
            std::fs::read_dir(folder.path())
                .unwrap()
                .map(Result::unwrap)
        };
        for (name, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
            if signals::is_ignored(number) {
                println!("skipped: {name}, which this process was started to ignore");
                continue;
            }
            let test =
                "program::files::unfinished::tests::a_signal_removes_a_file_with_a_temporary_name";
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", test])
                .env(TARGET, folder.path().join("secret.key"))
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            while inside().count() == 0 {
                assert_eq!(child.try_wait().unwrap(), None);
                sleep(Duration::from_millis(5));
            }
            for file in inside() {
                assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            }
            let child_id = child.id().to_string();
            let sent = Command::new("kill").args(["-s", name, &child_id]).status();
            assert!(sent.unwrap().success());
            assert_eq!(child.wait().unwrap().signal(), Some(number));
            assert_eq!(inside().count(), 0, "{name}");
        }
    }

    #[test]
    fn both_kinds_of_files_move_to_their_places() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("x");
        let make = |text: &str| {
            let unnamed = Unfinished::create(&target, Readers::Anyone).unwrap();
            let named = Unfinished::Named(named(&target, Readers::Anyone).unwrap());
            [unnamed, named].map(|mut file| {
                file.write_all(text.as_bytes()).unwrap();
                file
            })
        };
        let read = || std::fs::read_to_string(&target).unwrap();
        for file in make("new") {
            file.place_new(&target).unwrap();
            assert_eq!(read(), "new");
            for file in make("none") {
                let refused = file.place_new(&target).unwrap_err();
                assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
            }
            for file in make("other") {
                file.beside(&target).unwrap().place(&target).unwrap();
                assert_eq!(read(), "other");
            }
            std::fs::remove_file(&target).unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
