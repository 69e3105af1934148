//! The compiler: from an ONNX model to a verified CKKS circuit.
//!
//! Stages have different types, so they cannot run in the wrong order:
//!
//! | stage | value | module |
//! |---|---|---|
//! | ONNX front end | bytes to [`tensor::Graph`] | `onnx` |
//! | rewrites | [`tensor::Graph`] to [`tensor::Graph`] | `rewrite` |
//! | layouts | [`tensor::Graph`] to [`layout::LayoutPlan`] | [`layout`] |
//! | placement of refreshes | [`tensor::Graph`] to [`placement::Placement`] | [`placement`] |
//! | lowering | graph and plan to [`slots::Program`] | [`slots`] |
//! | management | [`slots::Program`] to `Circuit` | [`manage`] |
//! | circuit passes | `Circuit` to `Circuit` | [`passes`] |
//!
//! One model of the machine, [`peregrine_ir::cost`], decides which of several ways is cheapest. Everything that a stage does
//! beyond a correct circuit can be left out by name ([`optimisation`]); [`ablation`] compares the circuits.

pub mod ablation;
pub mod advice;
pub mod layout;
pub mod magnitude;
pub mod manage;
pub mod moduli;
pub mod onnx;
pub mod optimisation;
pub mod passes;
pub mod pipeline;
pub mod placement;
pub mod precision;
pub mod ranges;
pub mod refresh;
pub mod rewrite;
pub mod slots;
pub mod tensor;
