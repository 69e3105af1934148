//! The back end that computes on ciphertexts, on this processor.
//!
//! [`CkksEvaluator`] computes, with keys from a [`KeySource`]: a file ([`crate::wire::StoredKeys`]) or memory ([`HeldKeys`]).
//! [`CpuFootprint`] knows its memory before it starts.

mod error;
mod evaluator;
mod fixed;
mod footprint;
mod keys;
mod ring_bytes;
mod sizes;

pub use error::CkksRunError;
pub use evaluator::{CkksEvaluator, Plain};
pub use footprint::CpuFootprint;
pub use keys::{HeldKeys, KeySource};
pub use ring_bytes::RingBytes;
pub use sizes::Sizes;
