//! `--labels`: what images show.

use super::arrays;
use super::error::Error;
use peregrine::labels::check_count;
use std::path::Path;

/// Reads the labels of so many images, if there is a file.
pub fn read(path: Option<&Path>, images: usize) -> Result<Option<Vec<i64>>, Error> {
    let Some(path) = path else {
        return Ok(None);
    };
    let labels = arrays::read_integers(path)?;
    check_count(&labels, images).map_err(Error::about(path))?;
    Ok(Some(labels))
}
