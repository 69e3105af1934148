//! The choice of a layout for every tensor of the graph.
//!
//! [`candidates`] proposes packings, `plans` prices each linear operator between two of them, `search` finds the cheapest choice
//! for the whole graph, and `planning` decides how many levels are spent on conversions; `plan` is the result. Prices are
//! predicted seconds at the level at which an operator will run. That level follows from the number of multiplications before the
//! operator, counted on the graph ([`depth`]).
//!
//! A tensor may be converted to another packing before an operator that then needs fewer products: mostly to skewed replicas,
//! which are rotated against each other. A conversion takes a level; its price is that of running everything before it one level
//! higher.

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
