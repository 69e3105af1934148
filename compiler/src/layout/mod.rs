//! Choosing a layout for every tensor of the graph.
//!
//! [`candidates`] proposes packings, `plans` prices each linear operator between two of them, `search` finds the cheapest
//! choice for the whole graph, `planning` how far levels are worth their price; `plan` is the result. Prices are predicted seconds at the level at which an operator will run, the number of
//! multiplications before it counted on the graph ([`depth`]).
//!
//! A tensor may be brought to another packing before an operator that then needs fewer products: mostly to copies that are
//! rotated against each other. That takes a level, whose price is that of running everything before it one level higher.

pub mod candidates;
mod cuts;
pub mod depth;
mod error;
mod place;
mod plan;
mod planning;
mod plans;
mod search;
pub mod words;

pub use cuts::{Cut, cuts};
pub use error::LayoutPlanError;
pub use place::Place;
pub use plan::{Choice, LayoutPlan};
pub use planning::Planning;
pub use plans::Quotes;
