//! Circuits: the verifier, text and binary form, bounds.
//!
//! One program, because linking takes longer than most tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bodies;
mod bounds;
mod common;
mod constant_kinds;
mod damage;
mod expectations;
mod files;
mod generated;
mod rings;
mod secrets;
mod spec;
mod syntax;
mod verifier;
