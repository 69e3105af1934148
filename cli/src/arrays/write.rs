//! Outputs as files: in the format that the name of the file asks for.
//!
//! | ending | what is written |
//! |---|---|
//! | `.npz`, or none | every output by name |
//! | `.npy` | the only output |
//! | `.csv` | the only output: a line for each index of its first axis, the rest in row-major order, no header; `numpy.savetxt` writes and `numpy.loadtxt(file, delimiter=",")` reads this form |
//!
//! Other endings are refused: they would promise what is not written.

use crate::args::Force;
use crate::error::{Error, FileProblem};
use crate::files::{Content, NewFile};
use ndarray::{ArrayD, ArrayView, IxDyn};
use ndarray_npy::{NpzWriter, WriteNpyExt};
use peregrine_runtime::ports::{Array, Arrays};
use std::error::Error as StdError;
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};

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
        let earlier = |found: &Content| *found == Content::Npz && super::names(path, outputs);
        Ok(Some(Self {
            path: path.to_owned(),
            file: NewFile::over(path, force, earlier)?,
            format,
        }))
    }

    /// Writes tensors by name, integers as such, and moves the file to its place; its length.
    pub fn write(mut self, arrays: &Arrays) -> Result<u64, Error> {
        let failed =
            |e: Box<dyn StdError + Send + Sync>| Error::writing(&self.path)(io::Error::other(e));
        // In memory first: an archive cannot be given up halfway without a word on standard error.
        let bytes = bytes(self.format, arrays).map_err(failed)?;
        self.file.write(&bytes)?;
        self.file.commit()
    }
}

fn bytes(format: Format, arrays: &Arrays) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
    let mut out = Cursor::new(Vec::new());
    match (format, arrays.first_key_value()) {
        (Format::Npz, _) => {
            let mut archive = NpzWriter::new(&mut out);
            for (name, array) in arrays {
                match typed(array)? {
                    Typed::Reals(reals) => archive.add_array(name.as_str(), &reals)?,
                    Typed::Integers(integers) => archive.add_array(name.as_str(), &integers)?,
                }
            }
            archive.finish()?;
        }
        (Format::Npy, Some((_, array))) => match typed(array)? {
            Typed::Reals(reals) => reals.write_npy(&mut out)?,
            Typed::Integers(integers) => integers.write_npy(&mut out)?,
        },
        (Format::Csv, Some((_, array))) => csv(&mut out, array)?,
        (Format::Npy | Format::Csv, None) => {}
    }
    Ok(out.into_inner())
}

/// A tensor as it is stored.
enum Typed<'a> {
    Reals(ArrayView<'a, f64, IxDyn>),
    Integers(ArrayD<i64>),
}

fn typed(array: &Array) -> Result<Typed<'_>, ndarray::ShapeError> {
    let dims: Vec<usize> = array.shape().dims().iter().map(|&d| d as usize).collect();
    if array.is_integer() {
        let integers = array.data().iter().map(|&x| x as i64).collect();
        return ArrayD::from_shape_vec(IxDyn(&dims), integers).map(Typed::Integers);
    }
    ArrayView::from_shape(IxDyn(&dims), array.data()).map(Typed::Reals)
}

/// A line for each index of the first axis; every number is the shortest that reads back as itself.
fn csv(out: &mut impl Write, array: &Array) -> io::Result<()> {
    let rows = array
        .shape()
        .dims()
        .first()
        .map_or(1, |&rows| rows as usize);
    let columns = (array.data().len() / rows.max(1)).max(1);
    for row in array.data().chunks(columns) {
        let number = |x: &f64| match array.is_integer() {
            true => (*x as i64).to_string(),
            false => format!("{x:?}"),
        };
        let row: Vec<String> = row.iter().map(number).collect();
        writeln!(out, "{}", row.join(","))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use peregrine_ir::Shape;

    fn arrays(dims: &[u32], data: &[f64]) -> Arrays {
        let array = Array::new(Shape::new(dims).unwrap(), data.to_vec()).unwrap();
        [("y".to_owned(), array)].into()
    }

    #[test]
    fn a_table_has_a_line_for_each_image() {
        let csv = |dims: &[u32], data: &[f64]| {
            String::from_utf8(bytes(Format::Csv, &arrays(dims, data)).unwrap()).unwrap()
        };
        assert_eq!(
            csv(&[2, 2], &[1.0, -0.1, 1e-300, 2e300]),
            "1.0,-0.1\n1e-300,2e300\n"
        );
        assert_eq!(csv(&[1, 2, 2], &[0.0, 1.0, 2.0, 3.0]), "0.0,1.0,2.0,3.0\n");
        assert_eq!(csv(&[2], &[0.5, f64::NAN]), "0.5\nNaN\n");
    }

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
