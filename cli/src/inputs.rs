//! `--input`: which file holds which input of the model, and which image of a batch is which.

use crate::arrays;
use crate::error::{Error, InputProblem};
use crate::values::InputArg;
use peregrine_ir::Shape;
use peregrine_runtime::client::ClientError;
use peregrine_runtime::ports::{Array, Arrays, PortError};
use peregrine_runtime::range::Outlier;
use peregrine_runtime::simulate::SimulateError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Tensors by name, and the file each came from.
#[derive(Debug)]
pub struct Inputs {
    /// The tensors.
    pub arrays: Arrays,
    files: BTreeMap<String, PathBuf>,
    model: PathBuf,
}

impl Inputs {
    /// Reads the files for the inputs that a model has.
    pub fn read(args: &[InputArg], names: &[&str], model: &Path) -> Result<Self, Error> {
        let mut inputs = Self {
            arrays: Arrays::new(),
            files: BTreeMap::new(),
            model: model.to_owned(),
        };
        for arg in args {
            // A model with one input needs no names.
            let only = match names {
                [only] => Some(*only),
                _ => None,
            };
            let (said, path) = arg.resolve(names)?;
            let wanted = said.or(only);
            for (stored, array) in arrays::read_reals(path, wanted)? {
                inputs.add(wanted.map(str::to_owned).or(stored), array, (path, names))?;
            }
        }
        Ok(inputs)
    }

    fn add(
        &mut self,
        name: Option<String>,
        array: Array,
        (path, names): (&Path, &[&str]),
    ) -> Result<(), Error> {
        let failed = |problem| Error::Inputs {
            path: path.to_owned(),
            problem,
        };
        let name = name.ok_or_else(|| {
            let known = names.iter().map(|name| format!("`{name}`")).collect();
            failed(InputProblem::Unnamed { known })
        })?;
        if self.arrays.insert(name.clone(), array).is_some() {
            return Err(failed(InputProblem::Twice { name }));
        }
        self.files.insert(name, path.to_owned());
        Ok(())
    }

    /// The file of the first input that is odd.
    pub fn path(&self, odd: &[Outlier]) -> &Path {
        let file = odd.first().and_then(|odd| self.files.get(&odd.name));
        file.unwrap_or(&self.model)
    }

    /// What is wrong with an input, said of its file.
    pub fn refuse(&self, source: PortError) -> Error {
        let name = match &source {
            PortError::Missing { name }
            | PortError::Unknown { name, .. }
            | PortError::Shape { name, .. }
            | PortError::NotFinite { name, .. }
            | PortError::TooLarge { name, .. }
            | PortError::Integers { name }
            | PortError::Prepare { name, .. } => Some(name),
            PortError::OutOfRange(outlier) => Some(&outlier.name),
            PortError::Length { .. } | PortError::Finish(_) => None,
        };
        let path = name.and_then(|name| self.files.get(name));
        let path = path.unwrap_or(&self.model).clone();
        Error::Input { path, source }
    }

    /// The same for what a client says.
    pub fn refuse_client(&self, error: ClientError) -> Error {
        match error {
            ClientError::Input(source) => self.refuse(source),
            ClientError::TooLarge { ref input, .. } => {
                Error::client(self.files.get(input).unwrap_or(&self.model))(error)
            }
            error => Error::client(&self.model)(error),
        }
    }

    /// The same for what the simulator says.
    pub fn refuse_simulation(&self, error: SimulateError) -> Error {
        match error {
            SimulateError::Input(source) => self.refuse(source),
            source => Error::Simulate {
                path: self.model.clone(),
                source,
            },
        }
    }

    /// The images of a batch, one after the other: each with all inputs in the model's shapes. A tensor may have one more
    /// axis in front, or a longer first axis where the model's is 1.
    pub fn images(&self, ports: &[(&str, &Shape)]) -> Result<Vec<Arrays>, Error> {
        for name in self.arrays.keys() {
            if !ports.iter().any(|(port, _)| port == name) {
                let name = name.clone();
                let known = ports.iter().map(|(port, _)| format!("`{port}`")).collect();
                return Err(self.refuse(PortError::Unknown { name, known }));
            }
        }
        let mut images: Vec<Arrays> = Vec::new();
        for (i, (name, shape)) in ports.iter().enumerate() {
            let parts = self.split(name, shape)?;
            images.resize_with(if i == 0 { parts.len() } else { images.len() }, Arrays::new);
            if parts.len() != images.len() {
                let (name, found, expected) = ((*name).to_owned(), parts.len(), images.len());
                let path = self.files.get(&name).unwrap_or(&self.model).clone();
                let problem = InputProblem::Batch {
                    name,
                    found,
                    expected,
                };
                return Err(Error::Inputs { path, problem });
            }
            for (image, part) in images.iter_mut().zip(parts) {
                image.insert((*name).to_owned(), part);
            }
        }
        Ok(images)
    }

    fn split(&self, name: &str, shape: &Shape) -> Result<Vec<Array>, Error> {
        let owned = || name.to_owned();
        let array = self.arrays.get(name);
        let array = array.ok_or_else(|| self.refuse(PortError::Missing { name: owned() }))?;
        if let Some(index) = array.data().iter().position(|x| !x.is_finite()) {
            let index = array.shape().unravel(index);
            return Err(self.refuse(PortError::NotFinite {
                name: owned(),
                index,
            }));
        }
        let dims = array.shape().dims();
        let whole = core(dims) == core(shape.dims());
        let batch = dims
            .get(1..)
            .is_some_and(|image| core(image) == core(shape.dims()));
        if !whole && !batch {
            return Err(self.refuse(PortError::Shape {
                name: owned(),
                found: array.shape().clone(),
                expected: shape.clone(),
            }));
        }
        let images = array.data().chunks(shape.elements());
        let make = match array.is_integer() {
            true => Array::of_integers,
            false => Array::new,
        };
        let images = images.map(|image| make(shape.clone(), image.to_vec()));
        images.collect::<Result<_, _>>().map_err(|e| self.refuse(e))
    }
}

/// The dimensions without leading ones.
fn core(dims: &[u32]) -> &[u32] {
    let ones = dims.iter().take_while(|&&d| d == 1).count();
    dims.get(ones..).unwrap_or(&[])
}

/// The tensors of several images in one, along the first axis.
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

/// The values of tensors by name, as the tensor graph takes them.
pub fn values(arrays: &Arrays) -> BTreeMap<String, Vec<f64>> {
    let arrays = arrays.iter();
    arrays
        .map(|(name, array)| (name.clone(), array.data().to_vec()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(dims: &[u32]) -> Inputs {
        let shape = Shape::new(dims).unwrap();
        let data = (0..shape.elements()).map(|i| i as f64).collect();
        Inputs {
            arrays: [("x".to_owned(), Array::new(shape, data).unwrap())].into(),
            files: BTreeMap::new(),
            model: "m.onnx".into(),
        }
    }

    fn images(found: &[u32], model: &[u32]) -> Option<usize> {
        let shape = Shape::new(model).unwrap();
        let images = inputs(found).images(&[("x", &shape)]).ok()?;
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
        let all = inputs(&[3, 2]);
        let stacked = stack(&all.images(&[("x", &shape)]).unwrap());
        assert_eq!(stacked, all.arrays);
    }
}
