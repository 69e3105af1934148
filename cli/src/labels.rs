//! Labels of images, for outputs that are classes.

use crate::outputs::{are_classes, argmax};
use peregrine_runtime::ports::{Array, Arrays};

/// Counts the images whose class, by the first output that has one, is their label.
///
/// ```
/// # fn main() -> Result<(), peregrine::Error> {
/// use peregrine::{Array, Shape, arrays, labels};
///
/// let scores = |values: [f64; 2]| -> Result<_, peregrine::Error> {
///     let scores = Array::new(Shape::new([2])?, values.to_vec())?;
///     Ok(arrays::named([("scores", scores)]))
/// };
/// let images = [scores([0.1, 0.9])?, scores([0.8, 0.2])?];
/// assert_eq!(labels::correct(&[1, 1], &images)?, 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When outputs have no class.
pub fn correct(labels: &[i64], images: &[Arrays]) -> Result<usize, LabelError> {
    if let Some(outputs) = images.first() {
        check_classes(outputs)?;
    }
    let class = |outputs: &Arrays| outputs.values().find_map(argmax);
    let found = images.iter().map(class).zip(labels);
    let right =
        found.filter(|(class, label)| class.and_then(|c| i64::try_from(c).ok()) == Some(**label));
    Ok(right.count())
}

/// Asks that there is one label for each image.
///
/// # Errors
/// When there are more or fewer.
pub fn check_count(labels: &[i64], images: usize) -> Result<(), LabelError> {
    let (found, expected) = (labels.len(), images);
    match found == expected {
        true => Ok(()),
        false => Err(LabelError::Count { found, expected }),
    }
}

/// Asks that outputs have classes, which labels can be compared with.
///
/// # Errors
/// When they have not.
pub fn check_classes(outputs: &Arrays) -> Result<(), LabelError> {
    if are_classes(outputs.values()) {
        return Ok(());
    }
    let shape = |(name, array): (&String, &Array)| format!("`{name}` has shape {}", array.shape());
    Err(LabelError::NoClasses {
        outputs: outputs.iter().map(shape).collect(),
    })
}

/// Why labels do not go with images or outputs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// Another number of labels than of images.
    #[error("there are {found} labels for {expected} images")]
    Count {
        /// Number of labels.
        found: usize,
        /// Number of images.
        expected: usize,
    },
    /// Outputs that have no class.
    #[error("labels are classes, but the outputs are not vectors of scores: {}", outputs.join(", "))]
    NoClasses {
        /// The outputs, in words.
        outputs: Vec<String>,
    },
}
