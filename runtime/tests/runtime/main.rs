//! Client, server and simulator on small circuits.
//!
//! One program, because linking takes longer than most tests; what counts for a whole process has a program of its own beside it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod cache;
#[path = "../common/mod.rs"]
mod common;
mod dots;
mod execute;
mod fragments;
mod functions;
mod key_pairs;
mod random;
mod ring_switch;
mod roles;
mod secure;
mod sessions;
mod simulate;
mod steps;
mod streaming;
mod wire;
