//! How large the values of a model become: on samples that are given, by the ranges that its metadata state, or on inputs that
//! are drawn from a range.

mod drawn;
mod error;
mod intervals;
mod known;
mod ranges;

pub use error::CalibrateError;
pub(crate) use known::KnownRanges;
pub use ranges::{NodeRangeReport, RangeReport, RangesReport, SamplesReport, StatedReport};
