//! The program, run as users run it, and its library.
//!
//! One program, because linking takes longer than most tests; what counts for a whole process has a program of its own beside it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;
mod defaults;
mod errors;
mod files;
mod finish;
mod flow;
mod keys;
mod library;
mod security;
mod stated;
mod verdict;
