//! The walk over the nodes of a model, from its inputs to its outputs.
//!
//! `attempts` has [`import`]; `importer` is the state, which `ports` and `nodes` work on; `encrypt` turns what the client makes of
//! inputs into encrypted tensors; `types` follows element types from node to node.

mod attempts;
mod encrypt;
mod given;
mod importer;
mod nodes;
mod ports;
mod types;

pub use attempts::import;
