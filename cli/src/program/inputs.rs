//! `--input`: which file holds which input of the model.

use super::arrays;
use super::error::{Error, InputProblem};
use super::values::InputArg;
use peregrine::arrays::{BatchError, split};
use peregrine::{Array, Arrays, ClientError, PortError, Shape};
use peregrine_runtime::range::Outlier;
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

    /// What the library says of an input, said of its file.
    pub fn refuse(&self, error: impl Into<peregrine::Error>) -> Error {
        let source = error.into();
        let name = match &source {
            peregrine::Error::Client(ClientError::TooLarge { input, .. }) => Some(input),
            peregrine::Error::Batch(BatchError::Uneven { name, .. }) => Some(name),
            source => source.input().and_then(name_of),
        };
        let path = name.and_then(|name| self.files.get(name));
        let path = path.unwrap_or(&self.model).clone();
        Error::About { path, source }
    }

    /// The images of a batch, one after the other: each with all inputs in the model's shapes.
    pub fn images(&self, ports: &[(&str, &Shape)]) -> Result<Vec<Arrays>, Error> {
        split(&self.arrays, ports).map_err(|error| self.refuse(error))
    }
}

/// The input that is wrong.
fn name_of(error: &PortError) -> Option<&String> {
    match error {
        PortError::Missing { name }
        | PortError::Unknown { name, .. }
        | PortError::Shape { name, .. }
        | PortError::NotFinite { name, .. }
        | PortError::TooLarge { name, .. }
        | PortError::Integers { name }
        | PortError::Prepare { name, .. } => Some(name),
        PortError::OutOfRange(outlier) => Some(&outlier.name),
        PortError::Length { .. } | PortError::Finish(_) => None,
    }
}
