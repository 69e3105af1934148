//! The tables that verbs print, made of the reports of the library.

pub mod ablation;
pub mod bench;
pub mod compile;
pub mod costs;
pub mod grid;
pub mod infer;
pub mod inspect;
pub mod keys;
pub mod memory;
pub mod node;
pub mod outputs;
pub mod ranges;
pub mod refresh;
pub mod summary;
