//! The runtime: runs the circuits of `peregrine-ir` on ciphertexts and on cleartext.
//!
//! `ring`, `params`, `rlwe`, `ckks` are the engine, each using only those before it. [`exec`] walks a circuit with whatever back end
//! it is given; [`backend`] has two, one on ciphertexts and one on the cleartext slots of [`simulate`]. [`client`] and [`server`] are
//! the roles: the first holds a secret key and knows no weights, the second the reverse. [`wire`] is what they send each other.

pub mod backend;
mod binding;
mod bytes;
pub mod ckks;
pub mod client;
pub mod exec;
pub mod params;
pub mod ports;
pub mod range;
pub mod ring;
pub mod rlwe;
pub mod server;
pub mod simulate;
mod splitmix;
pub mod verdict;
pub mod wire;

pub use binding::rings;

#[cfg(test)]
mod testing;
