//! Batches of images: taken apart into images, and put together from them.

use peregrine_ir::Shape;
use peregrine_runtime::ports::{Array, Arrays, PortError};
use std::collections::BTreeMap;

/// Tensors by name, as models, clients and circuits take them.
///
/// ```
/// # fn main() -> Result<(), peregrine::Error> {
/// use peregrine::{Array, Shape, arrays};
///
/// let pixels = Array::new(Shape::new([1, 2])?, vec![0.5, -0.5])?;
/// let inputs = arrays::named([("image", pixels)]);
/// assert_eq!(inputs["image"].shape().dims(), [1, 2]);
/// # Ok(())
/// # }
/// ```
pub fn named<const N: usize>(arrays: [(&str, Array); N]) -> Arrays {
    let arrays = arrays.into_iter();
    arrays
        .map(|(name, array)| (name.to_owned(), array))
        .collect()
}

/// The images of a batch, each with all inputs of a model in the model's shapes.
///
/// `ports` are the names and shapes of the inputs: [`Model::inputs`](crate::model::Model::inputs). A tensor of the batch has
/// the shape of its input, or one more axis in front, or a longer first axis where that of the input is 1; axes of size 1 in
/// front may be left out.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use peregrine::{Array, Shape, arrays};
///
/// let batch = Array::new(Shape::new([3, 2])?, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// let batch = arrays::named([("x", batch)]);
/// let images = arrays::split(&batch, &[("x", &Shape::new([1, 2])?)])?;
/// assert_eq!(images.len(), 3);
/// assert_eq!(images[1]["x"].data(), [3.0, 4.0]);
/// assert_eq!(arrays::stack(&images), batch);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When an input is missing, unknown, not finite or of another shape, or two inputs have different numbers of images.
pub fn split(batch: &Arrays, ports: &[(&str, &Shape)]) -> Result<Vec<Arrays>, BatchError> {
    for name in batch.keys() {
        if !ports.iter().any(|(port, _)| port == name) {
            let name = name.clone();
            let known = ports.iter().map(|(port, _)| format!("`{port}`")).collect();
            return Err(PortError::Unknown { name, known }.into());
        }
    }
    let mut images: Vec<Arrays> = Vec::new();
    for (i, (name, shape)) in ports.iter().enumerate() {
        let parts = parts(batch, name, shape)?;
        images.resize_with(if i == 0 { parts.len() } else { images.len() }, Arrays::new);
        if parts.len() != images.len() {
            return Err(BatchError::Uneven {
                name: (*name).to_owned(),
                found: parts.len(),
                expected: images.len(),
            });
        }
        for (image, part) in images.iter_mut().zip(parts) {
            image.insert((*name).to_owned(), part);
        }
    }
    Ok(images)
}

/// One tensor of a batch, taken apart.
fn parts(batch: &Arrays, name: &str, shape: &Shape) -> Result<Vec<Array>, PortError> {
    let owned = || name.to_owned();
    let array = batch.get(name);
    let array = array.ok_or_else(|| PortError::Missing { name: owned() })?;
    if let Some(index) = array.data().iter().position(|x| !x.is_finite()) {
        let index = array.shape().unravel(index);
        return Err(PortError::NotFinite {
            name: owned(),
            index,
        });
    }
    let dims = array.shape().dims();
    let whole = core(dims) == core(shape.dims());
    let batch = dims
        .get(1..)
        .is_some_and(|image| core(image) == core(shape.dims()));
    if !whole && !batch {
        return Err(PortError::Shape {
            name: owned(),
            found: array.shape().clone(),
            expected: shape.clone(),
        });
    }
    let images = array.data().chunks(shape.elements());
    let make = match array.is_integer() {
        true => Array::of_integers,
        false => Array::new,
    };
    let images = images.map(|image| make(shape.clone(), image.to_vec()));
    images.collect()
}

/// The dimensions without leading ones.
fn core(dims: &[u32]) -> &[u32] {
    let ones = dims.iter().take_while(|&&d| d == 1).count();
    dims.get(ones..).unwrap_or(&[])
}

/// Stacks the tensors of several images along the first axis, by name; those of a single image stay as they are.
pub fn stack(images: &[Arrays]) -> Arrays {
    let [first, _, ..] = images else {
        return images.first().cloned().unwrap_or_default();
    };
    let stacked = first.iter().filter_map(|(name, array)| {
        let parts: Vec<&Array> = images.iter().filter_map(|image| image.get(name)).collect();
        let dims = array.shape().dims();
        let image = if dims.first() == Some(&1) {
            dims.get(1..)?
        } else {
            dims
        };
        let dims: Vec<u32> = std::iter::once(images.len() as u32)
            .chain(image.iter().copied())
            .collect();
        let array = Array::concatenated(Shape::new(dims).ok()?, &parts).ok()?;
        Some((name.clone(), array))
    });
    stacked.collect()
}

/// The values of tensors by name, in row-major order.
pub fn values(arrays: &Arrays) -> BTreeMap<String, Vec<f64>> {
    let arrays = arrays.iter();
    arrays
        .map(|(name, array)| (name.clone(), array.data().to_vec()))
        .collect()
}

/// Why tensors are no batch of images of a model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BatchError {
    /// A tensor that the model does not take.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Two inputs with different numbers of images.
    #[error("input `{name}` has {found} images, another input has {expected}")]
    Uneven {
        /// The input.
        name: String,
        /// Number of images that the input has.
        found: usize,
        /// Number of images that the inputs before it have.
        expected: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(dims: &[u32]) -> Arrays {
        let shape = Shape::new(dims).unwrap();
        let data = (0..shape.elements()).map(|i| i as f64).collect();
        [("x".to_owned(), Array::new(shape, data).unwrap())].into()
    }

    fn images(found: &[u32], model: &[u32]) -> Option<usize> {
        let shape = Shape::new(model).unwrap();
        let images = split(&batch(found), &[("x", &shape)]).ok()?;
        assert!(images.iter().all(|image| image["x"].shape() == &shape));
        Some(images.len())
    }

    #[test]
    fn a_batch_is_taken_apart() {
        assert_eq!(images(&[1, 1, 4, 4], &[1, 1, 4, 4]), Some(1));
        assert_eq!(images(&[4, 4], &[1, 1, 4, 4]), Some(1));
        assert_eq!(images(&[5, 1, 4, 4], &[1, 1, 4, 4]), Some(5));
        assert_eq!(images(&[5, 4, 4], &[1, 1, 4, 4]), Some(5));
        assert_eq!(images(&[5, 3, 4, 4], &[3, 4, 4]), Some(5));
        assert_eq!(images(&[5, 3, 4, 4], &[1, 1, 4, 4]), None);
        assert_eq!(images(&[16], &[1, 1, 4, 4]), None);
    }

    #[test]
    fn stacking_inverts_taking_apart() {
        let shape = Shape::new([1, 2]).unwrap();
        let all = batch(&[3, 2]);
        let stacked = stack(&split(&all, &[("x", &shape)]).unwrap());
        assert_eq!(stacked, all);
    }
}
