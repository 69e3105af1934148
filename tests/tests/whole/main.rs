//! All of it at once: networks end to end, the front end against oracles, passes, the rules of the architecture.
//!
//! One program, because linking takes longer than most tests; what counts for a whole process has a program of its own beside it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod ablation;
mod big_networks;
mod conformance;
mod deep_networks;
mod double_hoisting;
mod end_to_end;
mod filetests;
mod finetuned;
mod key_budget;
mod large_maps;
mod like;
mod named_errors;
mod networks;
mod onnx;
mod periodic_weights;
mod precision;
mod promised_bits;
mod random_networks;
mod ranges;
mod refresh;
mod resnet20;
mod ring_switching;
mod security;
mod split_inputs;
mod tidy;
mod too_deep;
mod wrong_scale;
