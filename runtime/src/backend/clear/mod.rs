//! The clear back end, which computes on cleartext slots: the oracle of the tests, on which [`simulate`](crate::simulate) runs.
//!
//! Slots are `f64`, with imaginary parts once an operation makes them. Key switching, rescaling and levels leave slots unchanged,
//! except for switches to another ring, which average them; level, scale and form are kept exactly and compared with the
//! circuit's types after every instruction. With a noise seed, every instruction also disturbs its result as the noise model
//! predicts. A value holds the slots of several images when there are several to compute.

mod evaluator;
mod footprint;
mod headroom;
mod mismatch;
mod noise;
mod random;
mod slots;
mod tape;
mod watch;

pub use evaluator::{Cipher, Digits, Plain, Simulator};
pub use footprint::ClearFootprint;
pub use headroom::Headroom;
pub use mismatch::Mismatch;
pub(crate) use noise::Noise;
pub(crate) use watch::{Seen, first};
