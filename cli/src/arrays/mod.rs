//! Tensors in files: `.npy` and `.npz`, as NumPy and PyTorch users have them.
//!
//! What a header promises is not believed: memory grows with the bytes that are there. Files are told apart by their
//! first bytes, not by their names.

mod elements;
#[cfg(test)]
mod fuzz_tests;
mod write;

pub use write::NewArrays;

use crate::error::{Error, FileProblem};
use crate::files::{self, Wanted};
use elements::{Integer, MAX_ELEMENTS, Real, Whole};
use ndarray::ArrayD;
use ndarray_npy::{ReadNpyError, ReadNpyExt, ReadableElement};
use peregrine_ir::{Shape, ShapeError};
use peregrine_runtime::ports::{Array, PortError};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;
use zip::ZipArchive;
use zip::result::ZipError;

/// Most bytes of the arrays in an archive, unpacked.
const MAX_BYTES: u64 = 8 * MAX_ELEMENTS as u64 + MAX_HEADER as u64;
/// Most bytes of a header.
const MAX_HEADER: usize = 1 << 16;
/// Brackets of a header of numbers: the dictionary, the shape, the fields.
const MAX_BRACKETS: usize = 64;
/// How deep they lie in each other: fields of fields in the dictionary. What the parser takes grows by a factor with each.
const MAX_NESTING: usize = 6;

/// What a file holds: one array of a `.npy`, or those of a `.npz` by name.
pub type Named<T> = Vec<(Option<String>, ArrayD<T>)>;

/// The tensors of a file; of a `.npz` only `name`, if it is given and there.
pub fn read_reals(path: &Path, name: Option<&str>) -> Result<Vec<(Option<String>, Array)>, Error> {
    let bytes = files::read(path, Wanted::Arrays)?;
    let failed = |problem| Error::file(path, FileProblem::Array(problem));
    match parsed::<Real>(&bytes, name) {
        Ok(arrays) => tensors(path, arrays, |x| x.0, Array::new),
        // Images of bytes, which some models take.
        Err(ArrayProblem::Type { .. }) => {
            let arrays = parsed::<Whole>(&bytes, name).map_err(failed)?;
            tensors(path, arrays, |x| x.0, Array::of_integers)
        }
        Err(problem) => Err(failed(problem)),
    }
}

/// Arrays as tensors of numbers.
fn tensors<T: Copy>(
    path: &Path,
    arrays: Named<T>,
    number: impl Fn(T) -> f64,
    make: impl Fn(Shape, Vec<f64>) -> Result<Array, PortError>,
) -> Result<Vec<(Option<String>, Array)>, Error> {
    let tensor = |(name, array): (_, ArrayD<T>)| {
        let dims: Option<Vec<u32>> = array.shape().iter().map(|&d| d.try_into().ok()).collect();
        let shape = Shape::new(dims.unwrap_or_default()).map_err(ArrayProblem::Shape);
        let values = array.iter().map(|&x| number(x)).collect();
        let array = shape.and_then(|shape| make(shape, values).map_err(|_| ArrayProblem::Empty));
        let array = array.map_err(|problem| Error::file(path, FileProblem::Array(problem)))?;
        Ok((name, array))
    };
    arrays.into_iter().map(tensor).collect()
}

/// The integers of a `.npy`, in row-major order.
pub fn read_integers(path: &Path) -> Result<Vec<i64>, Error> {
    let arrays: Named<Integer> = read(path, None)?;
    let first = arrays
        .first()
        .map(|(_, array)| array.iter().map(|x| x.0).collect());
    first.ok_or_else(|| Error::file(path, FileProblem::Array(ArrayProblem::Empty)))
}

/// Whether a `.npz` holds arrays of these names and nothing else.
fn names(path: &Path, expected: &[&str]) -> bool {
    let archive = File::open(path).ok().map(BufReader::new);
    let archive = archive.and_then(|file| ZipArchive::new(file).ok());
    archive.is_some_and(|archive| {
        let names: BTreeSet<&str> = archive
            .file_names()
            .map(|name| name.strip_suffix(".npy").unwrap_or(name))
            .collect();
        names == expected.iter().copied().collect()
    })
}

fn read<T: ReadableElement>(path: &Path, name: Option<&str>) -> Result<Named<T>, Error> {
    let bytes = files::read(path, Wanted::Arrays)?;
    parsed(&bytes, name).map_err(|problem| Error::file(path, FileProblem::Array(problem)))
}

fn parsed<T: ReadableElement>(bytes: &[u8], name: Option<&str>) -> Result<Named<T>, ArrayProblem> {
    if bytes.starts_with(b"PK") {
        return read_archive(bytes, name);
    }
    parse(bytes).map(|array| vec![(None, array)])
}

