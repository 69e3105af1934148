//! Tensors as the bytes of `.npz`, `.npy` and `.csv` files.

use super::problem::WriteArrayError;
use ndarray::{ArrayD, ArrayView, IxDyn};
use ndarray_npy::{NpzWriter, WriteNpyExt};
use peregrine_runtime::ports::{Array, Arrays};
use std::io::{self, Cursor, Write};

/// Tensors by name as the bytes of a `.npz`: doubles, or 64-bit integers where a tensor [holds integers](Array::is_integer).
///
/// ```
/// # fn main() -> Result<(), peregrine::Error> {
/// use peregrine::{Array, Shape, arrays};
///
/// let outputs = arrays::named([("logits", Array::new(Shape::new([2])?, vec![0.5, 2.0])?)]);
/// let file = arrays::write_npz(&outputs)?;
/// let read = arrays::parse(&file, Some("logits"))?;
/// assert_eq!(read[0].1, outputs["logits"]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When a name is none that an archive has.
pub fn write_npz(arrays: &Arrays) -> Result<Vec<u8>, WriteArrayError> {
    let mut out = Cursor::new(Vec::new());
    let mut archive = NpzWriter::new(&mut out);
    for (name, array) in arrays {
        let added = match typed(array)? {
            Typed::Reals(reals) => archive.add_array(name.as_str(), &reals),
            Typed::Integers(integers) => archive.add_array(name.as_str(), &integers),
        };
        added.map_err(WriteArrayError::new)?;
    }
    archive.finish().map_err(WriteArrayError::new)?;
    Ok(out.into_inner())
}

/// A tensor as the bytes of a `.npy`: doubles, or 64-bit integers where it [holds integers](Array::is_integer).
///
/// # Errors
/// None that a tensor allows.
pub fn write_npy(array: &Array) -> Result<Vec<u8>, WriteArrayError> {
    let mut out = Vec::new();
    let written = match typed(array)? {
        Typed::Reals(reals) => reals.write_npy(&mut out),
        Typed::Integers(integers) => integers.write_npy(&mut out),
    };
    written.map_err(WriteArrayError::new)?;
    Ok(out)
}

/// A tensor as the bytes of a `.csv`: a line for each index of the first axis, the rest in row-major order, no header.
///
/// # Errors
/// None that a tensor allows.
pub fn write_csv(array: &Array) -> Result<Vec<u8>, WriteArrayError> {
    let mut out = Vec::new();
    csv(&mut out, array).map_err(WriteArrayError::new)?;
    Ok(out)
}

/// A tensor as it is stored.
enum Typed<'a> {
    Reals(ArrayView<'a, f64, IxDyn>),
    Integers(ArrayD<i64>),
}

fn typed(array: &Array) -> Result<Typed<'_>, WriteArrayError> {
    let dims: Vec<usize> = array.shape().dims().iter().map(|&d| d as usize).collect();
    if array.is_integer() {
        let integers = array.data().iter().map(|&x| x as i64).collect();
        return ArrayD::from_shape_vec(IxDyn(&dims), integers)
            .map(Typed::Integers)
            .map_err(WriteArrayError::new);
    }
    let reals = ArrayView::from_shape(IxDyn(&dims), array.data());
    reals.map(Typed::Reals).map_err(WriteArrayError::new)
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

    #[test]
    fn a_table_has_a_line_for_each_image() {
        let csv = |dims: &[u32], data: &[f64]| {
            let array = Array::new(Shape::new(dims).unwrap(), data.to_vec()).unwrap();
            String::from_utf8(write_csv(&array).unwrap()).unwrap()
        };
        assert_eq!(
            csv(&[2, 2], &[1.0, -0.1, 1e-300, 2e300]),
            "1.0,-0.1\n1e-300,2e300\n"
        );
        assert_eq!(csv(&[1, 2, 2], &[0.0, 1.0, 2.0, 3.0]), "0.0,1.0,2.0,3.0\n");
        assert_eq!(csv(&[2], &[0.5, f64::NAN]), "0.5\nNaN\n");
    }
}
