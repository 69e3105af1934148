//! The runtime.

mod binding;
pub mod ckks;
pub mod client;
pub mod exec;
pub mod params;
pub mod ports;
pub mod ring;
pub mod rlwe;
pub mod server;
pub mod simulate;
pub mod wire;

pub use binding::parameters;

#[cfg(test)]
mod testing;
