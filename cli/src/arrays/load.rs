//! Files of tensors, by their path.

use super::parse::{parse, parse_integers};
use super::problem::{ArrayError, LoadArrayError};
use peregrine_runtime::ports::{Array, Arrays};
use std::path::Path;

/// Reads the tensor of a `.npy`, or of a `.npz` that holds one.
///
/// Real numbers and integers of any width become doubles; [`Array::is_integer`] tells which they were.
///
/// # Errors
/// When the file cannot be read, is damaged, or holds several arrays.
pub fn load(path: impl AsRef<Path>) -> Result<Array, LoadArrayError> {
    let (path, mut arrays) = all(path.as_ref())?;
    match (arrays.pop(), arrays.is_empty()) {
        (Some((_, array)), true) => Ok(array),
        (Some(_), false) => Err(content(path)(ArrayError::Several)),
        (None, _) => Err(content(path)(ArrayError::Empty)),
    }
}

/// Reads the tensors of a `.npz` by name.
///
/// # Errors
/// When the file cannot be read, is damaged, or holds an array without a name, as a `.npy` does.
pub fn load_all(path: impl AsRef<Path>) -> Result<Arrays, LoadArrayError> {
    let (path, arrays) = all(path.as_ref())?;
    let named = |(name, array): (Option<String>, Array)| Some((name?, array));
    let named: Option<Arrays> = arrays.into_iter().map(named).collect();
    named.ok_or_else(|| content(path)(ArrayError::Unnamed))
}

/// Reads the integers of a `.npy`, such as labels, in row-major order.
///
/// # Errors
/// When the file cannot be read, is damaged, or holds other numbers.
pub fn load_integers(path: impl AsRef<Path>) -> Result<Vec<i64>, LoadArrayError> {
    let path = path.as_ref();
    parse_integers(&bytes(path)?).map_err(content(path))
}

type Named = Vec<(Option<String>, Array)>;

fn all(path: &Path) -> Result<(&Path, Named), LoadArrayError> {
    let arrays = parse(&bytes(path)?, None);
    Ok((path, arrays.map_err(content(path))?))
}

fn bytes(path: &Path) -> Result<Vec<u8>, LoadArrayError> {
    std::fs::read(path).map_err(|source| LoadArrayError::Io {
        path: path.to_owned(),
        source,
    })
}

fn content(path: &Path) -> impl FnOnce(ArrayError) -> LoadArrayError {
    |source| LoadArrayError::Content {
        path: path.to_owned(),
        source,
    }
}
