//! `--labels`: what images show, for outputs that are classes.

use crate::arrays;
use crate::error::{Error, InputProblem};
use crate::outputs;
use peregrine_runtime::ports::Arrays;
use std::path::{Path, PathBuf};

/// One label for each image.
#[derive(Clone, Debug)]
pub struct Labels {
    path: PathBuf,
    labels: Vec<i64>,
}

/// Reads the labels of so many images, if there is a file.
pub fn read(path: Option<&Path>, images: usize) -> Result<Option<Labels>, Error> {
    let Some(path) = path else {
        return Ok(None);
    };
    let labels = arrays::read_integers(path)?;
    let (found, path) = (labels.len(), path.to_owned());
    if found == images {
        return Ok(Some(Labels { path, labels }));
    }
    let problem = InputProblem::Labels {
        found,
        expected: images,
    };
    Err(Error::Inputs { path, problem })
}

impl Labels {
    /// That of an image.
    pub fn of(&self, image: usize) -> Option<i64> {
        self.labels.get(image).copied()
    }

    /// Of how many images the class is the label.
    ///
    /// # Errors
    /// When outputs have no class.
    pub fn correct(&self, images: &[Arrays]) -> Result<usize, Error> {
        if let Some(outputs) = images.first() {
            self.check(outputs)?;
        }
        let class = |outputs: &Arrays| outputs.values().find_map(outputs::class);
        let found = images.iter().map(class).zip(&self.labels);
        let right = found
            .filter(|(class, label)| class.and_then(|c| i64::try_from(c).ok()) == Some(**label));
        Ok(right.count())
    }

    /// Refuses outputs that have no class.
    pub fn check(&self, outputs: &Arrays) -> Result<(), Error> {
        if outputs::are_classes(outputs.values()) {
            return Ok(());
        }
        let shapes = outputs.iter();
        let outputs = shapes.map(|(name, array)| format!("`{name}` has shape {}", array.shape()));
        Err(Error::Inputs {
            path: self.path.clone(),
            problem: InputProblem::NoClasses {
                outputs: outputs.collect(),
            },
        })
    }
}
