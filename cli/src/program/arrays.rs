//! Tensors in files: read, and written in the format that the name of the file asks for.
//!
//! | ending | what is written |
//! |---|---|
//! | `.npz`, or none | every output by name |
//! | `.npy` | the only output |
//! | `.csv` | the only output: a line for each index of its first axis, the rest in row-major order, no header; `numpy.savetxt` writes and `numpy.loadtxt(file, delimiter=",")` reads this form |
//!
//! Other endings are refused: they would promise what is not written.

use super::content::{Content, Wanted};
use super::error::{Error, FileProblem};
use super::files::{self, NewFile};
use super::force::Force;
use peregrine::arrays::{self, ArrayError, WriteArrayError};
use peregrine::{Array, Arrays};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

/// The tensors of a file; of a `.npz` only `name`, if it is given and there.
pub fn read_reals(path: &Path, name: Option<&str>) -> Result<Vec<(Option<String>, Array)>, Error> {
    let bytes = files::read(path, Wanted::Arrays)?;
    arrays::parse(&bytes, name).map_err(problem(path))
}

/// The integers of a `.npy`, in row-major order.
pub fn read_integers(path: &Path) -> Result<Vec<i64>, Error> {
    let bytes = files::read(path, Wanted::Arrays)?;
    arrays::parse_integers(&bytes).map_err(problem(path))
}

fn problem(path: &Path) -> impl FnOnce(ArrayError) -> Error {
    |problem| Error::file(path, FileProblem::Array(problem))
}

/// Whether a `.npz` holds arrays of these names and nothing else.
fn has_names(path: &Path, expected: &[&str]) -> bool {
    let file = File::open(path).ok().map(BufReader::new);
    let names = file.and_then(arrays::names);
    names.is_some_and(|names| names == expected.iter().map(|name| (*name).to_owned()).collect())
}

/// How outputs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Npz,
    Npy,
    Csv,
}

impl Format {
    /// What the name of a file asks for.
    fn of(path: &Path) -> Result<Self, FileProblem> {
        let Some(ending) = path.extension() else {
            return Ok(Self::Npz);
        };
        match ending.to_string_lossy().to_ascii_lowercase().as_str() {
            "npz" => Ok(Self::Npz),
            "npy" => Ok(Self::Npy),
            "csv" => Ok(Self::Csv),
            _ => Err(FileProblem::Ending(ending.to_string_lossy().into_owned())),
        }
    }

    /// Refuses several outputs where there is room for one.
    fn holds(self, outputs: &[&str]) -> Result<(), FileProblem> {
        let format = match self {
            Self::Npz => return Ok(()),
            Self::Npy => ".npy",
            Self::Csv => ".csv",
        };
        if outputs.len() == 1 {
            return Ok(());
        }
        let outputs = outputs.iter().map(|name| format!("`{name}`")).collect();
        Err(FileProblem::Outputs { format, outputs })
    }
}

/// A file of outputs that is being made.
#[derive(Debug)]
pub struct NewArrays {
    path: PathBuf,
    file: NewFile,
    format: Format,
}

impl NewArrays {
    /// Starts the file for outputs of these names, if one is asked for. Without `force` it may replace an earlier one of the same
    /// outputs, told by their names.
    pub fn create(
        path: Option<&Path>,
        outputs: &[&str],
        force: Force,
    ) -> Result<Option<Self>, Error> {
        let Some(path) = path else {
            return Ok(None);
        };
        let refused = |problem| Error::file(path, problem);
        let format = Format::of(path).map_err(refused)?;
        format.holds(outputs).map_err(refused)?;
        let earlier = |found: &Content| *found == Content::Npz && has_names(path, outputs);
        Ok(Some(Self {
            path: path.to_owned(),
            file: NewFile::over(path, force, earlier)?,
            format,
        }))
    }

    /// Writes tensors by name, integers as such, and moves the file to its place; its length.
    pub fn write(mut self, arrays: &Arrays) -> Result<u64, Error> {
        let failed = |error| Error::writing(&self.path)(io::Error::other(error));
        // In memory first: an archive cannot be given up halfway without a word on standard error.
        let bytes = bytes(self.format, arrays).map_err(failed)?;
        self.file.write(&bytes)?;
        self.file.commit()
    }
}

fn bytes(format: Format, arrays: &Arrays) -> Result<Vec<u8>, WriteArrayError> {
    match (format, arrays.values().next()) {
        (Format::Npz, _) => arrays::write_npz(arrays),
        (Format::Npy, Some(array)) => arrays::write_npy(array),
        (Format::Csv, Some(array)) => arrays::write_csv(array),
        (Format::Npy | Format::Csv, None) => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ask_for_formats() {
        let format = |name: &str| Format::of(Path::new(name)).ok();
        for (name, expected) in [
            ("y.npz", Some(Format::Npz)),
            ("a.b/y", Some(Format::Npz)),
            ("y.NPY", Some(Format::Npy)),
            ("y.csv", Some(Format::Csv)),
            ("y.txt", None),
            ("y.npz.gz", None),
        ] {
            assert_eq!(format(name), expected, "{name}");
        }
        assert!(Format::Npy.holds(&["a", "b"]).is_err());
        assert!(Format::Npz.holds(&["a", "b"]).is_ok());
    }
}
