//! What a circuit or a client interface holds, and how the nodes of a model are computed.

mod diagonals;
mod formula;
mod node;
mod packing;
mod picture;
mod report;
#[cfg(test)]
mod samples;

pub use diagonals::{DiagonalsReport, OperatorReport};
pub use node::{NodePlan, NodeReport};
pub use packing::PackingReport;
pub use report::{
    CircuitReport, InspectOptions, InterfaceReport, UnknownNode, inspect, inspect_interface,
};
