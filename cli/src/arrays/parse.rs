//! Bytes of `.npy` and `.npz` files as tensors.
//!
//! What a header promises is not believed: memory grows with the bytes that are there.

use super::elements::{Integer, Real, Whole};
use super::problem::{ArrayError, MAX_ELEMENTS};
use ndarray::ArrayD;
use ndarray_npy::{ReadNpyExt, ReadableElement};
use peregrine_ir::Shape;
use peregrine_runtime::ports::{Array, PortError};
use std::collections::BTreeSet;
use std::io::{Cursor, Read, Seek};
use zip::ZipArchive;

/// Most bytes of the arrays in an archive, unpacked.
const MAX_BYTES: u64 = 8 * MAX_ELEMENTS as u64 + MAX_HEADER as u64;
/// Most bytes of a header.
const MAX_HEADER: usize = 1 << 16;
/// Brackets of a header of numbers: the dictionary, the shape, the fields.
const MAX_BRACKETS: usize = 64;
/// How deep they lie in each other: fields of fields in the dictionary. What the parser takes grows by a factor with each.
const MAX_NESTING: usize = 6;

/// What bytes hold: one array of a `.npy`, or those of a `.npz` by name.
type Named<T> = Vec<(Option<String>, T)>;

/// The tensors in the bytes of a `.npy`, which has no name, or a `.npz`, by name.
///
/// Real numbers and integers of any width and either byte order become doubles. With `name`, only that array of a `.npz` is
/// read, or the only one that there is, whatever its name.
///
/// # Errors
/// When the bytes are damaged, hold other elements, or have no array of this name.
pub fn parse(bytes: &[u8], name: Option<&str>) -> Result<Named<Array>, ArrayError> {
    match parsed::<Real>(bytes, name) {
        Ok(arrays) => tensors(arrays, |x| x.0, Array::new),
        // Images of bytes, which some models take.
        Err(ArrayError::Type { .. }) => {
            tensors(parsed::<Whole>(bytes, name)?, |x| x.0, Array::of_integers)
        }
        Err(problem) => Err(problem),
    }
}

/// The integers in the bytes of a `.npy`, in row-major order; an integer that 64 bits do not hold becomes the largest that
/// they do.
///
/// # Errors
/// When the bytes are damaged or hold other elements.
pub fn parse_integers(bytes: &[u8]) -> Result<Vec<i64>, ArrayError> {
    let arrays = parsed::<Integer>(bytes, None)?;
    let first = arrays.first();
    let first = first.map(|(_, array)| array.iter().map(|x| x.0).collect());
    first.ok_or(ArrayError::Empty)
}

/// The names of the arrays in a `.npz`; none where it is damaged.
pub fn names(archive: impl Read + Seek) -> Option<BTreeSet<String>> {
    let archive = ZipArchive::new(archive).ok()?;
    let names = archive.file_names();
    let names = names.map(|name| name.strip_suffix(".npy").unwrap_or(name).to_owned());
    Some(names.collect())
}

/// Arrays as tensors of numbers.
fn tensors<T: Copy>(
    arrays: Named<ArrayD<T>>,
    number: impl Fn(T) -> f64,
    make: impl Fn(Shape, Vec<f64>) -> Result<Array, PortError>,
) -> Result<Named<Array>, ArrayError> {
    let tensor = |(name, array): (_, ArrayD<T>)| {
        let dims: Option<Vec<u32>> = array.shape().iter().map(|&d| d.try_into().ok()).collect();
        let shape = Shape::new(dims.unwrap_or_default()).map_err(ArrayError::Shape)?;
        let values = array.iter().map(|&x| number(x)).collect();
        let array = make(shape, values).map_err(|_| ArrayError::Empty)?;
        Ok((name, array))
    };
    arrays.into_iter().map(tensor).collect()
}

fn parsed<T: ReadableElement>(
    bytes: &[u8],
    name: Option<&str>,
) -> Result<Named<ArrayD<T>>, ArrayError> {
    if bytes.starts_with(b"PK") {
        return read_archive(bytes, name);
    }
    parse_npy(bytes).map(|array| vec![(None, array)])
}

pub(super) fn read_archive<T: ReadableElement>(
    bytes: &[u8],
    wanted: Option<&str>,
) -> Result<Named<ArrayD<T>>, ArrayError> {
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
        return Err(ArrayError::Empty);
    }
    if let (true, Some(wanted)) = (chosen.is_empty(), wanted) {
        return Err(ArrayError::NoArray {
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
        read.map_err(|e| ArrayError::Archive(e.to_string()))?;
        let over = ArrayError::Unpacked { limit: MAX_BYTES };
        left = left.checked_sub(data.len() as u64).ok_or(over)?;
        Ok((Some(name(entry)), parse_npy(&data)?))
    });
    read.collect()
}

/// The array of a `.npy`.
pub(super) fn parse_npy<T: ReadableElement>(bytes: &[u8]) -> Result<ArrayD<T>, ArrayError> {
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err(ArrayError::NotNpy);
    }
    let header = header(bytes).ok_or(ArrayError::Header)?;
    let (mut brackets, mut depth) = (0, 0usize);
    for byte in header {
        match byte {
            b'(' | b'[' | b'{' => (brackets, depth) = (brackets + 1, depth + 1),
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if brackets > MAX_BRACKETS || depth > MAX_NESTING {
            return Err(ArrayError::Header);
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
