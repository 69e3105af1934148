//! Where files are: two names of one file, the folder of a file.

use crate::program::error::{Error, FileProblem};
use std::path::Path;

/// Whether two paths name the same file, which need not exist.
fn same(a: &Path, b: &Path) -> bool {
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

pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