fn read_archive<T: ReadableElement>(
    bytes: &[u8],
    wanted: Option<&str>,
) -> Result<Named<T>, ArrayProblem> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    let entries = archive.file_names().filter(|name| name.ends_with(".npy"));
    let entries: Vec<String> = entries.map(str::to_owned).collect();
    let name = |entry: &str| entry.strip_suffix(".npy").unwrap_or(entry).to_owned();
    let chosen: Vec<&String> = match wanted {
        // The only array of a file is meant, whatever it is called.
        Some(wanted) if entries.len() > 1 => entries
            .iter()
            .filter(|entry| name(entry) == wanted)
            .collect(),
        _ => entries.iter().collect(),
    };
    if entries.is_empty() {
        return Err(ArrayProblem::Empty);
    }
    if let (true, Some(wanted)) = (chosen.is_empty(), wanted) {
        return Err(ArrayProblem::NoArray {
            name: wanted.to_owned(),
            known: entries
                .iter()
                .map(|entry| format!("`{}`", name(entry)))
                .collect(),
        });
    }
    // All arrays together: an archive may unpack to a thousand times its size.
    let mut left = MAX_BYTES;
    let read = chosen.into_iter().map(|entry| {
        let mut data = Vec::new();
        let mut bytes = archive.by_name(entry)?.take(left + 1);
        let read = bytes.read_to_end(&mut data);
        read.map_err(|e| ArrayProblem::Archive(e.to_string()))?;
        let over = ArrayProblem::Unpacked { limit: MAX_BYTES };
        left = left.checked_sub(data.len() as u64).ok_or(over)?;
        Ok((Some(name(entry)), parse(&data)?))
    });
    read.collect()
}

/// The array of a `.npy`.
fn parse<T: ReadableElement>(bytes: &[u8]) -> Result<ArrayD<T>, ArrayProblem> {
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err(ArrayProblem::NotNpy);
    }
    let header = header(bytes).ok_or(ArrayProblem::Header)?;
    let (mut brackets, mut depth) = (0, 0usize);
    for byte in header {
        match byte {
            b'(' | b'[' | b'{' => (brackets, depth) = (brackets + 1, depth + 1),
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if brackets > MAX_BRACKETS || depth > MAX_NESTING {
            return Err(ArrayProblem::Header);
        }
    }
    Ok(ArrayD::read_npy(bytes)?)
}

/// The text between the version and the numbers: its length takes two bytes, four since version 2.
fn header(bytes: &[u8]) -> Option<&[u8]> {
    let (start, length) = match bytes.get(6)? {
        1 => (
            10,
            usize::from(u16::from_le_bytes(*bytes.get(8..)?.first_chunk()?)),
        ),
        _ => (
            12,
            u32::from_le_bytes(*bytes.get(8..)?.first_chunk()?) as usize,
        ),
    };
    let length = Some(length).filter(|&length| length <= MAX_HEADER)?;
    bytes.get(start..start + length)
}

/// Why a file holds no tensors.
#[derive(Debug, thiserror::Error)]
pub enum ArrayProblem {
    /// Another kind of file.
    #[error("not a .npy or .npz file")]
    NotNpy,
    /// Truncated or malformed.
    #[error("damaged .npy data: {0}")]
    Damaged(ReadNpyError),
    /// A header that does not parse.
    #[error("damaged .npy data: the header is malformed")]
    Header,
    /// A malformed archive.
    #[error("damaged .npz file: {0}")]
    Archive(String),
    /// Elements of another type.
    #[error("elements are of type `{found}`, expected {expected}")]
    Type {
        found: String,
        expected: &'static str,
    },
    /// More than fits.
    #[error("the array has {elements} elements, the limit is {MAX_ELEMENTS}")]
    TooLarge { elements: usize },
    /// More than fits, unpacked.
    #[error("the arrays unpack to more than {limit} bytes")]
    Unpacked { limit: u64 },
    /// An integer that no double holds.
    #[error("the integer {value} has more than the 53 bits that are read exactly")]
    Inexact { value: String },
    /// No array of this name.
    #[error("there is no array `{name}` in it, only {}", known.join(", "))]
    NoArray { name: String, known: Vec<String> },
    /// Nothing in it.
    #[error("there is no array in it")]
    Empty,
    /// A shape no tensor of a model has.
    #[error(transparent)]
    Shape(ShapeError),
}

impl ArrayProblem {
    /// A way out.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::NotNpy => Some("save the array with `numpy.save` or `numpy.savez`"),
            Self::Inexact { .. } => {
                Some("scale as the model was trained, and save with `x.astype('float32')`")
            }
            Self::Type { found, .. } if found.starts_with('[') => Some(
                "save one array of numbers, not of records: a single field, as with `x['field']`",
            ),
            Self::Type { found, .. } if found.ends_with("V2") => {
                Some("numpy has no bfloat16: save with `x.astype('float32')`")
            }
            Self::Type { found, .. } if found.contains('c') => {
                Some("complex numbers have no meaning here: save the real parts")
            }
            Self::Type {
                expected: "integers",
                ..
            } => Some("save class numbers, as with `labels.astype('int64')`"),
            Self::Type { .. } => {
                Some("save numbers, as with `x.astype('float32')`, scaled as the model was trained")
            }
            Self::Damaged(_)
            | Self::Header
            | Self::Archive(_)
            | Self::TooLarge { .. }
            | Self::Unpacked { .. }
            | Self::NoArray { .. }
            | Self::Empty
            | Self::Shape(_) => None,
        }
    }
}

impl From<ReadNpyError> for ArrayProblem {
    fn from(error: ReadNpyError) -> Self {
        match error {
            ReadNpyError::ParseData(problem) => match problem.downcast::<Self>() {
                Ok(problem) => *problem,
                Err(other) => Self::Damaged(ReadNpyError::ParseData(other)),
            },
            ReadNpyError::ParseHeader(_) => Self::Header,
            other => Self::Damaged(other),
        }
    }
}

impl From<ZipError> for ArrayProblem {
    fn from(error: ZipError) -> Self {
        Self::Archive(error.to_string())
    }
}
