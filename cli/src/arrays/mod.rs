//! Tensors in files, `.npy` and `.npz`, as NumPy and PyTorch users have them; batches of images, taken apart and stacked.
//!
//! Files are told apart by their first bytes, not by their names.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use peregrine::arrays;
//!
//! let images = arrays::load(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/digits/images.npy"))?;
//! assert_eq!(images.shape().dims(), [50, 1, 8, 8]);
//! let image = arrays::load(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/digits/image.npy"))?;
//! assert_eq!(image.data(), &images.data()[..64]);
//! # Ok(())
//! # }
//! ```

mod batch;
mod elements;
#[cfg(test)]
mod fuzz_tests;
mod load;
mod parse;
mod problem;
mod write;

pub use batch::{BatchError, named, split, stack, values};
pub use load::{load, load_all, load_integers};
pub use parse::{names, parse, parse_integers};
pub use problem::{ArrayError, LoadArrayError, WriteArrayError};
pub use write::{write_csv, write_npy, write_npz};
