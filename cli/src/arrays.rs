//! Tensors in files: `.npy` and `.npz`, as NumPy and PyTorch users have them.
//!
//! What a header promises is not believed: memory grows with the bytes that are there. Files are told apart by their
//! first bytes, not by their names.

use crate::elements::{Integer, MAX_ELEMENTS, Real};
use crate::error::{Error, FileProblem};
use crate::files::{self, NewFile};
use ndarray::{ArrayD, ArrayView, IxDyn};
use ndarray_npy::{NpzWriter, ReadNpyError, ReadNpyExt, ReadableElement, WriteNpzError};
use peregrine_ir::{Shape, ShapeError};
use peregrine_runtime::ports::{Array, Arrays, PortError};
use std::io::{self, Cursor, Read};
use std::path::Path;
use zip::ZipArchive;
use zip::result::ZipError;

/// Most bytes of an array in an archive.
const MAX_BYTES: u64 = 8 * MAX_ELEMENTS as u64 + MAX_HEADER as u64;
/// Most bytes of a header.
const MAX_HEADER: usize = 1 << 16;
/// Brackets of a header of numbers: the dictionary, the shape, the fields.
const MAX_BRACKETS: usize = 64;

/// What a file holds: one array of a `.npy`, or those of a `.npz` by name.
pub type Named<T> = Vec<(Option<String>, ArrayD<T>)>;

/// The tensors of a file; of a `.npz` only `name`, if it is given and there.
pub fn read_reals(path: &Path, name: Option<&str>) -> Result<Vec<(Option<String>, Array)>, Error> {
    let bytes = files::read(path)?;
    let failed = |problem| Error::file(path, FileProblem::Array(problem));
    match parsed::<Real>(&bytes, name) {
        Ok(arrays) => tensors(path, arrays, |x| x.0, Array::new),
        // Images of bytes, which some models take.
        Err(refusal @ ArrayProblem::Type { .. }) => match parsed::<Integer>(&bytes, name) {
            Ok(arrays) => tensors(path, arrays, |x| x.0 as f64, Array::of_integers),
            Err(_) => Err(failed(refusal)),
        },
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

/// Writes tensors by name as a `.npz`, integers as such; its length.
pub fn write(mut file: NewFile, path: &Path, arrays: &Arrays) -> Result<u64, Error> {
    let mut archive = NpzWriter::new(file.out());
    for (name, array) in arrays {
        let dims: Vec<usize> = array.shape().dims().iter().map(|&d| d as usize).collect();
        let failed = |e: WriteNpzError| Error::writing(path)(io::Error::other(e));
        // The shape of a tensor is that of its data.
        if array.is_integer() {
            let integers = array.data().iter().map(|&x| x as i64).collect();
            let Ok(integers) = ArrayD::<i64>::from_shape_vec(IxDyn(&dims), integers) else {
                continue;
            };
            archive.add_array(name.as_str(), &integers)
        } else {
            let Ok(view) = ArrayView::from_shape(IxDyn(&dims), array.data()) else {
                continue;
            };
            archive.add_array(name.as_str(), &view)
        }
        .map_err(failed)?;
    }
    let finished = archive.finish().map(drop);
    finished.map_err(|e| Error::writing(path)(io::Error::other(e)))?;
    file.commit()
}

fn read<T: ReadableElement>(path: &Path, name: Option<&str>) -> Result<Named<T>, Error> {
    let bytes = files::read(path)?;
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
    let entries: Vec<String> = archive.file_names().map(str::to_owned).collect();
    let name = |entry: &str| entry.strip_suffix(".npy").unwrap_or(entry).to_owned();
    let chosen: Vec<&String> = match wanted {
        // The only array of a file is meant, whatever it is called.
        Some(wanted) if entries.len() > 1 => entries
            .iter()
            .filter(|entry| name(entry) == wanted)
            .collect(),
        _ => entries.iter().collect(),
    };
    if let (true, Some(wanted)) = (chosen.is_empty(), wanted) {
        return Err(ArrayProblem::NoArray {
            name: wanted.to_owned(),
            known: entries
                .iter()
                .map(|entry| format!("`{}`", name(entry)))
                .collect(),
        });
    }
    let read = chosen.into_iter().map(|entry| {
        let mut data = Vec::new();
        let mut bytes = archive.by_name(entry)?.take(MAX_BYTES);
        let read = bytes.read_to_end(&mut data);
        read.map_err(|e| ArrayProblem::Archive(e.to_string()))?;
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
    // The parser recurses: no header of numbers nests deeper than a list of pairs in a dictionary.
    let brackets = header.iter().filter(|b| b"([{".contains(b)).count();
    if brackets > MAX_BRACKETS {
        return Err(ArrayProblem::Header);
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
            Self::Type {
                expected: "integers",
                ..
            } => Some("save class numbers, as with `labels.astype('int64')`"),
            Self::Type { .. } => {
                Some("scale as the model was trained, and save with `x.astype('float32')`")
            }
            Self::Damaged(_)
            | Self::Header
            | Self::Archive(_)
            | Self::TooLarge { .. }
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
