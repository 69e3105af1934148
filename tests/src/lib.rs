//! Tests.

pub mod shared;
